/**
 * The file that says what a firmware will be measured as: lines `register:bank=digest` as systemd-measure(1) prints them,
 * so that what the image's build calculates is taken as it is.
 */
import { fromHex, toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { measuredFileCharactersMax } from './limits.ts';

/** Values of the SHA-256 bank, 32 bytes each. */
export interface MeasuredFirmware {
  /** PCR 7; undefined where the file does not say: the boot authority stays the one that there is. */
  readonly authority: Uint8Array | undefined;
  /** PCR 11. */
  readonly firmware: Uint8Array;
}

const linePattern = /^([0-9]+):([a-z0-9_-]+)=([0-9a-f]+)$/;
const sha256Pattern = /^[0-9a-f]{64}$/;

/** The one value of the register; undefined if the file names none. @throws AppError FIRMWARE_REFUSED if it names several. */
function valueOf(
  digests: ReadonlyMap<string, ReadonlySet<string>>,
  register: number,
): Uint8Array | undefined {
  const [digest, ...others] = digests.get(`${register}:sha256`) ?? [];
  if (digest === undefined) return undefined;
  // systemd-measure prints one for each phase of the boot: which one counts, the file has to say.
  if (others.length > 0) throw refused(`it has ${others.length + 1} values of PCR ${register}`);
  if (!sha256Pattern.test(digest)) throw refused(`its value of PCR ${register} has not 64 digits`);
  return fromHex(digest);
}

/** Empty lines, comments (#) and other banks are passed over. @throws AppError FIRMWARE_REFUSED. */
export function parseMeasuredFirmware(text: string): MeasuredFirmware {
  if (text.length > measuredFileCharactersMax) throw refused('it is too long');
  const digests = new Map<string, Set<string>>();
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, register, bank, digest] = linePattern.exec(line) ?? [];
    if (register === undefined || bank === undefined || digest === undefined)
      throw refused(`it has a line that is no register: ${JSON.stringify(line.slice(0, 80))}`);
    const name = `${Number(register)}:${bank}`;
    digests.set(name, (digests.get(name) ?? new Set()).add(digest));
  }
  const firmware = valueOf(digests, 11);
  if (firmware === undefined) throw refused('it has no line 11:sha256=…');
  return { authority: valueOf(digests, 7), firmware };
}

/** @param values of `registers`, in their order. */
export function formatMeasuredFirmware(registers: readonly number[], values: readonly Uint8Array[]): string {
  return values.map((value, index) => `${registers[index]}:sha256=${toHex(value)}\n`).join('');
}

function refused(what: string): AppError {
  return new AppError('FIRMWARE_REFUSED', `This is no file of what a firmware is measured as: ${what}.`);
}
