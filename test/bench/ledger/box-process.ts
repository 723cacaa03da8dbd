/**
 * The ledger of one box in a process of its own, without TPM, console and DICOM, so that nothing else is measured; its
 * keys are software's.
 */
import { toHex } from '../../../firmware/src/encoding/bytes.ts';
import { blockDigest, transactionId } from '../../../firmware/src/ledger/index.ts';
import type { Clock } from '../../../firmware/src/ports.ts';
import { MemberSet } from '../../fakes/consortium.ts';
import { MemoryHealthBoard } from '../../fakes/health.ts';
import { LedgerFixture } from '../../fakes/ledger.ts';
import { realClock } from '../../fakes/real-clock.ts';
import { MemoryStartCounter, MemoryVotingKeys } from '../../fakes/voting-keys.ts';
import { LedgerBox } from '../../support/ledger-box.ts';
import { monotonicMs, type BoxReport, type BoxSetup, type FromBox, type ToBox } from './box-messages.ts';

/** How often the load is looked at. A transaction's time counts from when it was due, not from when it was seen. */
const submitEveryMs = 2;
/** As a box is configured by default. No epoch ends in a run. */
const bodiesKeptEpochs = 100;

const setup = JSON.parse(process.argv[2] as string) as BoxSetup;
const { self, folder } = setup;
const fixture = new LedgerFixture(setup.ids);
const clock: Clock = { ...realClock, now: () => Date.now() - setup.clockOffsetMs };
const members = new MemberSet();
const box = await LedgerBox.open({
  fixture,
  self,
  folder,
  listen: '/ip4/127.0.0.1/tcp/0',
  members: members.members,
  onMembersChange: members.onMembersChange,
  voting: new MemoryVotingKeys(self, fixture.box(self).voting),
  starts: new MemoryStartCounter(),
  clock,
  health: new MemoryHealthBoard(),
  bodiesKeptEpochs,
});
const { network, validator, blockLog } = box;

const finalAt = new Map<number, number>();
validator.onFinal(({ block }) => finalAt.set(block.header.height, monotonicMs()));

const load: { readonly dueMs: number; readonly bytes: Uint8Array }[] = [];
const refused: Record<string, number> = {};
let open = 0;
let cpuMs = 0;

function tell(message: FromBox): void {
  process.send?.(message);
}

function count(reason: string): void {
  refused[reason] = (refused[reason] ?? 0) + 1;
}

async function submit(bytes: Uint8Array): Promise<void> {
  open++;
  try {
    const submitted = await validator.submit(bytes);
    if (submitted.kind === 'refused') count(submitted.reason);
  } catch (error) {
    count((error as Error).message);
  }
  open--;
}

function run(at: number): void {
  const cpuBefore = process.cpuUsage();
  let next = 0;
  const timer = setInterval(() => {
    const now = monotonicMs() - at;
    for (; next < load.length && load[next]!.dueMs <= now; next++) void submit(load[next]!.bytes);
    if (next < load.length) return;
    clearInterval(timer);
    const { user, system } = process.cpuUsage(cpuBefore);
    cpuMs = (user + system) / 1000;
  }, submitEveryMs);
}

async function report(): Promise<BoxReport> {
  const finals: BoxReport['finals'][number][] = [];
  for await (const { block } of validator.blocks(1)) {
    finals.push({
      height: block.header.height,
      at: finalAt.get(block.header.height) ?? Number.NaN,
      digest: toHex(blockDigest(block.header)),
      ids: block.transactions.map(transactionId),
    });
  }
  const residentBytes = process.memoryUsage.rss();
  return { kind: 'report', finals, refused, cpuMs, residentBytes, blockLogBytes: await blockLog.bytes() };
}

async function start(addresses: Readonly<Record<string, string>>): Promise<void> {
  members.replace(
    fixture.genesis.institutions.map((institution) => ({
      ...institution,
      endpoints: { ...institution.endpoints, p2p: addresses[institution.id]! },
    })),
  );
  await validator.start();
  const connected = (): boolean => network.peers().every((peer) => peer.connected);
  const { promise, resolve } = Promise.withResolvers<void>();
  const stopWatching = network.onPeerChange(() => connected() && resolve());
  if (connected()) resolve();
  await promise;
  stopWatching();
  tell({ kind: 'connected' });
}

process.on('message', (message: ToBox) => {
  switch (message.kind) {
    case 'members':
      void start(message.addresses);
      break;
    case 'load':
      load.push(...message.load);
      tell({ kind: 'loaded' });
      break;
    case 'go':
      run(message.at);
      break;
    case 'open':
      tell({ kind: 'open', count: open });
      break;
    case 'report':
      void report().then(tell);
      break;
  }
});
process.once('disconnect', () => void box.stop());
await network.start();
tell({ kind: 'listening', address: network.multiaddr() });
