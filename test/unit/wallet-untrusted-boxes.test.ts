/** The wallet against boxes that are down, lie, omit, lag or refuse. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { basisId } from '../../firmware/src/ledger/index.ts';
import { decodeWallet } from '../../firmware/wallet/wallet-data.ts';
import { setUpWallet, wish, withCode } from '../support/wallet-set-up.ts';

test('a source that is down, changes the note or refuses cannot hold up a revocation', async () => {
  const { consortium, wallet } = await setUpWallet('north', 'south');
  const study = await consortium.register('north', 'Thorax');
  const grant = async () => {
    const granted = await wallet.grant({ ...wish, study });
    assert.ok(granted.kind === 'granted');
    return granted.grantId;
  };
  const first = await grant();
  consortium.down.add('north');
  assert.equal((await wallet.revoke({ study })).kind, 'revoked');
  assert.ok(!consortium.state.basisStands(first));
  consortium.down.clear();

  const second = await grant();
  await consortium.amend(study, false);
  assert.equal((await wallet.revoke({ study })).kind, 'revoked');
  assert.ok(!consortium.state.basisStands(second));
});

test('a box that refuses what it should pass on is passed by', async () => {
  const { consortium, wallet } = await setUpWallet('north', 'south');
  const study = await consortium.register('north', 'Thorax');
  assert.equal((await wallet.grant({ ...wish, study })).kind, 'granted');
  const request = consortium.request.bind(consortium);
  consortium.request = (box, asked) =>
    box.origin === consortium.endpoint('north').origin && asked.path.endsWith('/transactions')
      ? Promise.resolve({ status: 200, body: { kind: 'refused', reason: 'expired' } })
      : request(box, asked);
  assert.equal((await wallet.revoke({ study })).kind, 'revoked');
});

test('a grant whose answer was lost is known to the wallet, and revoked with all others', async () => {
  const { consortium, store, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  consortium.tamper = (_institution, path, answer) =>
    path === '/transactions' ? { status: 502, body: 'gone' } : answer;
  await assert.rejects(wallet.grant({ ...wish, study }), withCode('PEER_MISBEHAVED'));
  consortium.tamper = (_institution, _path, answer) => answer;
  const id = basisId(consortium.lastGrant);
  assert.deepEqual(
    decodeWallet(store.bytes ?? new Uint8Array(0)).grants.map((grant) => toHex(grant.grantId)),
    [id],
  );
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.grants.map((grant) => [grant.grantId, grant.status]),
    [[id, 'active']],
  );
  assert.equal((await wallet.revoke({ study })).kind, 'revoked');
  assert.ok(!consortium.state.basisStands(id));
});

test('a box that calls final what is not on the ledger is found out', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  const request = consortium.request.bind(consortium);
  consortium.request = (box, asked) =>
    asked.path.endsWith('/transactions')
      ? Promise.resolve({ status: 200, body: { kind: 'final', height: 9, time: consortium.now } })
      : request(box, asked);
  await assert.rejects(wallet.grant({ ...wish, study }), withCode('LEDGER_UNPROVEN'));
  consortium.request = request;
  // The ledger never took it; once it has lapsed it is no grant.
  consortium.now += 200_000;
  consortium.heartbeat();
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(history.grants, []);
});

test('an omitted or changed receipt is noticed, and another box is asked', async () => {
  const { consortium, wallet } = await setUpWallet('north', 'south');
  const study = await consortium.register('north', 'Thorax');
  await wallet.grant({ ...wish, study });
  await consortium.open('south', consortium.lastGrant);
  const omit = (liars: readonly string[]) => {
    consortium.tamper = (institution, path, answer) => {
      if (!liars.includes(institution) || !path.startsWith('/ledger/proof')) return answer;
      const body = answer.body as { proofs: { key: string; value: string | null }[] };
      const proofs = body.proofs.map((proof) =>
        proof.key.startsWith('open/') ? { ...proof, value: null, otherLeaf: null } : proof,
      );
      return { status: 200, body: { ...body, proofs } };
    };
  };
  omit(['north']);
  const history = await wallet.history(study);
  assert.ok(!('kind' in history) && history.releases.length === 1);
  assert.ok(consortium.requests.includes('south GET /ledger/proof'));
  omit(['north', 'south']);
  await assert.rejects(wallet.history(study), withCode('LEDGER_UNPROVEN'));
});

test('a stale head, a foreign error and a body of another form are told apart', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  await wallet.grant({ ...wish, study });
  consortium.now += 200_000;
  await assert.rejects(wallet.history(study), withCode('LEDGER_STALE'));
  consortium.heartbeat();
  const answerWith = (status: number, body: unknown) => {
    consortium.tamper = () => ({ status, body });
  };
  answerWith(503, { code: 'BUSY', message: 'later', remedy: 'wait' });
  await assert.rejects(wallet.history(study), withCode('BUSY'));
  answerWith(500, { code: 'constructor', message: '', remedy: '' });
  await assert.rejects(wallet.history(study), withCode('PEER_MISBEHAVED'));
  for (const body of [null, 5, {}, { header: 'zz', certificate: '', proofs: [] }]) {
    answerWith(200, body);
    await assert.rejects(wallet.history(study), withCode('PEER_MISBEHAVED'));
  }
});
