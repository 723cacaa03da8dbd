/** Which wallet belongs to whom, and how it shows that it does: tickets, challenges, the comparison of persons. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { verifyEd25519 } from '../../firmware/src/box/signatures.ts';
import { deriveAccount, type Account } from '../../firmware/src/protocol/accounts.ts';
import { makeAddress } from '../../firmware/src/protocol/addresses.ts';
import { Bindings, type OpenTicket } from '../../firmware/src/patients/bindings.ts';
import { Challenges } from '../../firmware/src/patients/challenges.ts';
import {
  challengeMsMax,
  challengesMax,
  ticketMsMax,
  ticketsMax,
} from '../../firmware/src/patients/limits.ts';
import { patientOf, samePerson, type LocalPatient } from '../../firmware/src/studies/patient-identity.ts';
import { bytesOf } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';

const chain = bytesOf('chain');
const wallet = deriveAccount(bytesOf('wallet'), 'north');
const patient: LocalPatient = {
  patientId: 'N-1001',
  issuer: 'NORTH',
  name: 'Canary^Winifred',
  birthDate: '19790412',
  sex: 'F',
};

class Reception {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  bindings = this.#make();

  #make(): Bindings {
    return new Bindings({
      store: this.store,
      institution: 'north',
      chain,
      verify: verifyEd25519,
      clock: this.clock,
    });
  }

  async restart(): Promise<void> {
    this.bindings = this.#make();
    await this.bindings.load();
  }

  ticket(of = patient): OpenTicket {
    const ticket = this.bindings.createTicket(of);
    assert.ok(!('refused' in ticket));
    return ticket;
  }

  async bind(of = patient, account: Account = wallet): Promise<boolean> {
    const { code, nonce } = this.ticket(of);
    return this.bindings.bind(code, await makeAddress(account, chain, nonce));
  }
}

test('a wallet that answers its ticket is the patient’s, by account and by patient, also after a restart', async () => {
  const reception = new Reception();
  assert.equal(await reception.bind(), true);
  for (const restarted of [false, true]) {
    if (restarted) await reception.restart();
    const { bindings } = reception;
    assert.equal(bindings.count, 1);
    assert.deepEqual(bindings.ofAccount(wallet.spend.publicKey)?.patient, patient);
    assert.deepEqual(new Uint8Array(bindings.ofPatient(patient)?.view ?? []), wallet.view);
    assert.equal(bindings.ofAccount(randomBytes(32)), undefined);
  }
});

test('a ticket serves once, even for two answers at the same time', async () => {
  const reception = new Reception();
  const { code, nonce } = reception.ticket();
  const address = await makeAddress(wallet, chain, nonce);
  const other = await makeAddress(deriveAccount(bytesOf('another'), 'north'), chain, nonce);
  const outcomes = await Promise.all([
    reception.bindings.bind(code, address),
    reception.bindings.bind(code, address),
    reception.bindings.bind(code, other),
  ]);
  assert.deepEqual(outcomes, [true, false, false]);
  assert.equal(await reception.bindings.bind(code, address), false);
  assert.equal(reception.bindings.count, 1);
});

test('a ticket lapses to the millisecond', async () => {
  for (const [afterMs, serves] of [
    [ticketMsMax - 1, true],
    [ticketMsMax, false],
  ] as const) {
    const reception = new Reception();
    const { code, nonce, expiresAt } = reception.ticket();
    assert.equal(expiresAt, reception.clock.now() + ticketMsMax);
    const address = await makeAddress(wallet, chain, nonce);
    reception.clock.advance(afterMs);
    assert.equal(await reception.bindings.bind(code, address), serves);
  }
});

test('an address for another ticket, place or chain, or a changed one, binds nobody and leaves the ticket', async () => {
  const reception = new Reception();
  const { code, nonce } = reception.ticket();
  const elsewhere = deriveAccount(bytesOf('wallet'), 'south');
  const good = await makeAddress(wallet, chain, nonce);
  const flipped = good.slice();
  flipped[50] = (flipped[50] ?? 0) ^ 1;
  const bad: readonly Uint8Array[] = [
    await makeAddress(wallet, chain, reception.ticket().nonce),
    await makeAddress(elsewhere, chain, nonce),
    await makeAddress(wallet, bytesOf('another chain'), nonce),
    flipped,
    good.subarray(0, -1),
    new Uint8Array(0),
    randomBytes(good.length),
  ];
  for (const address of bad) assert.equal(await reception.bindings.bind(code, address), false);
  assert.equal(await reception.bindings.bind('no such code', good), false);
  assert.equal(reception.bindings.count, 0);
  assert.equal(await reception.bindings.bind(code, good), true, 'a failed try costs the patient nothing');
});

test('tickets are bounded, and lapsed ones make room', () => {
  const reception = new Reception();
  for (let i = 0; i < ticketsMax; i++) reception.ticket();
  assert.ok('refused' in reception.bindings.createTicket(patient));
  reception.clock.advance(ticketMsMax);
  reception.ticket();
});

test('codes and nonces never repeat and cannot be guessed from each other', () => {
  const reception = new Reception();
  const tickets = Array.from({ length: 100 }, () => reception.ticket());
  assert.equal(new Set(tickets.map(({ code }) => code)).size, 100);
  assert.equal(new Set(tickets.map(({ nonce }) => Buffer.from(nonce).toString('hex'))).size, 100);
  assert.ok(tickets.every(({ code, nonce }) => code.length === 22 && nonce.length === 16));
});

test('a patient ID that is bound to another person gets no ticket; the same person with a new phone does', async () => {
  const reception = new Reception();
  await reception.bind();
  for (const change of [{ name: 'Canary^Wilma' }, { birthDate: '19790413' }, { sex: 'M' }]) {
    const refused = reception.bindings.createTicket({ ...patient, ...change });
    assert.ok('refused' in refused);
    assert.ok(!refused.refused.includes('Canary'), 'the words do not tell what is held');
    assert.equal(reception.bindings.ofPatient({ ...patient, ...change }), undefined);
  }
  reception.clock.advance(1_000);
  const phone = deriveAccount(bytesOf('new phone'), 'north');
  assert.equal(await reception.bind({ ...patient, name: 'CANARY^WINIFRED^^' }, phone), true);
  for (const restarted of [false, true]) {
    if (restarted) await reception.restart();
    assert.deepEqual(
      new Uint8Array(reception.bindings.ofPatient(patient)?.spend ?? []),
      phone.spend.publicKey,
      'new studies go to the new phone',
    );
    assert.ok(
      reception.bindings.ofAccount(wallet.spend.publicKey) !== undefined,
      'the old one is still known',
    );
  }
});

test('a binding that is not on disk is none', async () => {
  const reception = new Reception();
  reception.store.write = () => Promise.reject(new Error('disk full'));
  await assert.rejects(reception.bind(), /disk full/);
  assert.equal(reception.bindings.count, 0);
});

test('a challenge serves once and lapses to the millisecond', () => {
  const clock = new ManualClock();
  const challenges = new Challenges(clock);
  const nonce = challenges.issue();
  assert.equal(nonce.length, 16);
  assert.equal(challenges.use(nonce), true);
  assert.equal(challenges.use(nonce), false);
  assert.equal(challenges.use(randomBytes(16)), false);
  assert.equal(challenges.use(new Uint8Array(0)), false);
  const [inTime, late] = [challenges.issue(), challenges.issue()];
  clock.advance(challengeMsMax - 1);
  assert.equal(challenges.use(inTime), true);
  clock.advance(1);
  assert.equal(challenges.use(late), false);
});

test('a flood of challenges pushes out the oldest, not the newest', () => {
  const challenges = new Challenges(new ManualClock());
  const nonces = Array.from({ length: challengesMax + 5 }, () => challenges.issue());
  assert.deepEqual(
    nonces.slice(0, 5).map((nonce) => challenges.use(nonce)),
    [false, false, false, false, false],
  );
  assert.ok(nonces.slice(5).every((nonce) => challenges.use(nonce)));
});

const name = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'B', 'é', 'Ö', ' ', '-', '李'), maxLength: 6 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((components) => components.join('^'));
const person = fc.record({
  name,
  birthDate: fc.constantFrom('19790412', '19790413', ''),
  sex: fc.constantFrom('F', 'M', 'O', ''),
});

test('samePerson is an equivalence', () => {
  fc.assert(
    fc.property(person, person, person, (a, b, c) => {
      assert.equal(samePerson(a, a), true);
      assert.equal(samePerson(a, b), samePerson(b, a));
      if (samePerson(a, b) && samePerson(b, c)) assert.equal(samePerson(a, c), true);
    }),
  );
});

test('case, trailing delimiters, outer spaces of components and other representations change no person', () => {
  fc.assert(
    fc.property(person, fc.nat(3), fc.boolean(), (a, carets, upper) => {
      const written = upper ? a.name.toLocaleUpperCase('en') : a.name;
      const spaced = written.split('^').join(' ^ ');
      assert.equal(samePerson(a, { ...a, name: `${spaced}${'^'.repeat(carets)}` }), true);
      assert.equal(samePerson(a, { ...a, name: `${a.name}=山田^太郎=やまだ^たろう` }), true);
      assert.equal(samePerson(a, { ...a, name: a.name.normalize('NFD') }), true);
    }),
  );
});

test('another name, birth date or sex is another person, whatever else agrees', () => {
  fc.assert(
    fc.property(person, (a) => {
      assert.equal(samePerson(a, { ...a, birthDate: '20010101' }), false);
      assert.equal(samePerson(a, { ...a, sex: 'X' }), false);
      assert.equal(samePerson(a, { ...a, name: `x${a.name}` }), false);
      assert.equal(samePerson(a, { ...a, name: `Given^${a.name}` }), false);
    }),
  );
  assert.equal(samePerson({ ...patient, name: 'A^B' }, { ...patient, name: 'B^A' }), false);
  assert.equal(samePerson({ ...patient, name: 'A^^B' }, { ...patient, name: 'A^B' }), false);
});

test('absent attributes are empty, not guessed', () => {
  assert.deepEqual(patientOf({}), { patientId: '', issuer: '', name: '', birthDate: '', sex: '' });
  assert.deepEqual(
    patientOf({
      patientId: 'N-1001',
      issuerOfPatientId: 'NORTH',
      patientName: 'Canary^Winifred',
      patientBirthDate: '19790412',
      patientSex: 'F',
    }),
    patient,
  );
});
