/** What the steps of costs.ts cost on this machine now: processor time of this process, not time on the wall. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEd25519 } from '../../../firmware/src/box/signatures.ts';
import { applyTransaction, decodeTransaction, isPrimeOrderKey } from '../../../firmware/src/ledger/index.ts';
import type { BlockContext } from '../../../firmware/src/ledger/types.ts';
import { FileAppendLog } from '../../../firmware/src/store/append-log.ts';
import { LedgerStateStore } from '../../../firmware/src/store/ledger-state-store.ts';
import { LevelStore } from '../../../firmware/src/store/level-store.ts';
import { genesisTime, LedgerFixture, numbered, signerOf } from '../../fakes/ledger.ts';
import type { Costs } from './costs.ts';
import { percentile } from './figures.ts';
import { workload, type Load, type LoadOptions } from './workload.ts';

/** Half of it lets V8 compile what runs often, the other half is measured. */
const load: LoadOptions = { batchStudies: 256, studiesPerSecond: 1600, signedPerSecond: 300, ms: 20_000 };
const keysMeasured = 1000;
const flushesMeasured = 300;
/** Signed transactions of a block at 300 a second. */
const blockTransactions = 20;

/** Milliseconds of processor time for each of these. */
function cost<T>(items: readonly T[], work: (item: T, index: number) => void): number {
  const before = process.cpuUsage();
  for (const [index, item] of items.entries()) work(item, index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / items.length;
}

type SignatureCosts = Pick<Costs, 'verifyOneTimeMs' | 'verifyKnownMs' | 'signMs' | 'keyOrderMs'>;

function signatureCosts(): SignatureCosts {
  const message = numbered('message', 0);
  const some = (name: string) =>
    Array.from({ length: keysMeasured }, (_, index) => {
      const signer = signerOf(`${name} ${index}`);
      return { signer, publicKey: signer.publicKey, signature: signer.sign(message) };
    });
  const measure = (keys: ReturnType<typeof some>): SignatureCosts => {
    const verify = () =>
      cost(keys, ({ publicKey, signature }) => {
        if (!verifyEd25519(publicKey, message, signature))
          throw new Error('a good signature is not accepted');
      });
    return {
      verifyOneTimeMs: verify(),
      verifyKnownMs: verify(),
      signMs: cost(keys, ({ signer }) => void signer.sign(message)),
      keyOrderMs: cost(keys, ({ publicKey }) => {
        if (!isPrimeOrderKey(publicKey)) throw new Error('a good key is not accepted');
      }),
    };
  };
  measure(some('warm'));
  return measure(some('measured'));
}

type LedgerCosts = Pick<Costs, 'judgeMs' | 'executeMs' | 'bulkByteMs'>;

function ledgerCosts(keyOrderMs: number): LedgerCosts {
  const ledger = new LedgerFixture();
  const block: BlockContext = { height: 1, time: genesisTime + 1000, verify: () => true };
  const all = workload(ledger, load);
  let state = ledger.initial;
  const apply = ({ bytes }: Load): void => {
    const decoded = decodeTransaction(bytes);
    if (decoded.kind === 'refused') throw new Error(decoded.reason);
    const applied = applyTransaction(state, decoded.transaction, block);
    if (applied.kind === 'refused') throw new Error(applied.reason);
    state = applied.state;
  };
  const warm = all.filter(({ dueMs }) => dueMs < load.ms / 2);
  const measured = all.filter(({ dueMs }) => dueMs >= load.ms / 2);
  const bulk = measured.filter(({ kind }) => kind === 'bulk');
  const signed = measured.filter(({ kind }) => kind !== 'bulk');
  for (const one of warm) apply(one);
  const bulkBytes = bulk.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const bulkByteMs = (cost(bulk, apply) * bulk.length) / bulkBytes;
  const before = state;
  const grants = signed.filter(({ kind }) => kind === 'grant').length;
  const judgeMs = cost(signed, apply) - (2 * keyOrderMs * grants) / signed.length;
  // Decoded and with keys judged, as a block finds what came before it.
  state = before;
  const executeMs = cost(signed, (one, index) => {
    apply(one);
    if (index % blockTransactions === 0 && state.root.length !== 32) throw new Error('a root has 32 bytes');
  });
  return { judgeMs, executeMs, bulkByteMs };
}

type FlushCosts = Pick<Costs, 'voteFlushMs' | 'blockFlushMs' | 'stateFlushMs'>;

async function medianMs(write: (round: number) => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < flushesMeasured; round++) {
    const before = performance.now();
    await write(round);
    times.push(performance.now() - before);
  }
  return percentile(times, 0.5);
}

async function flushCosts(): Promise<FlushCosts> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-bench-'));
  const log = await FileAppendLog.open(join(folder, 'log'), {
    domain: 'blocks',
    damageCode: 'STORE_CORRUPT',
  });
  const store = await LevelStore.open(join(folder, 'state'));
  try {
    const state = new LedgerStateStore(store);
    const changes = (round: number) =>
      Array.from({ length: 2 * blockTransactions }, (_, index) => ({
        key: `study/${round}/${index}`,
        value: new Uint8Array(400),
      }));
    return {
      voteFlushMs: await medianMs(() => log.append([new Uint8Array(400)])),
      blockFlushMs: await medianMs(() => log.append([new Uint8Array(20_000)])),
      stateFlushMs: await medianMs((round) => state.save(round, new Uint8Array(32), changes(round))),
    };
  } finally {
    await log.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** All of the table but what a message costs, which the processor time of the four boxes shows. */
export async function measureCosts(): Promise<Omit<Costs, 'messageMs' | 'messageByteMs'>> {
  const signatures = signatureCosts();
  return { ...signatures, ...ledgerCosts(signatures.keyOrderMs), ...(await flushCosts()) };
}
