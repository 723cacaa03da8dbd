/** The access list: who is admitted to what, who is refused for which reason, and who is remembered of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { AccessList, type AccessListOptions } from '../../firmware/src/access/access-list.ts';
import type { Caller } from '../../firmware/src/access/caller.ts';
import type { CallerRequest } from '../../firmware/src/access/decision.ts';
import {
  callersKeptMax,
  dismissedMsMax,
  pendingCallersMax,
  pendingMsMax,
  pendingSopClassesMax,
  pendingWriteMsMin,
} from '../../firmware/src/access/limits.ts';
import type { PendingCaller } from '../../firmware/src/access/pending-callers.ts';
import {
  admittedFromBytes,
  admittedToCbor,
  pendingFromBytes,
  pendingToCbor,
  type Admitted,
} from '../../firmware/src/access/stored-callers.ts';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const sha256 = 'ab'.repeat(32);
const ctImage = '1.2.840.10008.5.1.4.1.1.2';

const caller = (part: Partial<Caller> = {}): Caller => ({
  callingAeTitle: 'CT1',
  addresses: [],
  certificates: [],
  calledAeTitles: [],
  may: ['store'],
  mayCorrect: false,
  reachedAt: null,
  ...part,
});

const request = (part: Partial<CallerRequest> = {}): CallerRequest => ({
  callingAeTitle: 'CT1',
  calledAeTitle: 'HILUM',
  remoteAddress: '10.1.2.3',
  sopClassUids: [ctImage],
  ...part,
});

class World {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly health = new MemoryHealthBoard();
  readonly logger = new RecordingLogger();

  async open(configured: readonly Caller[], part: Partial<AccessListOptions> = {}): Promise<AccessList> {
    const { clock, store, health, logger } = this;
    const common = { aeTitles: ['HILUM', 'HILUM2'], clock, store, health, logger };
    const list = new AccessList({ ...common, configured, ...part });
    await list.start();
    return list;
  }
}

/** What it may, or why it is refused. */
function outcome(list: AccessList, part: Partial<CallerRequest> = {}): string {
  const decision = list.decide(request(part));
  return decision.kind === 'refused' ? decision.ground : [...decision.may].sort().join(' ');
}

test('title, called title, address and certificate must fit, each refusal with its own ground', async () => {
  const list = await new World().open([
    caller({ addresses: ['10.1.2.0/24', 'fd00::/64'] }),
    caller({ callingAeTitle: 'PACS', calledAeTitles: ['HILUM2'], may: ['store', 'query', 'retrieve'] }),
    caller({ callingAeTitle: 'MR1', certificates: [sha256, 'CN=mr1.example'], may: [] }),
  ]);
  assert.equal(outcome(list), 'store');
  assert.equal(outcome(list, { remoteAddress: 'fd00::7' }), 'store');
  assert.equal(outcome(list, { callingAeTitle: 'CT2' }), 'unknown');
  assert.equal(outcome(list, { callingAeTitle: 'ct1' }), 'unknown');
  assert.equal(outcome(list, { calledAeTitle: 'HILUM3' }), 'called-ae-title');
  assert.equal(outcome(list, { remoteAddress: '10.1.3.3' }), 'address');
  assert.equal(outcome(list, { remoteAddress: '' }), 'address');
  assert.equal(outcome(list, { callingAeTitle: 'PACS' }), 'called-ae-title');
  assert.equal(outcome(list, { callingAeTitle: 'PACS', calledAeTitle: 'HILUM2' }), 'query retrieve store');
  const mr1 = { callingAeTitle: 'MR1' };
  assert.equal(outcome(list, mr1), 'certificate');
  assert.equal(outcome(list, { ...mr1, certificate: { sha256: 'cd'.repeat(32) } }), 'certificate');
  assert.equal(outcome(list, { ...mr1, certificate: { sha256 } }), '', 'admitted, to C-ECHO alone');
  const renewed = { sha256: 'cd'.repeat(32), commonName: 'mr1.example' };
  assert.equal(outcome(list, { ...mr1, certificate: renewed }), '');
});

test('entries of one title add up where they fit, and only there', async () => {
  const list = await new World().open([
    caller({ addresses: ['10.1.2.0/24'] }),
    caller({
      addresses: ['10.1.2.3'],
      may: ['query'],
      mayCorrect: true,
      reachedAt: { host: 'ct1', port: 104, tls: false },
    }),
  ]);
  assert.equal(outcome(list), 'query store');
  assert.equal(outcome(list, { remoteAddress: '10.1.2.4' }), 'store');
  assert.equal(list.mayCorrect(request()), true);
  assert.equal(list.mayCorrect(request({ remoteAddress: '10.1.2.4' })), false);
  assert.equal(list.mayCorrect(request({ callingAeTitle: 'CT2' })), false);
  assert.deepEqual(list.reachedAt('CT1'), { host: 'ct1', port: 104, tls: false });
  assert.equal(list.reachedAt('CT2'), undefined);
  assert.deepEqual(
    list.callers().map(({ seen }) => seen?.count),
    [2, 1],
  );
});

test('a caller of the configuration that is wrong is named', async () => {
  const wrong: readonly (readonly [Partial<Caller>, RegExp])[] = [
    [{ callingAeTitle: 'A\\B' }, /"A\\B" is no AE title/],
    [{ callingAeTitle: ' ' }, /no AE title/],
    [{ addresses: ['10.1.2.0/40'] }, /"10.1.2.0\/40" is no address/],
    [{ certificates: ['AB'.repeat(32)] }, /neither a SHA-256/],
    [{ calledAeTitles: ['OTHER'] }, /"OTHER" is no AE title of this box/],
    [{ reachedAt: { host: 'ct1', port: 0, tls: false } }, /port from 1 to 65535/],
    [{ addresses: Array.from({ length: 33 }, () => '10.1.2.3') }, /more than 32 address ranges/],
  ];
  for (const [part, message] of wrong) {
    const opened = new World().open([caller({ callingAeTitle: 'OK' }), caller(part)]);
    await assert.rejects(opened, { code: 'CONFIG_INVALID', message });
    await assert.rejects(opened, /dicom.callers\[1\]/);
  }
});

test('a refused caller waits to be admitted, and is admitted to what the administrator says', async () => {
  const world = new World();
  const list = await world.open([]);
  let changes = 0;
  list.onChange(() => changes++);
  assert.equal(outcome(list), 'unknown');
  world.clock.advance(5_000);
  outcome(list, { calledAeTitle: 'HILUM2', sopClassUids: [ctImage, ctImage, '1.2.3'] });
  assert.equal(changes, 2);
  const [pending, ...others] = list.pending();
  assert.ok(pending);
  assert.deepEqual(others, []);
  assert.equal(pending.count, 2);
  assert.equal(pending.lastAt - pending.firstAt, 5_000);
  assert.deepEqual(pending.request.sopClassUids, [ctImage, '1.2.3']);

  const admission = caller({ addresses: ['10.1.2.3'], may: ['store', 'commitment'] });
  assert.deepEqual(await list.admit(admission, 'anna'), { kind: 'changed' });
  assert.deepEqual(list.pending(), [], 'it is settled');
  assert.equal(outcome(list), 'commitment store');
  assert.equal(outcome(list, { remoteAddress: '10.1.2.4' }), 'address');
  assert.deepEqual(
    list.pending().map(({ ground, request: { remoteAddress } }) => [ground, remoteAddress]),
    [['address', '10.1.2.4']],
  );
  assert.ok(world.logger.lines.some((line) => line.includes('caller admitted') && line.includes('"anna"')));
});

test('of a refused caller no more is kept than the list needs: no password that it sent', async () => {
  const world = new World();
  const list = await world.open([]);
  const withPassword = { ...request(), userIdentity: { primary: 'canary-passcode' } };
  list.decide(withPassword);
  await list.stop();
  assert.deepEqual(list.pending()[0]?.request, request());
  assert.equal(world.store.values.size, 1);
  for (const value of world.store.values.values())
    assert.ok(!Buffer.from(value).toString('latin1').includes('canary'));
});

test('refused callers are bounded in bytes, whatever they propose and however long', async () => {
  const world = new World();
  const list = await world.open([]);
  const uidOf = (index: number): string => `1.2.840.${index}.`.padEnd(64, '9');
  for (let index = 0; index < pendingCallersMax; index++) {
    list.decide(
      request({
        callingAeTitle: `X${index}`.padEnd(65_000, 'X'),
        sopClassUids: [
          `${index}.${'\u0001'.repeat(64_000)}`,
          '1'.repeat(65),
          ...Array.from({ length: 40 }, (_, each) => uidOf(each)),
        ],
        certificate: { sha256, commonName: 'N'.repeat(100_000) },
      }),
    );
  }
  const [newest] = list.pending();
  assert.deepEqual(newest?.request.certificate, { sha256 });
  assert.equal(newest.request.sopClassUids[0], uidOf(0));
  assert.equal(newest.request.sopClassUids.length, pendingSopClassesMax);
  assert.ok(JSON.stringify(list.pending()).length <= pendingCallersMax * 2_048);
  assert.ok(encodeCanonical(pendingToCbor(list.pending())).length <= pendingCallersMax * 2_048);
});

test('an admitted caller is changed in its place, over a restart too', async () => {
  const world = new World();
  const list = await world.open([caller({ callingAeTitle: 'FIXED' })]);
  await list.admit(caller(), 'anna');
  const [{ id } = { id: '' }] = list.callers();
  const changed = caller({ addresses: ['10.1.2.3'], may: ['store', 'query'] });
  assert.equal((await list.replace(id, { ...changed, addresses: ['x'] }, 'bert')).kind, 'refused');
  assert.equal(outcome(list), 'store', 'what is wrong changes nothing');
  assert.deepEqual(await list.replace(id, changed, 'bert'), { kind: 'changed' });
  assert.equal(outcome(list), 'query store');
  assert.equal((await list.replace('configured-0', changed, 'bert')).kind, 'refused');
  assert.equal((await list.replace('absent', changed, 'bert')).kind, 'refused');
  const again = await world.open([]);
  assert.deepEqual(
    again.callers().map((one) => [one.id, one.caller.may, one.admitted?.by]),
    [[id, ['store', 'query'], 'bert']],
  );
});

test('what a caller asked for and may not do is seen', async () => {
  const list = await new World().open([caller(), caller({ addresses: ['10.1.2.3'], may: ['query'] })]);
  list.decide(request({ asks: ['store', 'query', 'retrieve'] }));
  assert.deepEqual(
    list.callers().map(({ seen }) => seen?.lacked),
    [['retrieve'], ['retrieve']],
  );
  list.decide(request({ asks: ['store'] }));
  assert.deepEqual(list.callers()[0]?.seen?.lacked, []);
});

test('what is wrong with an admission is said, and nothing is changed', async () => {
  const world = new World();
  const list = await world.open([caller({ callingAeTitle: 'FIXED' })]);
  const refused = await list.admit(caller({ addresses: ['10.1'] }), 'anna');
  assert.deepEqual(refused, {
    kind: 'refused',
    reason: '"10.1" is no address and no address range such as 10.1.2.0/24',
  });
  assert.deepEqual(await list.remove('configured-0', 'anna'), {
    kind: 'refused',
    reason: 'the caller stands in the configuration file of the box',
  });
  assert.equal((await list.remove('absent', 'anna')).kind, 'refused');
  assert.equal(list.dismiss('absent', 'anna').kind, 'refused');
  assert.equal(list.callers().length, 1);
  for (let i = 0; i < callersKeptMax; i++)
    assert.equal((await list.admit(caller({ callingAeTitle: `A${i}` }), 'anna')).kind, 'changed');
  assert.equal((await list.admit(caller(), 'anna')).kind, 'refused', 'the list is full');
  assert.equal(world.store.values.size, callersKeptMax);
});

test('admitted and refused callers survive a restart; a removed one does not come back', async () => {
  const world = new World();
  const list = await world.open([]);
  await list.admit(
    caller({ callingAeTitle: 'KEPT', reachedAt: { host: 'kept', port: 104, tls: false } }),
    'anna',
  );
  await list.admit(caller({ callingAeTitle: 'GONE' }), 'anna');
  const gone = list.callers().find(({ caller: { callingAeTitle } }) => callingAeTitle === 'GONE');
  assert.deepEqual(await list.remove(gone?.id ?? '', 'bert'), { kind: 'changed' });
  outcome(list);
  outcome(list, { callingAeTitle: 'TLS', certificate: { sha256, commonName: 'tls.example' } });
  await list.stop();

  const again = await world.open([]);
  assert.deepEqual(
    again.callers().map(({ caller: { callingAeTitle }, admitted }) => [callingAeTitle, admitted?.by]),
    [['KEPT', 'anna']],
  );
  assert.deepEqual(again.reachedAt('KEPT'), { host: 'kept', port: 104, tls: false });
  assert.deepEqual(again.pending(), list.pending());
  assert.equal(outcome(again, { callingAeTitle: 'GONE' }), 'unknown');
});

test('a caller that the configuration has since admitted waits no more', async () => {
  const world = new World();
  const list = await world.open([]);
  outcome(list);
  await list.stop();
  assert.deepEqual((await world.open([caller()])).pending(), []);
});

test('damaged records are named', async () => {
  const world = new World();
  const list = await world.open([]);
  await list.admit(caller(), 'anna');
  outcome(list, { callingAeTitle: 'CT2' });
  await list.stop();
  for (const key of [...world.store.values.keys()]) {
    const whole = world.store.values.get(key) ?? new Uint8Array();
    for (const damage of [whole.slice(0, -1), Uint8Array.of(0xa0), Uint8Array.of(0x81, 0xa0)]) {
      world.store.values.set(key, damage);
      await assert.rejects(world.open([]), { code: 'STORE_CORRUPT', message: new RegExp(key) });
    }
    world.store.values.set(key, whole);
  }
  await world.open([]);
});

test('the records have the bytes of the vectors', () => {
  interface Vector<Value> {
    readonly value: Value;
    readonly bytes: string;
  }
  const vectors = JSON.parse(
    readFileSync(new URL('../vectors/access-list.json', import.meta.url), 'utf8'),
  ) as { readonly admitted: Vector<Admitted>; readonly pending: Vector<readonly PendingCaller[]> };
  const { admitted, pending } = vectors;
  assert.equal(toHex(encodeCanonical(admittedToCbor(admitted.value))), admitted.bytes);
  assert.deepEqual(admittedFromBytes('key', fromHex(admitted.bytes)), admitted.value);
  assert.equal(toHex(encodeCanonical(pendingToCbor(pending.value))), pending.bytes);
  assert.deepEqual(pendingFromBytes('key', fromHex(pending.bytes)), pending.value.toReversed());
});

test('a dismissed caller is shown again when its reason changes, or after a week', async () => {
  const world = new World();
  const list = await world.open([]);
  outcome(list);
  const dismiss = (): void => {
    const [pending] = list.pending();
    assert.deepEqual(list.dismiss(pending?.id ?? '', 'anna'), { kind: 'changed' });
  };
  dismiss();
  outcome(list);
  assert.deepEqual(list.pending(), []);
  outcome(list, { calledAeTitle: 'WRONG' });
  assert.equal(list.pending()[0]?.ground, 'called-ae-title');
  dismiss();
  world.clock.advance(dismissedMsMax);
  outcome(list, { calledAeTitle: 'WRONG' });
  assert.equal(list.pending()[0]?.count, 4);
});

test('who has not come for a month is forgotten', async () => {
  const world = new World();
  const list = await world.open([]);
  outcome(list);
  world.clock.advance(pendingMsMax + 1);
  outcome(list, { callingAeTitle: 'CT2' });
  assert.deepEqual(
    list.pending().map(({ request: { callingAeTitle } }) => callingAeTitle),
    ['CT2'],
  );
});

test('a flood of invented names pushes nobody out but itself', async () => {
  const list = await new World().open([]);
  // Waiting since before the flood: beside the attacker, in its network, and elsewhere.
  for (const remoteAddress of ['10.1.2.3', '10.1.2.4', '10.7.0.1', 'fd00::1'])
    outcome(list, { remoteAddress });
  for (let i = 0; i < 4 * pendingCallersMax; i++) {
    outcome(list, { callingAeTitle: `FLOOD${i}`, remoteAddress: '10.1.2.66', sopClassUids: uids(128) });
    outcome(list, { callingAeTitle: `FLOOD${i}`, remoteAddress: `fd66::${i.toString(16)}:1` });
  }
  // A whole network of attackers, each with one name.
  for (let i = 0; i < 256; i++) outcome(list, { remoteAddress: `10.66.0.${i}` });
  const waiting = list.pending();
  assert.equal(waiting.length, pendingCallersMax);
  const honest = waiting.filter(({ request: { callingAeTitle, remoteAddress } }) => {
    return callingAeTitle === 'CT1' && !remoteAddress.startsWith('10.66.');
  });
  assert.equal(honest.length, 4);
  assert.ok(waiting.every(({ request: { sopClassUids } }) => sopClassUids.length <= pendingSopClassesMax));
});

const uids = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `1.2.${i}`);

test('a flood is written now and then, not each time; a disk that fails is an alarm until it is written', async () => {
  const world = new World();
  const writes: number[] = [];
  let failure: Error | undefined;
  const store = {
    get: (key: string) => world.store.get(key),
    list: (prefix: string) => world.store.list(prefix),
    write: async (): Promise<void> => {
      writes.push(world.clock.now());
      if (failure !== undefined) throw failure;
    },
  };
  const list = await world.open([], { store });
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 1000; i++) outcome(list, { callingAeTitle: `A${i}` });
    world.clock.advance(pendingWriteMsMin);
    await new Promise(setImmediate);
  };
  await flood();
  assert.equal(writes.length, 1);
  failure = new Error('EIO');
  await flood();
  assert.equal(world.health.list()[0]?.code, 'STORE_FAILED');
  failure = undefined;
  await flood();
  assert.deepEqual(world.health.list(), []);
  assert.equal(writes.length, 3);
  await list.stop();
  assert.equal(writes.length, 3, 'nothing was left to write');
});
