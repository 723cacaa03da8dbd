import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Certificate } from '../../firmware/src/consensus/types.ts';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import type { Handover } from '../../firmware/src/handover/handover.ts';
import { decodeHandover, encodeHandover, handoverMessage } from '../../firmware/src/handover/handover.ts';
import { verifyHandover } from '../../firmware/src/handover/verify.ts';
import { blockDigest, stateKeys } from '../../firmware/src/ledger/index.ts';
import type { EpochRecord } from '../../firmware/src/ledger/types.ts';
import { bytesOf, genesisTime, verifyIdentity, verifySignature } from '../fakes/ledger.ts';
import {
  certified,
  digest,
  end,
  firstBlock,
  fixture,
  handover,
  identified,
  message,
  proof,
} from '../support/handover-sample.ts';

const { chain, initial } = fixture;
const from = initial.epoch();
const verifiers = { verify: verifySignature, verifyIdentity };

function check(change: Partial<Handover>, trusted: EpochRecord = from, chainId = chain): string {
  const verified = verifyHandover(chainId, trusted, { ...handover, ...change }, verifiers);
  return verified.kind === 'verified' ? 'verified' : verified.reason;
}

test('a handover leads from one epoch to the record of the next', () => {
  const verified = verifyHandover(chain, from, handover, verifiers);
  assert.deepEqual(verified, { kind: 'verified', next: end.state.epoch(), digest });
  assert.equal(end.state.epoch().number, 1);
  // The block may have become final in a later view, in which it was proposed again.
  assert.equal(check({ certificate: certified({ view: 9 }) }), 'verified');
});

test('voting keys alone, or identity keys alone, make no handover', () => {
  const [first, second, third] = handover.signatures;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const tooFew: readonly Handover['signatures'][] = [
    [],
    [first, second],
    [first, first, second],
    [second, first, third],
    [first, second, { ...second, validator: 3 }],
    [first, second, { ...third, validator: 7 }],
    [first, second, { ...third, validator: -1 }],
    identified(handoverMessage(chain, 1, digest, proof.value ?? assert.fail())),
    identified(handoverMessage(bytesOf('other'), 0, digest, proof.value ?? assert.fail())),
  ];
  for (const signatures of tooFew) assert.equal(check({ signatures }), 'too-few-identities');
  const notFinal: readonly Certificate[] = [
    certified({}, [0, 1]),
    certified({ kind: 'notarize' }),
    certified({ digest: bytesOf('other') }),
    certified({ view: 4 }),
    { ...certified(), signatures: [] },
    { ...certified(), view: 6 },
  ];
  for (const certificate of notFinal) assert.equal(check({ certificate }), 'not-final');
});

test('another chain, another epoch, another set than the block proves: refused', () => {
  assert.equal(check({}, from, bytesOf('other chain')), 'wrong-chain');
  assert.equal(check({}, { ...from, number: 1 }), 'wrong-epoch');
  assert.equal(check({ certificate: certified({ epoch: 1 }) }), 'wrong-epoch');
  assert.equal(check({}, { ...from, validators: [] }), 'not-final');
  const stranger = { ...(proof.value ? proof : assert.fail()), value: bytesOf('a set of the liar’s choice') };
  assert.equal(check({ proof: stranger, signatures: identified(message) }), 'not-proved');
  assert.equal(check({ proof: end.state.prove(stateKeys.parameters) }), 'not-proved');
  // A final block that closes nothing proves the epoch that goes on.
  const midway = firstBlock(genesisTime + 1);
  const own = blockDigest(midway.block.header);
  const same = midway.state.prove(stateKeys.epoch);
  assert.equal(
    check({
      header: midway.block.header,
      certificate: certified({ digest: own }),
      proof: same,
      signatures: identified(handoverMessage(chain, 0, own, same.value ?? assert.fail())),
    }),
    'wrong-next-epoch',
  );
});

test('handovers have the bytes of the golden vector, and are read strictly', async () => {
  const vector = JSON.parse(await readFile(new URL('../vectors/handover.json', import.meta.url), 'utf8')) as {
    readonly message: string;
    readonly handover: string;
  };
  assert.equal(toHex(message), vector.message);
  assert.equal(toHex(encodeHandover(handover)), vector.handover);
  assert.deepEqual(decodeHandover(fromHex(vector.handover)), handover);
  const bytes = encodeHandover(handover);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ flip;
      let decoded: Handover;
      try {
        decoded = decodeHandover(changed);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
        return;
      }
      assert.equal(toHex(encodeHandover(decoded)), toHex(changed));
      assert.equal(verifyHandover(chain, from, decoded, verifiers).kind, 'refused');
    }),
    { numRuns: 300 },
  );
  const twice = [...handover.signatures, ...handover.signatures];
  assert.throws(() => decodeHandover(encodeHandover({ ...handover, signatures: twice })), RangeError);
});
