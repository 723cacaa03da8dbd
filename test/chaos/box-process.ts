/** One box of the chaos: a process to be killed. Argument: JSON, see BoxSetup. It ends with its driver. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { blockDigest, transactionId } from '../../firmware/src/ledger/index.ts';
import type { Clock, FinalBlock } from '../../firmware/src/ports.ts';
import { LevelStore } from '../../firmware/src/store/level-store.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { realClock } from '../fakes/real-clock.ts';
import { StoredStartCounter, StoredVotingKeys } from '../fakes/stored-keys.ts';
import { LedgerBox } from '../support/ledger-box.ts';
import type { BoxReport, BoxSetup, FromBox, LoggedBlock, Outcome, ToBox } from './box-messages.ts';
import { ledgerOf } from './consortium-ledger.ts';

/** All: the driver reads every block at the end. */
const bodiesKeptEpochs = Number.MAX_SAFE_INTEGER;

const { self, addresses, folder, epochMs, clockOffsetMs } = JSON.parse(process.argv[2] as string) as BoxSetup;
const clock: Clock = { ...realClock, now: () => Date.now() - clockOffsetMs };
const health = new MemoryHealthBoard();
const fixture = ledgerOf(addresses, epochMs);
const listen = addresses[self] as string;
await mkdir(folder, { recursive: true });
const tpm = await LevelStore.open(join(folder, 'tpm'));
const box = await LedgerBox.open({
  fixture,
  self,
  folder,
  listen,
  members: () => fixture.genesis.institutions,
  onMembersChange: () => () => undefined,
  voting: await StoredVotingKeys.open(tpm, self, fixture.box(self).voting),
  starts: await StoredStartCounter.open(tpm),
  clock,
  health,
  bodiesKeptEpochs,
});
const { validator, network } = box;

function tell(message: FromBox): void {
  process.send?.(message);
}

function logged({ block }: FinalBlock): LoggedBlock {
  const { header, transactions } = block;
  return {
    height: header.height,
    digest: toHex(blockDigest(header)),
    ids: transactions.map(transactionId),
  };
}

async function submitted(bytes: Uint8Array): Promise<Outcome> {
  try {
    return await validator.submit(bytes);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { kind: 'fault', code: error.code };
  }
}

async function report(): Promise<BoxReport> {
  const blocks: LoggedBlock[] = [];
  for await (const final of validator.blocks(1)) blocks.push(logged(final));
  const state = validator.state();
  const { validators, number } = state.epoch();
  const guilty = state.guilty().map(({ institution }) => institution);
  const seen = validator.misbehaviour().map((evidence) => validators[evidence.validator]?.id ?? 'nobody');
  return {
    kind: 'report',
    blocks,
    epoch: number,
    isVoting: validator.consensus().isVoting,
    accused: [...guilty, ...seen],
    alarms: health.list().map(({ code }) => code),
  };
}

process.on('message', (message: ToBox) => {
  switch (message.kind) {
    case 'submit':
      void submitted(message.bytes).then((outcome) => tell({ kind: 'settled', id: message.id, outcome }));
      break;
    case 'report':
      void report().then(tell);
      break;
  }
});
process.once('disconnect', () => void box.stop().then(() => tpm.close()));
validator.onFinal((final) => {
  const { height, digest } = logged(final);
  tell({ kind: 'final', height, digest });
});
await network.start();
await validator.start();
tell({ kind: 'ready', height: validator.head().height });
