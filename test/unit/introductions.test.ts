/** A box that was away while all members rotated their keys: introduced with proof, by whichever member answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Introductions } from '../../firmware/src/box/introductions.ts';
import { introductionLonelyMs, introductionTickMs } from '../../firmware/src/box/limits.ts';
import { Members } from '../../firmware/src/box/members.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { PeerStatus } from '../../firmware/src/ports.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { ConsortiumFixture, certifiedKeys } from '../fakes/ledger-consortium.ts';
import { boxOf } from '../fakes/ledger.ts';
import { WalletConsortium } from '../fakes/wallet-consortium.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle, until } from '../support/until.ts';

const ids = ['north', 'south', 'east', 'west'];

/** Every member but the one that is away has rotated its keys, `epochs` days ago and more. */
function afterRotations(epochs: number) {
  const consortium = new WalletConsortium();
  const make = new ConsortiumFixture(consortium.fixture);
  const updates = ids.slice(1).map((id) => {
    const { keys: before, account, endpoints } = consortium.state.institution(id) ?? assert.fail();
    const fresh = certifiedKeys(consortium.chain, id, `${id} rotated`, {
      signers: { voting: boxOf(id).voting },
    });
    const keys = { ...fresh, possession: { ...fresh.possession, voting: before.possession.voting } };
    const change = { chain: consortium.chain, account, endpoints };
    return encodeTransaction(make.update(id, 2, keys, boxOf(id).transaction, change));
  });
  consortium.commit(...updates);
  for (let epoch = 0; epoch < epochs; epoch++) consortium.endEpoch();
  consortium.heartbeat();
  return { consortium, updates };
}

function awayBox(consortium: WalletConsortium) {
  const clock = new ManualClock(consortium.now);
  const ledger = new FinalLedger(consortium.genesis, clock);
  const members = new Members(ledger);
  const stop = members.start();
  let told = 0;
  members.onMembersChange(() => told++);
  const peers: PeerStatus[] = ids
    .slice(1)
    .map((institution) => ({ institution, connected: false, since: 0 }));
  const introductions = new Introductions({
    self: 'north',
    ledger,
    network: { peers: () => peers },
    transport: consortium,
    members: () => members.members(),
    introduce: (introduced) => members.introduce(introduced),
    clock,
    logger: new RecordingLogger(),
  });
  const transports = (): readonly string[] => members.members().map(({ keys }) => toHex(keys.transport));
  /** Time passes, and what is asked is answered. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    consortium.now = clock.now();
    consortium.heartbeat();
    await settle();
  };
  return { clock, ledger, members, introductions, peers, transports, pass, told: (): number => told, stop };
}

test('a lonely box learns the keys of today from its old ones, and is on its own ledger again when that has come as far', async () => {
  // Longer than a wallet would trust what it knows.
  const { consortium, updates } = afterRotations(95);
  const away = awayBox(consortium);
  const old = away.transports();
  await away.introductions.start();
  await away.pass(introductionLonelyMs - introductionTickMs);
  assert.deepEqual(consortium.requests, [], 'the others may only have been started anew');
  await away.pass(2 * introductionTickMs);
  await until(() => away.told() > 0, 'an introduction');
  const now = consortium.state.institutions().map(({ keys }) => toHex(keys.transport));
  assert.deepEqual(away.transports(), now);
  assert.notDeepEqual(now, old);
  assert.deepEqual(away.ledger.state().institution('east')?.version, 1, 'its ledger believes nothing by it');

  assert.equal(away.ledger.finalise(...updates).kind, 'final');
  assert.deepEqual(away.transports(), now, 'still behind');
  while (away.ledger.head().height < consortium.header.height) away.ledger.finalise();
  assert.deepEqual(away.transports(), now);
  assert.equal(away.ledger.state().institution('east')?.version, 2);
  await away.introductions.stop();
  away.stop();
});

test('who is connected asks nobody', async () => {
  const { consortium } = afterRotations(1);
  const away = awayBox(consortium);
  away.peers[0] = { institution: 'south', connected: true, since: 0 };
  await away.introductions.start();
  await away.pass(4 * introductionLonelyMs);
  assert.deepEqual(consortium.requests, []);
  await away.introductions.stop();
});

test('a member that lies or is silent introduces nobody, and the next one is asked', async () => {
  const { consortium } = afterRotations(2);
  const asked = (): readonly string[] => [
    ...new Set(consortium.requests.map((line) => line.split(' ')[0] ?? '')),
  ];
  const [liar, silent] = ['east', 'south'];
  consortium.down.add(silent);
  consortium.tamper = (institution, path, answer) => {
    if (institution !== liar || !path.startsWith('/ledger/proof')) return answer;
    const body = answer.body as { readonly proofs: readonly { readonly value: string | null }[] };
    const proofs = body.proofs.map((proof) => ({ ...proof, value: proof.value?.replace(/.$/, 'f') ?? null }));
    return { ...answer, body: { ...body, proofs } };
  };
  const away = awayBox(consortium);
  const old = away.transports();
  await away.introductions.start();
  await away.pass(introductionLonelyMs + introductionTickMs);
  await until(() => asked().includes(liar), 'a request to the liar');
  assert.deepEqual(away.transports(), old);
  while (away.told() === 0) await away.pass(introductionTickMs);
  assert.deepEqual(asked(), [liar, 'west']);
  assert.notDeepEqual(away.transports(), old);
  await away.introductions.stop();
});
