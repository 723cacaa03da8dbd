/** Signatures of identity keys: one rule, whichever implementation judges them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verifyP256 } from '../../firmware/src/box/signatures.ts';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';
import { byIdentityRule, verifyIdentitySignature } from '../../firmware/src/ledger/index.ts';
import { verifyP256 as verifyByWebCrypto } from '../../firmware/src/protocol/webcrypto-p256.ts';
import { withPlatformVerdicts } from '../../firmware/wallet/platform-verdicts.ts';

interface Case {
  readonly name: string;
  readonly key: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
}

const { cases } = JSON.parse(
  readFileSync(new URL('../vectors/identity-signatures.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Case[] };

type Signed = readonly [publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array];

function signed({ key, message, signature }: Case): Signed {
  return [fromHex(key), fromHex(message), fromHex(signature)];
}

for (const vector of cases) {
  test(`${vector.valid ? 'accepts' : 'refuses'}: ${vector.name}`, async () => {
    const of = signed(vector);
    assert.equal(verifyIdentitySignature(...of), vector.valid, '@noble/curves: transactions');
    assert.equal(verifyP256(...of), vector.valid, 'node:crypto: genesis document, handovers');
    const inBrowser = await withPlatformVerdicts(({ verifyIdentity }) => verifyIdentity(...of));
    assert.equal(inBrowser, vector.valid, 'WebCrypto: light clients');
  });
}

test('the rule adds what implementations leave open, and no more', async () => {
  const high = cases.find(({ name }) => name.startsWith('high s'));
  assert.ok(high !== undefined);
  assert.equal(await verifyByWebCrypto(...signed(high)), true);
  const asked = cases.filter((vector) => byIdentityRule(() => true)(...signed(vector)));
  assert.ok(asked.some(({ valid }) => valid) && asked.some(({ valid }) => !valid));
});
