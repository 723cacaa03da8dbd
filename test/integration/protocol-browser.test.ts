/** The wallet's cryptography in Debian's Chromium: the golden vectors hold there, by the browser's own WebCrypto. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { addressVector, grantNoteVector, noteVector, ownerKeyVectors } from '../support/protocol-vectors.ts';
import { inBrowser } from '../support/browser-program.ts';

/** Runs in the page; what it returns is compared here. */
const program = `
import { deriveAccount } from './firmware/src/protocol/accounts.ts';
import { makeAddress } from './firmware/src/protocol/addresses.ts';
import { decodeScalar, signWithScalar } from './firmware/src/protocol/edwards25519.ts';
import { openGrantNote } from './firmware/src/protocol/grant-note.ts';
import { openStudyNote, sealStudyNote } from './firmware/src/protocol/notes.ts';
import { recogniseOneTime, registerOwner } from './firmware/src/protocol/owner-keys.ts';
import { verifyEd25519 } from './firmware/src/protocol/webcrypto-ed25519.ts';
import { fromHex, toHex } from './firmware/src/encoding/bytes.ts';
export { Wallet } from './firmware/wallet/wallet.ts';

const revive = (value) => {
  if (typeof value === 'string' && /^([0-9a-f]{2}){16,}$/.test(value)) return fromHex(value);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(revive);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revive(item)]));
};

export async function ownerKeys(vectors) {
  const { chain, r, random, cases } = revive(vectors);
  const results = [];
  for (const { seed, institution, index, scalar, message } of cases) {
    const account = deriveAccount(seed, institution);
    const owner = registerOwner(
      { chain, institution, index, spend: account.spend.publicKey, view: account.view }, r);
    const recognised = recogniseOneTime(account, { ...owner, chain, index });
    const signature = signWithScalar(decodeScalar(scalar), random, message);
    const fresh = await recognised.signer.sign(message);
    const shifted = fresh.slice();
    shifted[63] ^= 0x10;
    results.push({
      ownerKey: toHex(owner.ownerKey), prk: toHex(owner.prk), tag: owner.tag,
      tweak: toHex(recognised.tweak), signature: toHex(signature),
      verifies: await verifyEd25519(owner.ownerKey, message, fresh),
      refuses: !(await verifyEd25519(owner.ownerKey, message, shifted)),
      noPoint: await verifyEd25519(fromHex('02' + '00'.repeat(31)), message, fresh),
    });
  }
  return results;
}

export async function address(vector) {
  const { seed, institution, chain, nonce } = revive(vector);
  return toHex(await makeAddress(deriveAccount(seed, institution), chain, nonce));
}

export async function note(vector) {
  const { prk, index, commitment, ciphertext } = revive(vector);
  const opened = await openStudyNote(prk, index, commitment, ciphertext);
  return {
    description: opened.description,
    sealed: toHex(await sealStudyNote(prk, index, commitment, opened)),
    wrong: (await openStudyNote(prk, index + 1, commitment, ciphertext)) === undefined,
  };
}

export async function grant(vector) {
  const { body, note, sourceViewKey, granteeViewKey } = revive(vector);
  const opened = await openGrantNote({ ...body, note }, 'grantee', granteeViewKey);
  return {
    purpose: opened.terms.purpose,
    wrong: (await openGrantNote({ ...body, note }, 'grantee', sourceViewKey)) === undefined,
  };
}
`;

test('owner keys, address, notes and grants are the same in the browser', async () => {
  await inBrowser(program, async (run) => {
    const owners = await ownerKeyVectors();
    assert.deepEqual(
      await run('ownerKeys', owners),
      owners.cases.map(({ ownerKey, prk, tag, tweak, signature }) => ({
        ownerKey,
        prk,
        tag,
        tweak,
        signature,
        verifies: true,
        refuses: true,
        noPoint: false,
      })),
    );
    const address = await addressVector();
    const made = (await run('address', address)) as string;
    // The signature is randomised.
    assert.equal(made.slice(0, -128), address.address.slice(0, -128));
    const note = await noteVector();
    assert.deepEqual(await run('note', note), {
      description: note.note.description,
      sealed: note.ciphertext,
      wrong: true,
    });
    const grant = await grantNoteVector();
    assert.deepEqual(await run('grant', grant), { purpose: grant.content.terms.purpose, wrong: true });
  });
});
