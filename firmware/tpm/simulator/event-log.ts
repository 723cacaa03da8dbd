/**
 * Event log in the crypto-agile format: TCG PC Client Platform Firmware Profile 1.05, sections 9.2.1, 9.2.2 and
 * 9.4.5.1. Little-endian, unlike everything else of a TPM.
 */
import { concatBytes, utf8 } from '../../src/encoding/bytes.ts';
import { algorithm, digestBytes } from '../wire/constants.ts';

/** Section 9.4.1. */
export const eventType = {
  noAction: 0x0000_0003,
  initialProgramLoader: 0x0000_000d,
  efiAction: 0x8000_0007,
} as const;

/** One measurement. */
export interface BootEvent {
  readonly register: number;
  readonly type: number;
  /** SHA-256, with which the register was extended. */
  readonly digest: Uint8Array;
  /** What was measured, or a name for it. */
  readonly data: Uint8Array;
}

function u16LittleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, true);
  return bytes;
}

function u32LittleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** TCG_EfiSpecIdEvent for one SHA-256 bank. */
const specification = concatBytes(
  utf8('Spec ID Event03\0'),
  u32LittleEndian(0), // platformClass: client
  Uint8Array.of(0, 2, 0), // specVersionMinor, specVersionMajor, specErrata
  Uint8Array.of(2), // uintnSize: 64 bits
  u32LittleEndian(1), // numberOfAlgorithms
  u16LittleEndian(algorithm.sha256),
  u16LittleEndian(digestBytes),
  Uint8Array.of(0), // vendorInfoSize
);

const sha1Bytes = 20;

/** The first event has the old format, TCG_PCR_EVENT, so that any reader can tell the version. */
function specificationEvent(): Uint8Array {
  return concatBytes(
    u32LittleEndian(0),
    u32LittleEndian(eventType.noAction),
    new Uint8Array(sha1Bytes),
    u32LittleEndian(specification.length),
    specification,
  );
}

/** TCG_PCR_EVENT2. */
function pcrEvent({ register, type, digest, data }: BootEvent): Uint8Array {
  return concatBytes(
    u32LittleEndian(register),
    u32LittleEndian(type),
    u32LittleEndian(1), // digests
    u16LittleEndian(algorithm.sha256),
    digest,
    u32LittleEndian(data.length),
    data,
  );
}

export function encodeEventLog(events: readonly BootEvent[]): Uint8Array {
  return concatBytes(specificationEvent(), ...events.map(pcrEvent));
}
