/**
 * The ledger of one box in a process of its own: validator, logs and state on disk, libp2p, as box/membership.ts joins
 * them. Without TPM, console and DICOM, so that nothing else is measured; its keys are software's.
 */
import { join } from 'node:path';
import { toHex } from '../../../firmware/src/encoding/bytes.ts';
import { openLedgerDisks } from '../../../firmware/src/box/ledger-disks.ts';
import { verifyEd25519, verifyP256 } from '../../../firmware/src/box/signatures.ts';
import { Undo } from '../../../firmware/src/box/undo.ts';
import { blockDigest, transactionId } from '../../../firmware/src/ledger/index.ts';
import { Libp2pNetwork } from '../../../firmware/src/p2p/libp2p-network.ts';
import type { Clock } from '../../../firmware/src/ports.ts';
import { FileAppendLog } from '../../../firmware/src/store/append-log.ts';
import { LedgerStateStore } from '../../../firmware/src/store/ledger-state-store.ts';
import { LevelStore } from '../../../firmware/src/store/level-store.ts';
import { voteLogAllocationBytes } from '../../../firmware/src/store/limits.ts';
import { Validator } from '../../../firmware/src/validator/validator.ts';
import { MemberSet, silentLogger } from '../../fakes/consortium.ts';
import { MemoryHealthBoard } from '../../fakes/health.ts';
import { bytesOf, LedgerFixture } from '../../fakes/ledger.ts';
import { memberKeysOf } from '../../fakes/member-keys.ts';
import { realClock } from '../../fakes/real-clock.ts';
import { MemoryVotingKeys } from '../../fakes/voting-keys.ts';
import { monotonicMs, type BoxReport, type BoxSetup, type FromBox, type ToBox } from './box-messages.ts';

/** How often the load is looked at. A transaction's time counts from when it was due, not from when it was seen. */
const submitEveryMs = 2;
/** As a box is configured by default. No epoch ends in a run. */
const bodiesKeptEpochs = 100;

const setup = JSON.parse(process.argv[2] as string) as BoxSetup;
const { self, folder } = setup;
const fixture = new LedgerFixture(setup.ids);
const box = fixture.box(self);
const clock: Clock = { ...realClock, now: () => Date.now() - setup.clockOffsetMs };
const members = new MemberSet();
const network = new Libp2pNetwork({
  self,
  chain: fixture.chain,
  transportSeed: bytesOf(`${self} transport`),
  listen: '/ip4/127.0.0.1/tcp/0',
  members: members.members,
  onMembersChange: members.onMembersChange,
  clock,
  logger: silentLogger,
});
const voteLog = await FileAppendLog.open(join(folder, 'votes.log'), {
  domain: 'votes',
  damageCode: 'VOTE_LOG_CORRUPT',
  allocationBytes: voteLogAllocationBytes,
  keepsSpare: true,
});
const undo = new Undo();
const { blockLog, archive } = await openLedgerDisks(
  { config: { dataDir: folder, ledger: { bodiesKeptEpochs } }, logger: silentLogger },
  undo,
);
const store = await LevelStore.open(join(folder, 'ledger'));
const validator = new Validator({
  genesis: fixture.genesis,
  self,
  keys: memberKeysOf(box, new MemoryVotingKeys(self, box.voting)),
  network,
  clock,
  logger: silentLogger,
  health: new MemoryHealthBoard(),
  voteLog,
  blockLog,
  archive,
  state: new LedgerStateStore(store),
  handovers: store,
  verify: verifyEd25519,
  verifyIdentity: verifyP256,
});

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

async function stop(): Promise<void> {
  await validator.stop();
  await network.stop();
  await undo.run();
  await voteLog.close();
  await store.close();
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
process.once('disconnect', () => void stop());
await network.start();
tell({ kind: 'listening', address: network.multiaddr() });
