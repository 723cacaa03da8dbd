/** The file that says as what a firmware is measured: as systemd-measure prints it, and nothing that could be meant otherwise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMeasuredFirmware, parseMeasuredFirmware } from '../../firmware/src/box/measured-firmware.ts';
import { measuredFileCharactersMax } from '../../firmware/src/box/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';

const digest = 'ab'.repeat(32);
const value = new Uint8Array(32).fill(0xab);

/** What systemd-measure calculate prints for one phase of the boot. */
const printed = `# PCR[11] Phase <enter-initrd:leave-initrd:sysinit:ready>
11:sha1=${'1'.repeat(40)}
11:sha256=${digest}
11:sha384=${'3'.repeat(96)}
`;

test('what systemd-measure prints is taken; without a line of it the boot authority stays what it is', () => {
  assert.deepEqual(parseMeasuredFirmware(printed), { authority: undefined, firmware: value });
  const other = `7:sha256=${'07'.repeat(32)}\r\n\r\n`;
  assert.deepEqual(parseMeasuredFirmware(other + printed), {
    authority: new Uint8Array(32).fill(7),
    firmware: value,
  });
});

for (const [what, text, words] of [
  ['no value of PCR 11', `7:sha256=${digest}`, /no line 11:sha256/],
  ['nothing', '', /no line 11:sha256/],
  ['a value for each of several phases', `${printed}11:sha256=${'cd'.repeat(32)}`, /2 values of PCR 11/],
  ['the same register by another spelling', `${printed}011:sha256=${'cd'.repeat(32)}`, /2 values of PCR 11/],
  ['a digest that is cut off', `11:sha256=${digest.slice(2)}`, /not 64 digits/],
  ['a line of something else', `${printed}hello`, /no register: "hello"/],
  ['more than anybody measures', '#'.repeat(measuredFileCharactersMax + 1), /too long/],
] as const)
  test(`a file is refused that has ${what}`, () => {
    assert.throws(
      () => parseMeasuredFirmware(text),
      (error) => error instanceof AppError && error.code === 'FIRMWARE_REFUSED' && words.test(error.message),
    );
  });

test('what is written is read back, and any text is read or refused', () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(bytes, bytes, (authority, firmware) => {
      const text = formatMeasuredFirmware([7, 11], [authority, firmware]);
      assert.deepEqual(parseMeasuredFirmware(text), { authority, firmware });
    }),
    { seed: 40, numRuns: 50 },
  );
  const line = fc.constantFrom('7:', '11:', 'sha256=', digest, '\n', '#', '=', '0');
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (parts) => {
      try {
        assert.equal(parseMeasuredFirmware(parts.join('')).firmware.length, 32);
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === 'FIRMWARE_REFUSED', String(error));
      }
    }),
    { seed: 40, numRuns: 300 },
  );
});
