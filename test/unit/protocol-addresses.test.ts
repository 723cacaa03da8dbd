/** Addresses and mailbox proofs: made for one chain, place and ticket, and for nothing else. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { deriveAccount } from '../../firmware/src/protocol/accounts.ts';
import { makeAddress, readAddress } from '../../firmware/src/protocol/addresses.ts';
import { mailboxMessage } from '../../firmware/src/protocol/mailbox-proof.ts';
import { verifySignature } from '../fakes/ledger.ts';
import { pattern } from '../support/protocol-vectors.ts';

const chain = pattern(32, 0x10);
const nonce = pattern(16, 0x70);
const account = deriveAccount(pattern(32, 1), 'north');
const expected = { chain, institution: 'north', nonce, verify: verifySignature };
const address = await makeAddress(account, chain, nonce);
/** Where S begins: version, chain, length, "north". */
const spendAt = 1 + 32 + 4 + 5;

test('an address tells the keys of its account', () => {
  assert.deepEqual(readAddress(address, expected), {
    kind: 'address',
    address: { spend: account.spend.publicKey, view: account.view },
  });
});

test('an address for another chain, place or ticket is refused', () => {
  const reasonFor = (change: Partial<typeof expected>) => {
    const read = readAddress(address, { ...expected, ...change });
    return read.kind === 'refused' ? read.reason : read.kind;
  };
  assert.equal(reasonFor({ chain: pattern(32, 0x11) }), 'chain');
  assert.equal(reasonFor({ institution: 'south' }), 'institution');
  assert.equal(reasonFor({ institution: 'northern' }), 'institution');
  assert.equal(reasonFor({ nonce: pattern(16, 0x71) }), 'signature');
});

test('an address with unsound keys is refused before its signature is looked at', () => {
  const torsion = ed25519.Point.fromHex(ED25519_TORSION_SUBGROUP[3] as string, true);
  const torn = ed25519.Point.fromBytes(account.spend.publicKey).add(torsion).toBytes();
  const withSpend = address.slice();
  withSpend.set(torn, spendAt);
  const withView = address.slice();
  withView.set(new Uint8Array(32), spendAt + 32);
  const verify = () => true;
  assert.deepEqual(readAddress(withSpend, { ...expected, verify }), { kind: 'refused', reason: 'spend-key' });
  assert.deepEqual(readAddress(withView, { ...expected, verify }), { kind: 'refused', reason: 'view-key' });
});

test('no changed, shorter or longer address is accepted', () => {
  const isRefused = (bytes: Uint8Array) => readAddress(bytes, expected).kind === 'refused';
  for (let length = 0; length < address.length; length++) assert.ok(isRefused(address.slice(0, length)));
  assert.ok(isRefused(concatBytes(address, new Uint8Array(1))));
  fc.assert(
    fc.property(fc.nat(address.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = address.slice();
      changed[at] = (changed[at] as number) ^ flip;
      return isRefused(changed);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), isRefused));
});

test('a mailbox proof holds for its chain, place, account and challenge alone', async () => {
  const challenge = { chain, institution: 'north', spend: account.spend.publicKey, nonce };
  const signature = await account.spend.sign(mailboxMessage(challenge));
  const holds = (change: Partial<typeof challenge>) =>
    verifySignature(account.spend.publicKey, mailboxMessage({ ...challenge, ...change }), signature);
  assert.ok(holds({}));
  assert.ok(!holds({ chain: pattern(32, 0x11) }));
  assert.ok(!holds({ institution: 'south' }));
  assert.ok(!holds({ spend: pattern(32, 3) }));
  assert.ok(!holds({ nonce: pattern(16, 0x71) }));
  assert.throws(() => mailboxMessage({ ...challenge, nonce: pattern(15, 0) }), RangeError);
});
