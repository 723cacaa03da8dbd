/** The wallet against four boxes with the real ledger rules: bind, list, grant, revoke, history. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { decodeTransaction, basisId, signingMessage } from '../../firmware/src/ledger/index.ts';
import { openGrantNote } from '../../firmware/src/protocol/grant-note.ts';
import type { MailboxAnswer } from '../../firmware/wallet/http-contract.ts';
import { proofKeysMax } from '../../firmware/wallet/limits.ts';
import { Wallet } from '../../firmware/wallet/wallet.ts';
import { decodeWallet } from '../../firmware/wallet/wallet-data.ts';
import { verifySignature } from '../fakes/ledger.ts';
import { MemoryStore, refusedBy, setUpWallet, wish, withCode } from '../support/wallet-set-up.ts';

test('a wallet is made once, and opened as it was saved', async () => {
  const { modules, store, wallet } = await setUpWallet('north');
  await assert.rejects(Wallet.create(modules), withCode('WALLET_EXISTS'));
  const again = await Wallet.open(modules);
  assert.deepEqual(again.boxes, wallet.boxes);
  store.bytes = store.bytes?.slice(1);
  await assert.rejects(Wallet.open(modules), withCode('WALLET_UNREADABLE'));
  store.bytes = undefined;
  await assert.rejects(Wallet.open(modules), withCode('WALLET_UNREADABLE'));
});

test('tickets: not one, another consortium, another genesis document, used twice', async () => {
  const { consortium, wallet } = await setUpWallet();
  assert.deepEqual(await wallet.bind('no ticket'), refusedBy('wallet', 'ticket-malformed'));
  assert.deepEqual(await wallet.bind('{"v":1}'), refusedBy('wallet', 'ticket-malformed'));
  const ticket = consortium.ticket('north');
  const withGenesis = JSON.stringify({ ...(JSON.parse(ticket) as object), genesis: '00'.repeat(32) });
  await assert.rejects(wallet.bind(withGenesis), withCode('LEDGER_UNPROVEN'));
  assert.equal((await wallet.bind(ticket)).kind, 'bound');
  assert.deepEqual(await wallet.bind(ticket), refusedBy('box', 'unknown ticket'));
  assert.deepEqual(await wallet.bind(withGenesis), refusedBy('wallet', 'ticket-other-consortium'));
  const foreign = consortium.ticket('south', { institution: 'elsewhere' });
  assert.deepEqual(await wallet.bind(foreign), refusedBy('wallet', 'ticket-no-member'));
  assert.deepEqual(
    wallet.boxes.map((box) => box.institution),
    ['north'],
  );
});

test('studies of all hospitals are listed, each verified', async () => {
  const { consortium, wallet } = await setUpWallet('north', 'east');
  const thorax = await consortium.register('north', 'Thorax');
  const knee = await consortium.register('east', 'Knee');
  const { studies, unread } = await wallet.studies();
  assert.deepEqual(unread, []);
  assert.deepEqual(
    studies.map((study) => [
      study.studyId,
      study.source,
      study.kind === 'verified' && study.note.description,
    ]),
    [
      [thorax, 'north', 'Thorax'],
      [knee, 'east', 'Knee'],
    ],
  );
  assert.ok(studies.every((study) => !('signer' in study)));
});

test('a study that was registered in bulk is one like any other: listed, granted with its leaf, revoked', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax', { inBulk: true });
  assert.equal(consortium.state.study(study), undefined, 'nobody used it yet');
  const { studies } = await wallet.studies();
  assert.deepEqual(
    studies.map((listed) => [listed.studyId, listed.kind === 'verified' && listed.note.description]),
    [[study, 'Thorax']],
  );
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual([history.grants, history.releases, history.version], [[], [], 1]);
  assert.deepEqual(await wallet.revoke({ study }), refusedBy('wallet', 'nothing-to-revoke'));
  const granted = await wallet.grant({ ...wish, study });
  assert.ok(granted.kind === 'granted');
  assert.equal(consortium.lastGrant.leaf?.index, 1);
  assert.equal(consortium.state.study(study)?.grantSeq, 1);
  assert.equal((await wallet.grant({ ...wish, study, grantee: 'east' })).kind, 'granted');
  assert.equal(consortium.lastGrant.leaf, undefined, 'it has a record now');
  assert.equal((await wallet.revoke({ study })).kind, 'revoked');
  assert.ok(!consortium.state.basisStands(granted.grantId));
});

test('a leaf that is not the study’s own proves nothing', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax', { inBulk: true });
  consortium.tamper = (_institution, path, answer) => {
    if (!path.endsWith('/mailbox')) return answer;
    const { entries } = answer.body as MailboxAnswer;
    const bent = entries.map((entry) => ({ ...entry, leaf: entry.leaf && { ...entry.leaf, index: 0 } }));
    return { ...answer, body: { entries: bent } };
  };
  const { studies } = await wallet.studies();
  assert.deepEqual(studies, [
    { kind: 'unverified', studyId: study, source: 'north', reason: 'not-on-ledger' },
  ]);
});

test('another wallet at the same hospital sees none of it', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  await consortium.register('north', 'Thorax');
  const other = await Wallet.create({
    store: new MemoryStore(),
    transport: consortium,
    clock: consortium.clock,
  });
  assert.equal((await other.bind(consortium.ticket('north'))).kind, 'bound');
  assert.deepEqual((await other.studies()).studies, []);
  assert.equal((await wallet.studies()).studies.length, 1);
});

test('a note that the ledger does not know is shown as not verified', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const id = await consortium.register('north', 'Thorax');
  const { deliver } = await consortium.amend(id, false);
  const growing = await wallet.studies();
  assert.deepEqual(growing.studies, [
    { kind: 'unverified', studyId: id, source: 'north', reason: 'note-differs' },
  ]);
  assert.deepEqual(await wallet.grant({ ...wish, study: id }), refusedBy('wallet', 'study-unverified'));
  deliver();
  const [study] = (await wallet.studies()).studies;
  assert.ok(study?.kind === 'verified' && study.record.version === 2 && study.note.instances === 201);

  consortium.tamper = (_institution, path, answer) => {
    if (path !== '/mailbox') return answer;
    const { entries } = answer.body as { entries: { studyId: string }[] };
    return {
      status: 200,
      body: { entries: entries.map((entry) => ({ ...entry, studyId: 'ab'.repeat(32) })) },
    };
  };
  const [unknown] = (await wallet.studies()).studies;
  assert.ok(unknown?.kind === 'unverified' && unknown.reason === 'not-on-ledger');
});

test('a study in the mailbox of another hospital than its source is not verified', async () => {
  const { consortium, wallet } = await setUpWallet('north', 'east');
  const id = await consortium.register('north', 'Thorax');
  let entries: unknown;
  consortium.tamper = (institution, path, answer) => {
    if (path !== '/mailbox') return answer;
    if (institution === 'north') ({ entries } = answer.body as { entries: unknown });
    return { status: 200, body: { entries } };
  };
  const [, copied] = (await wallet.studies()).studies;
  assert.deepEqual(copied, { kind: 'unverified', studyId: id, source: 'east', reason: 'other-source' });
});

test('a hospital that is down is named; the others are listed', async () => {
  const { consortium, wallet } = await setUpWallet('north', 'east');
  await consortium.register('north', 'Thorax');
  const knee = await consortium.register('east', 'Knee');
  consortium.down.add('north');
  const { studies, unread } = await wallet.studies();
  assert.deepEqual(
    studies.map((study) => study.studyId),
    [knee],
  );
  assert.deepEqual(
    unread.map(({ institution, error }) => [institution, error.code]),
    [['north', 'PEER_UNREACHABLE']],
  );
  // What is not found may lie where nothing could be read.
  await assert.rejects(wallet.grant({ ...wish, study: '12345678' }), withCode('PEER_UNREACHABLE'));
});

test('a grant stands on the ledger, signed by the owner key, sealed for source and grantee', async () => {
  const { consortium, store, wallet } = await setUpWallet('north', 'south');
  const id = await consortium.register('north', 'Thorax');
  const granted = await wallet.grant({ ...wish, study: id.slice(0, 8), person: 'Dr. Sørensen', maxOpens: 3 });
  assert.ok(granted.kind === 'granted');
  const grant = consortium.lastGrant;
  assert.equal(basisId(grant), granted.grantId);
  assert.equal(granted.expiry, grant.notBefore + 7 * 86_400_000);
  assert.deepEqual([grant.maxOpens, grant.amendments, grant.seq], [3, true, 1]);
  for (const [role, institution] of [
    ['source', 'north'],
    ['grantee', 'south'],
  ] as const) {
    const note = await openGrantNote(grant, role, consortium.account(institution).viewKey);
    assert.ok(note);
    assert.deepEqual([note.source, note.grantee], ['north', 'south']);
    assert.deepEqual([note.terms.purpose, note.terms.person], ['Second opinion', 'Dr. Sørensen']);
    // The patient is bound at the grantee, which finds its own patient ID by this key.
    assert.ok(note.terms.patientAtGrantee);
  }
  const recorded = decodeWallet(store.bytes ?? new Uint8Array(0)).grants;
  assert.deepEqual(
    recorded.map((item) => [toHex(item.grantId), item.grantee]),
    [[granted.grantId, 'south']],
  );
});

test('a patient who is not bound at the grantee gives no account away', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const id = await consortium.register('north', 'Thorax');
  assert.equal((await wallet.grant({ ...wish, study: id })).kind, 'granted');
  const note = await openGrantNote(consortium.lastGrant, 'grantee', consortium.account('south').viewKey);
  assert.equal(note?.terms.patientAtGrantee, null);
});

test('studies are found by id, by its beginning, by UID; not by less, not if two fit', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const id = await consortium.register('north', 'Thorax');
  const uid = (await wallet.studies()).studies.map((study) =>
    study.kind === 'verified' ? study.note.studyInstanceUid : '',
  )[0];
  assert.ok(uid);
  for (const study of [id, id.slice(0, 8).toUpperCase(), uid]) {
    assert.equal((await wallet.grant({ ...wish, study })).kind, 'granted', study);
  }
  const notFound = refusedBy('wallet', 'study-not-found');
  for (const study of [id.slice(0, 7), '', '1.2', 'ffffffffffff']) {
    assert.deepEqual(await wallet.grant({ ...wish, study }), notFound, study);
  }
});

test('grants that make no sense are refused before anything is sent', async () => {
  const { consortium, wallet, store } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const saves = store.saves;
  const reasons = [
    [{ days: 0 }, 'days-out-of-range'],
    [{ days: 367 }, 'days-out-of-range'],
    [{ days: 1.5 }, 'days-out-of-range'],
    [{ maxOpens: 0 }, 'opens-out-of-range'],
    [{ maxOpens: 1_001 }, 'opens-out-of-range'],
    [{ purpose: 'ä'.repeat(81) }, 'purpose-out-of-range'],
    [{ purpose: '\ud800' }, 'purpose-out-of-range'],
    [{ person: 'x'.repeat(97) }, 'person-out-of-range'],
    [{ grantee: 'north' }, 'grantee-is-source'],
    [{ grantee: 'nowhere' }, 'grantee-unknown'],
  ] as const;
  for (const [change, reason] of reasons) {
    assert.deepEqual(await wallet.grant({ ...wish, study, ...change }), refusedBy('wallet', reason));
  }
  assert.ok(!consortium.requests.some((request) => request.endsWith('/transactions')));
  assert.equal(store.saves, saves);
});

test('a revocation of one grant and of all is proved', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  assert.deepEqual(await wallet.revoke({ study }), refusedBy('wallet', 'nothing-to-revoke'));
  const first = await wallet.grant({ ...wish, study });
  const second = await wallet.grant({ ...wish, study, grantee: 'east' });
  assert.ok(first.kind === 'granted' && second.kind === 'granted');
  const one = await wallet.revoke({ study, grant: first.grantId.slice(0, 10) });
  assert.deepEqual(one, { kind: 'revoked', studyId: study, grantId: first.grantId });
  assert.ok(!consortium.state.basisStands(first.grantId));
  assert.ok(consortium.state.basisStands(second.grantId));
  assert.deepEqual(
    await wallet.revoke({ study, grant: first.grantId }),
    refusedBy('ledger', 'already-revoked'),
  );
  assert.deepEqual(
    await wallet.revoke({ study, grant: 'ffffffffff' }),
    refusedBy('wallet', 'grant-not-found'),
  );
  const all = await wallet.revoke({ study });
  assert.deepEqual(all, { kind: 'revoked', studyId: study, grantId: undefined });
  assert.ok(!consortium.state.basisStands(second.grantId));
  assert.equal((await wallet.grant({ ...wish, study })).kind, 'granted', 'a new grant after that stands');
});

test('a refusal of the ledger is told in its own word', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const request = consortium.request.bind(consortium);
  consortium.request = (box, asked) => {
    // Between the reading and the sending the grant lapses.
    if (asked.path.endsWith('/transactions')) consortium.now += 200_000;
    return request(box, asked);
  };
  assert.deepEqual(await wallet.grant({ ...wish, study }), refusedBy('ledger', 'expired'));
});

test('history tells every release, to whom, and when it was received', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const first = await wallet.grant({ ...wish, study, maxOpens: 2 });
  assert.ok(first.kind === 'granted');
  const toSouth = consortium.lastGrant;
  const second = await wallet.grant({ ...wish, study, grantee: 'east', purpose: 'Surgery' });
  assert.ok(second.kind === 'granted');
  const toEast = consortium.lastGrant;
  const open = await consortium.open('south', toSouth);
  await consortium.close('south', toSouth, open);
  await consortium.open('east', toEast);
  await consortium.open('south', toSouth);
  await wallet.revoke({ study, grant: second.grantId });

  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.releases.map(({ number, grantee, purpose, closed }) => [
      number,
      grantee,
      purpose,
      closed?.sizeBucket ?? null,
    ]),
    [
      [1, 'south', 'Second opinion', 27],
      [2, 'east', 'Surgery', null],
      [3, 'south', 'Second opinion', null],
    ],
  );
  assert.deepEqual(
    history.grants.map(({ grantee, status, opens, maxOpens }) => [grantee, status, opens, maxOpens]),
    [
      ['south', 'used-up', 2, 2],
      ['east', 'revoked', 1, 5],
    ],
  );
  assert.equal(history.asOf.height, consortium.header.height);
});

test('a grant expires by the ledger’s time', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  await wallet.grant({ ...wish, study, days: 1 });
  consortium.now += 86_400_000;
  consortium.heartbeat();
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.grants.map((grant) => grant.status),
    ['expired'],
  );
});

test('histories longer than one request are read whole', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const opens = proofKeysMax + 3;
  await wallet.grant({ ...wish, study, maxOpens: opens });
  for (let n = 0; n < opens; n++) await consortium.open('south', consortium.lastGrant);
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.releases.map((release) => release.number),
    Array.from({ length: opens }, (_, index) => index + 1),
  );
});

test('a grant by another device of the patient shows as a release to somebody unnamed', async () => {
  const { consortium, store, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const otherStore = new MemoryStore();
  otherStore.bytes = store.bytes;
  const other = await Wallet.open({ store: otherStore, transport: consortium, clock: consortium.clock });
  await other.grant({ ...wish, study });
  await consortium.open('south', consortium.lastGrant);
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.releases.map((release) => [release.grantee, release.purpose]),
    [[null, null]],
  );
});

test('two grants at once are made one after the other', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const results = await Promise.all([
    wallet.grant({ ...wish, study }),
    wallet.grant({ ...wish, study, grantee: 'east' }),
    wallet.grant({ ...wish, study, grantee: 'west' }),
  ]);
  assert.deepEqual(
    results.map((result) => result.kind),
    ['granted', 'granted', 'granted'],
  );
  assert.equal(consortium.state.study(study)?.grantSeq, 3);
});

test('what is sent shows neither grantee nor purpose, and verifies by node:crypto', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const sent: string[] = [];
  const request = consortium.request.bind(consortium);
  consortium.request = (box, asked) => {
    sent.push(JSON.stringify(asked.body ?? ''));
    return request(box, asked);
  };
  await wallet.grant({ ...wish, study });
  const ownerKey = consortium.state.study(study)?.ownerKey;
  const words = sent.find((body) => body.includes('transaction')) ?? '';
  for (const secret of ['south', 'Second opinion']) {
    assert.ok(!words.includes(Buffer.from(secret).toString('hex')));
  }
  const { transaction } = JSON.parse(words) as { transaction: string };
  const decoded = decodeTransaction(Buffer.from(transaction, 'hex'));
  assert.ok(decoded.kind === 'transaction' && ownerKey);
  const { body, signatures } = decoded.transaction;
  assert.ok(verifySignature(ownerKey, signingMessage(body), signatures[0] ?? new Uint8Array(0)));
});

test('nothing works before the first ticket, and says so', async () => {
  const { wallet } = await setUpWallet();
  assert.deepEqual(await wallet.studies(), { studies: [], unread: [] });
  assert.deepEqual(
    await wallet.grant({ ...wish, study: '12345678' }),
    refusedBy('wallet', 'study-not-found'),
  );
});
