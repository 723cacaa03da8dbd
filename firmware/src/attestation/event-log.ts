/**
 * Reads and replays an event log in the crypto-agile format: TCG PC Client Platform Firmware Profile 1.05, sections
 * 9.2.1, 9.2.2 and 9.4.5.1. Little-endian, unlike everything else of a TPM.
 */
import { concatBytes, equalBytes, utf8 } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { algorithm, digestBytes } from '../../tpm/wire/constants.ts';
import { eventLogBytesMax } from '../../tpm/wire/limits.ts';
import { banksMax, eventsMax } from './limits.ts';

/** One measurement, in the SHA-256 bank. */
export interface LoggedEvent {
  readonly register: number;
  readonly type: number;
  /** With which the register was extended. */
  readonly digest: Uint8Array;
  /** What was measured, or a name for it. */
  readonly data: Uint8Array;
}

/** Section 9.4.1: told, not measured. */
const noAction = 0x0000_0003;
const signature = utf8('Spec ID Event03\0');
const sha1Bytes = 20;
const registersCount = 24;

/** Reads little-endian, and never past its end. */
class LogReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get ended(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  bytes(length: number): Uint8Array {
    const from = this.#advance(length);
    return this.#bytes.subarray(from, from + length);
  }

  #advance(length: number): number {
    if (length > this.#bytes.length - this.#offset) throw new RangeError('the event log ends too early');
    const from = this.#offset;
    this.#offset += length;
    return from;
  }
}

/** TCG_EfiSpecIdEvent: bytes of a digest by algorithm. */
function readSpecification(data: Uint8Array): ReadonlyMap<number, number> {
  const reader = new LogReader(data);
  if (!equalBytes(reader.bytes(signature.length), signature))
    throw new RangeError('the event log has another format');
  reader.bytes(4 + 3 + 1); // platformClass, version, uintnSize
  const count = reader.u32();
  if (count > banksMax) throw new RangeError('the event log has too many banks');
  const sizes = new Map<number, number>();
  for (let left = count; left > 0; left--) sizes.set(reader.u16(), reader.u16());
  reader.bytes(reader.u8()); // vendorInfo
  if (!reader.ended) throw new RangeError('the head of the event log is too long');
  if (sizes.get(algorithm.sha256) !== digestBytes) throw new RangeError('the event log has no SHA-256 bank');
  return sizes;
}

/** The first event, in the old format TCG_PCR_EVENT. */
function readHead(reader: LogReader): ReadonlyMap<number, number> {
  const register = reader.u32();
  const type = reader.u32();
  reader.bytes(sha1Bytes);
  if (register !== 0 || type !== noAction) throw new RangeError('the event log has no head');
  return readSpecification(reader.bytes(reader.u32()));
}

/** TCG_PCR_EVENT2. */
function readEvent(reader: LogReader, sizes: ReadonlyMap<number, number>): LoggedEvent {
  const register = reader.u32();
  const type = reader.u32();
  const count = reader.u32();
  if (count !== sizes.size) throw new RangeError('an event has not one digest for each bank');
  let digest: Uint8Array | undefined;
  for (let left = count; left > 0; left--) {
    const bank = reader.u16();
    const length = sizes.get(bank);
    if (length === undefined) throw new RangeError('an event has a digest of an unknown bank');
    const value = reader.bytes(length);
    if (bank === algorithm.sha256) digest = value;
  }
  if (digest === undefined) throw new RangeError('an event has no SHA-256 digest');
  if (register >= registersCount) throw new RangeError('an event names a register that no TPM has');
  return { register, type, digest, data: reader.bytes(reader.u32()) };
}

/** @throws RangeError if the bytes are no event log, or one of more than `eventsMax` events. */
export function readEventLog(log: Uint8Array): readonly LoggedEvent[] {
  if (log.length > eventLogBytesMax) throw new RangeError('the event log is too long');
  const reader = new LogReader(log);
  const sizes = readHead(reader);
  const events: LoggedEvent[] = [];
  while (!reader.ended) {
    if (events.length === eventsMax) throw new RangeError('the event log has too many events');
    events.push(readEvent(reader, sizes));
  }
  return events;
}

/**
 * What a register holds after these events, from its reset on (TPM 2.0 part 3, 22.2). Registers 17 to 22, which begin
 * otherwise, and register 0 under a locality of its own (9.4.5.3) are none that Hilum asks for.
 */
export function replay(events: readonly LoggedEvent[], register: number): Uint8Array {
  let value: Uint8Array = new Uint8Array(digestBytes);
  for (const event of events) {
    if (event.register === register && event.type !== noAction)
      value = sha256(concatBytes(value, event.digest));
  }
  return value;
}
