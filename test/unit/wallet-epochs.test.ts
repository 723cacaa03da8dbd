/** The wallet over the ends of epochs: it follows handovers, remembers them, and starts at a ticket's checkpoint. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { Wallet } from '../../firmware/wallet/wallet.ts';
import { decodeWallet } from '../../firmware/wallet/wallet-data.ts';
import { bytesOf } from '../fakes/ledger.ts';
import type { WalletConsortium } from '../fakes/wallet-consortium.ts';
import { refusedBy, setUpWallet, wish, withCode } from '../support/wallet-set-up.ts';

const dayMs = 86_400_000;

function endEpochs(consortium: WalletConsortium, count: number): void {
  for (let epoch = 0; epoch < count; epoch++) consortium.endEpoch();
  consortium.heartbeat();
}

test('a wallet follows as many handovers as it has missed, once', async () => {
  const { consortium, modules, store, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  endEpochs(consortium, 40);
  const { studies } = await wallet.studies();
  assert.equal(studies.length, 1);
  const asked = () => consortium.requests.filter((request) => request.endsWith('/ledger/handover')).length;
  // One for each, and one to learn that there is no further.
  assert.equal(asked(), 41);
  assert.ok(store.bytes !== undefined);
  assert.equal(decodeWallet(store.bytes).trust?.epoch.number, 40);

  const again = await Wallet.open(modules);
  assert.equal((await again.studies()).studies.length, 1);
  assert.equal(asked(), 41);
  const granted = await again.grant({ ...wish, study });
  assert.equal(granted.kind, 'granted');
});

test('a box that shows a head and no handover to it is not believed', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  await wallet.grant({ ...wish, study });
  endEpochs(consortium, 1);
  consortium.handovers.clear();
  await assert.rejects(wallet.history(study), withCode('LEDGER_UNPROVEN'));
});

test('an epoch that ended a moment ago is handed over a moment later: the wallet waits', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  await consortium.register('north', 'Thorax');
  endEpochs(consortium, 1);
  const handover = consortium.handovers.get(0);
  assert.ok(handover);
  consortium.handovers.clear();
  let asked = 0;
  consortium.tamper = (_institution, path, answer) => {
    if (path.startsWith('/ledger/handover') && ++asked === 3) consortium.handovers.set(0, handover);
    return answer;
  };
  assert.equal((await wallet.studies()).studies.length, 1);
  assert.ok(asked > 3);
});

test('a wallet that was away for 90 days needs a new ticket, and loses nothing', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  await wallet.grant({ ...wish, study });
  endEpochs(consortium, 91);
  await assert.rejects(wallet.history(study), withCode('WALLET_TRUST_EXPIRED'));
  assert.deepEqual(await wallet.bind(consortium.ticket('north')), { kind: 'bound', institution: 'north' });
  const history = await wallet.history(study);
  assert.ok(!('kind' in history));
  assert.deepEqual(
    history.grants.map(({ status }) => status),
    ['expired'],
  );
});

test('one that is used every sixty days goes on for ever', async () => {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  await wallet.grant({ ...wish, study });
  for (let visit = 0; visit < 3; visit++) {
    endEpochs(consortium, 60);
    assert.ok(!('kind' in (await wallet.history(study))));
  }
  assert.ok(consortium.now - consortium.genesis.time > 180 * dayMs);
});

test('a ticket starts a new wallet at its checkpoint, however old the genesis document is', async () => {
  const { consortium, modules, store } = await setUpWallet();
  endEpochs(consortium, 120);
  const wallet = await Wallet.open(modules);
  assert.deepEqual(await wallet.bind(consortium.ticket('north')), { kind: 'bound', institution: 'north' });
  assert.ok(store.bytes !== undefined);
  assert.equal(decodeWallet(store.bytes).trust?.epoch.number, 120);
  assert.ok(!consortium.requests.some((request) => request.endsWith('/ledger/genesis')));
});

test('a box that does not show the block of its ticket is not believed', async () => {
  const { consortium, modules } = await setUpWallet();
  endEpochs(consortium, 2);
  const wallet = await Wallet.open(modules);
  const checkpoint = consortium.checkpoint();
  for (const change of [{ digest: toHex(bytesOf('other')) }, { epoch: 1 }, { epoch: 3 }, { height: 1 }]) {
    const ticket = consortium.ticket('north', { checkpoint: { ...checkpoint, ...change } });
    await assert.rejects(wallet.bind(ticket), withCode('LEDGER_UNPROVEN'));
  }
  assert.equal(wallet.boxes.length, 0);
});

test('a ticket whose checkpoint is missing is none', async () => {
  const { consortium, wallet } = await setUpWallet();
  const { checkpoint: _left, ...ticket } = JSON.parse(consortium.ticket('north')) as Record<string, unknown>;
  assert.deepEqual(await wallet.bind(JSON.stringify(ticket)), refusedBy('wallet', 'ticket-malformed'));
});
