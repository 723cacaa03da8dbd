/** Study notes: readable by one wallet, for one entry and one commitment, and by nobody after erasure of prk. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { deriveAccount } from '../../firmware/src/protocol/accounts.ts';
import {
  noteBytesMax,
  noteModalitiesMax,
  notePaddingBytes,
  noteShortTextBytesMax,
  noteTextBytesMax,
  studyBytesMax,
  studyInstancesMax,
} from '../../firmware/src/protocol/limits.ts';
import {
  clipNoteText,
  openStudyNote,
  sealStudyNote,
  type StudyNote,
} from '../../firmware/src/protocol/notes.ts';
import { recogniseOneTime, registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import { gcmTagBytes, pad, unpad } from '../../firmware/src/protocol/sealing.ts';
import { pattern } from '../support/protocol-vectors.ts';

const chain = pattern(32, 0x10);
const commitment = pattern(32, 0xc0);
const wallet = deriveAccount(pattern(32, 1), 'north');
const recipient = { chain, institution: 'north', spend: wallet.spend.publicKey, view: wallet.view };
const owner = registerOwner({ ...recipient, index: 3 }, pattern(32, 0x40));

const note: StudyNote = {
  salt: pattern(32, 0x20),
  kind: 'imaging-study',
  studyInstanceUid: '1.2.3',
  date: '20240309',
  modalities: ['CT'],
  description: 'Thorax',
  instances: 200,
  bytes: 105_000_000,
};
const sealed = await sealStudyNote(owner.prk, 3, commitment, note);

test('the wallet derives the key that the source sealed with', async () => {
  const recognised = recogniseOneTime(wallet, { ...owner, chain, index: 3 });
  assert.ok(recognised);
  assert.deepEqual(await openStudyNote(recognised.prk, 3, commitment, sealed), note);
});

test('another wallet, entry or commitment does not open it', async () => {
  const other = deriveAccount(pattern(32, 2), 'north');
  const foreign = registerOwner(
    { ...recipient, spend: other.spend.publicKey, view: other.view, index: 3 },
    pattern(32, 0x40),
  );
  assert.equal(await openStudyNote(foreign.prk, 3, commitment, sealed), undefined);
  assert.equal(await openStudyNote(owner.prk, 4, commitment, sealed), undefined);
  assert.equal(await openStudyNote(owner.prk, 3, pattern(32, 0xc1), sealed), undefined);
});

test('no changed, truncated or extended note opens', async () => {
  for (let at = 0; at < sealed.length; at += 7) {
    const changed = sealed.slice();
    changed[at] = (changed[at] as number) ^ 1;
    assert.equal(await openStudyNote(owner.prk, 3, commitment, changed), undefined);
  }
  assert.equal(await openStudyNote(owner.prk, 3, commitment, sealed.slice(0, -1)), undefined);
  assert.equal(await openStudyNote(owner.prk, 3, commitment, sealed.slice(0, 8)), undefined);
  const long = new Uint8Array(noteBytesMax + 1);
  assert.equal(await openStudyNote(owner.prk, 3, commitment, long), undefined);
});

test('notes of different words have one size', async () => {
  const other = await sealStudyNote(owner.prk, 3, pattern(32, 0xc2), { ...note, description: '' });
  assert.equal(sealed.length, other.length);
  assert.equal((sealed.length - gcmTagBytes) % notePaddingBytes, 0);
});

test('whatever a modality writes fits into a note, cut between characters', async () => {
  const long = 'ä€𝄞'.repeat(500);
  const wild: StudyNote = {
    ...note,
    studyInstanceUid: long,
    date: long,
    modalities: Array.from({ length: 100 }, () => long),
    description: `${long}\ud800`,
    instances: studyInstancesMax,
    bytes: studyBytesMax,
  };
  const wildSealed = await sealStudyNote(owner.prk, 3, pattern(32, 0xc3), wild);
  assert.ok(wildSealed.length <= noteBytesMax);
  const opened = await openStudyNote(owner.prk, 3, pattern(32, 0xc3), wildSealed);
  assert.ok(opened);
  assert.equal(opened.modalities.length, noteModalitiesMax);
  assert.ok(long.startsWith(opened.date) && Buffer.byteLength(opened.date) > noteShortTextBytesMax - 4);
});

test('clipping keeps a beginning of at most so many bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      const clipped = clipNoteText(text);
      assert.ok(text.toWellFormed().startsWith(clipped));
      assert.ok(Buffer.byteLength(clipped) <= noteTextBytesMax);
      if (Buffer.byteLength(text) <= noteTextBytesMax) assert.equal(clipped, text.toWellFormed());
    }),
  );
});

test('a note with a salt or counts out of range is not sealed', async () => {
  const seal = (change: Partial<StudyNote>) =>
    sealStudyNote(owner.prk, 3, commitment, { ...note, ...change });
  await assert.rejects(seal({ salt: new Uint8Array(31) }), RangeError);
  await assert.rejects(seal({ instances: studyInstancesMax + 1 }), RangeError);
  await assert.rejects(seal({ bytes: -1 }), RangeError);
  await assert.rejects(sealStudyNote(owner.prk, 3, new Uint8Array(31), note), RangeError);
});

test('padding has one form for each content', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_200 }), (content) => {
      const padded = pad(content, 512);
      assert.equal(padded.length % 512, 0);
      assert.deepEqual(unpad(padded, 512), content);
      const longer = new Uint8Array(padded.length + 512);
      longer.set(padded);
      assert.equal(unpad(longer, 512), undefined);
      if (content.length + 4 < padded.length) {
        const dirty = padded.slice();
        dirty[padded.length - 1] = 1;
        assert.equal(unpad(dirty, 512), undefined);
      }
    }),
  );
  assert.equal(unpad(new Uint8Array(0), 512), undefined);
  assert.equal(unpad(new Uint8Array(512).fill(0xff), 512), undefined);
});
