/** Padding is removed as the standard says, and in one pass however much of it a peer sends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText } from '../../firmware/dimse/character-set.ts';
import { valuesDecoding } from '../../firmware/dimse/data-set-values.ts';
import { withoutRests } from '../../firmware/dimse/rests.ts';
import { decodeAscii } from '../../firmware/dimse/text.ts';
import {
  withoutPadding,
  withoutTrailing,
  withoutTrailingPadding,
} from '../../firmware/src/encoding/padding.ts';
import { samePerson } from '../../firmware/src/studies/patient-identity.ts';
import { personNameMatcher } from '../../firmware/src/query/person-name.ts';

const mostlyPadding = fc.string({ unit: fc.constantFrom(' ', '\0', '^', 'A', '\n', 'é'), maxLength: 12 });

test('padding is what the regular expressions of the standard would remove', () => {
  fc.assert(
    fc.property(mostlyPadding, (text) => {
      assert.equal(withoutPadding(text), text.replace(/^ +|[ \0]+$/g, ''));
      assert.equal(withoutTrailingPadding(text), text.replace(/[ \0]+$/, ''));
      assert.equal(withoutTrailing(text, '^'), text.replace(/\^+$/, ''));
    }),
    { seed: 7, numRuns: 2_000 },
  );
});

// With a regular expression each of these takes minutes, and the time-out ends it.
const inner = 'A' + ' '.repeat(1_000_000) + 'A';
const options = { timeout: 30_000 };

test('a megabyte of spaces in the midst of a value is read in one pass', options, () => {
  const bytes = Buffer.from(inner, 'latin1');
  assert.equal(decodeAscii(bytes), inner);
  assert.equal(withoutPadding(decodeText(bytes, '')), inner);
  for (const vr of ['LO', 'UT', 'UI'])
    assert.deepEqual(withoutRests(valuesDecoding(bytes, vr, true, '')), [inner]);
});

test('a megabyte of delimiters in the midst of a name is read in one pass', options, () => {
  const name = 'A' + '^'.repeat(1_000_000) + 'B';
  const person = { name, birthDate: '', sex: '' };
  assert.equal(samePerson(person, { ...person, name: `${name}^^` }), true);
  assert.equal(personNameMatcher(name)(`${name}^`), true);
});
