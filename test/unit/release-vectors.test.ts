/** The bytes of docs/formats.md, "Release", held by golden vectors: two releases of the firmware must agree on them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { closingDigest } from '../../firmware/src/protocol/grants.ts';
import {
  encodeReceiptRequest,
  encodeReleaseAnswer,
  encodeStreamHead,
  encodeStreamRequest,
  heldDigest,
  streamMessage,
} from '../../firmware/src/release/messages.ts';
import { bytesOf, LedgerFixture } from '../fakes/ledger.ts';

const vectorsUrl = new URL('../vectors/release.json', import.meta.url);
const vectors = JSON.parse(readFileSync(vectorsUrl, 'utf8')) as Record<string, string> & {
  readonly inputs: Record<'tweak' | 'signature' | 'openId' | 'exporter' | 'commitment', string>;
};
const { inputs } = vectors;
const tweak = fromHex(inputs.tweak);
const signature = fromHex(inputs.signature);
const openId = fromHex(inputs.openId);
const held = [bytesOf('x1'), bytesOf('x2')];

test('requests for receipts and their answers', () => {
  const fixture = new LedgerFixture();
  const owner = fixture.box('north').transaction;
  const [study] = fixture.register('north', 'batch', [owner]).ids;
  assert.ok(study !== undefined);
  const open = fixture.openBody('north', fixture.grantBody(study, 1, owner.publicKey), 1, bytesOf('head'));
  const close = fixture.closeBody(open);
  assert.equal(toHex(encodeReceiptRequest({ body: open, signature, tweak })), vectors['openRequest']);
  assert.equal(toHex(encodeReceiptRequest({ body: close, signature, tweak })), vectors['closeRequest']);
  assert.equal(toHex(encodeReleaseAnswer({ kind: 'recorded' })), vectors['recorded']);
  assert.equal(toHex(encodeReleaseAnswer({ kind: 'refused' })), vectors['refused']);
});

test('the request of a stream, what is signed for it, and its head', () => {
  const request = encodeStreamRequest({ openId, skip: 2, held: heldDigest(held), signature });
  assert.equal(toHex(request), vectors['streamRequest']);
  assert.equal(toHex(encodeStreamHead(3)), vectors['streamHead']);
  assert.equal(toHex(heldDigest(held)), vectors['heldDigest']);
  assert.equal(toHex(streamMessage(openId, fromHex(inputs.exporter))), vectors['streamMessage']);
});

test('the digest of a closing receipt, by the formula of docs/formats.md too', () => {
  const digest = closingDigest(tweak, openId, fromHex(inputs.commitment));
  assert.equal(toHex(digest), vectors['closingDigest']);
  const byFormula = createHash('sha256')
    .update(Buffer.from('000d', 'hex'))
    .update('hilum/close/1')
    .update(Buffer.from(inputs.tweak + inputs.openId + inputs.commitment, 'hex'))
    .digest('hex');
  assert.equal(byFormula, vectors['closingDigest']);
});
