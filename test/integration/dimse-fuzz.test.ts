/**
 * A PDU and command fuzzer with fixed seeds against the SCP. `HILUM_FUZZ_CASES=100000 npm test -- dimse-fuzz` runs the
 * long one (CONTRIBUTING.md); `HILUM_FUZZ_FIRST_SEED` runs one case alone again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../fakes/consortium.ts';
import { realClock } from '../fakes/real-clock.ts';
import { MemoryStore, RawPeer, dataPdu, echoCommand, pdv, until } from '../support/dimse-peer.ts';
import { fuzzCase } from '../support/dimse-fuzz.ts';
import { storedIn } from '../support/dimse-reference.ts';
import { converse } from '../support/dimse-conversation.ts';
import { started } from '../support/dimse-scp-fixture.ts';
import { heapInUse } from '../support/heap.ts';

const cases = Number(process.env['HILUM_FUZZ_CASES'] ?? 5_000);
const firstSeed = Number(process.env['HILUM_FUZZ_FIRST_SEED'] ?? 1);
const storeResponse = 0x8001;
/** Ten times what they take: a case that costs more than it should must not pass for slow. */
const options = { timeout: 30_000 + 10 * cases };
/** As many as a busy department has; they also hold each other up, as they would there. */
const atOnce = 16;
/** What a fuzzed run may add to the heap: nothing grows with the number of cases. */
const heapGrowthBytesMax = 16 * 1024 * 1024;

/** How many of the C-STOREs in these pieces were answered 0x0000. */
async function storesOf(port: number, pieces: readonly Uint8Array[]): Promise<number> {
  const commands = await converse(port, pieces);
  return commands.filter(({ commandField: field, status }) => field === storeResponse && status === 0).length;
}

async function assertServes(port: number): Promise<void> {
  const peer = await RawPeer.associate(port);
  peer.send(dataPdu(pdv(3, 'command', true, echoCommand())));
  assert.equal(await peer.status(), 0);
  peer.close();
}

test(`the SCP survives ${cases} bent conversations`, options, async () => {
  const store = new MemoryStore();
  const scp = await started(store, { logger: silentLogger });
  const ended = { kept: 0, aborted: 0 };
  // What was kept is not what is tried here; holding it would hide what grows.
  const forget = (): void => {
    ended.kept += store.kept.splice(0).length;
    ended.aborted += store.aborted.splice(0).length;
  };
  let next = firstSeed;
  let successes = 0;
  const underWay = new Set<number>();
  const worker = async (): Promise<void> => {
    while (next < firstSeed + cases) {
      const seed = next++;
      underWay.add(seed);
      successes += await storesOf(scp.port, fuzzCase(seed).pieces);
      underWay.delete(seed);
      if (seed % 256 === 0) await assertServes(scp.port);
      forget();
    }
  };
  const name = (): void => {
    process.stderr.write(`seeds under way: ${[...underWay].join(', ')}\n`);
  };
  await assertServes(scp.port);
  const heapBefore = heapInUse();
  process.once('uncaughtExceptionMonitor', name);
  await Promise.all(Array.from({ length: atOnce }, worker)).finally(() => {
    process.off('uncaughtExceptionMonitor', name);
    if (underWay.size > 0) name();
  });
  await until(() => scp.associations === 0);
  await assertServes(scp.port);
  forget();
  assert(successes > cases / 200, `enough cases are legal: ${successes} objects were stored`);
  assert(successes <= ended.kept, 'nothing was answered 0x0000 that was not kept');
  assert.equal(store.opened, ended.kept + ended.aborted, 'each sink was finished or aborted, once');
  // What a closed socket held is given up by the runtime some turns later.
  let growth = heapInUse() - heapBefore;
  for (let n = 0; n < 50 && growth >= heapGrowthBytesMax; n++) {
    await realClock.sleep(100);
    growth = heapInUse() - heapBefore;
  }
  assert(growth < heapGrowthBytesMax, `the heap grew by ${growth} bytes`);
});

test('what is kept is what a plain reading of the bytes says', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store);
  let compared = 0;
  for (let seed = firstSeed; seed < firstSeed + cases / 5; seed++) {
    const { pieces, afterAssociation } = fuzzCase(seed);
    if (afterAssociation === undefined) continue;
    store.kept.length = 0;
    await converse(scp.port, pieces);
    await until(() => scp.associations === 0);
    const kept = store.kept.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
    const expected = storedIn(afterAssociation).map((bytes) => Buffer.from(bytes).toString('hex'));
    assert.deepEqual(kept, expected, `seed ${seed}`);
    compared += expected.length;
  }
  assert(compared > cases / 100, `enough is compared: ${compared} objects`);
});

test('the same seed gives the same case', () => {
  assert.deepEqual(fuzzCase(77), fuzzCase(77));
  assert.notDeepEqual(fuzzCase(77), fuzzCase(78));
});
