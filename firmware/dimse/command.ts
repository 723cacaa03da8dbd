/**
 * Command sets: Implicit VR Little Endian, group 0000 (PS3.7 6.3.1, elements of annex E). Our own small codec, since
 * a command set needs no dictionary of data elements and its input comes straight from the network.
 */
import { asciiCode, decodeAscii } from './text.ts';

/** Command Field (0000,0100), PS3.7 E.1. A response is its request with the highest bit set. */
export const commandField = {
  storeRequest: 0x0001,
  storeResponse: 0x8001,
  getRequest: 0x0010,
  findRequest: 0x0020,
  moveRequest: 0x0021,
  echoRequest: 0x0030,
  echoResponse: 0x8030,
  eventReportRequest: 0x0100,
  getAttributesRequest: 0x0110,
  setRequest: 0x0120,
  actionRequest: 0x0130,
  createRequest: 0x0140,
  deleteRequest: 0x0150,
  cancelRequest: 0x0fff,
} as const;

/** The bit of a Command Field that marks a response. */
export const responseBit = 0x8000;

/** Command Data Set Type (0000,0800): this value means that no data set follows; any other that one does. */
export const noDataSet = 0x0101;
const withDataSet = 0x0001;

/** The elements that this room uses, by name. Others in group 0000 are skipped when read, lists of tags among them. */
export interface Command {
  readonly commandField: number;
  readonly hasDataSet: boolean;
  readonly affectedSopClassUid?: string;
  readonly requestedSopClassUid?: string;
  readonly messageId?: number;
  readonly messageIdBeingRespondedTo?: number;
  readonly priority?: number;
  readonly status?: number;
  readonly errorComment?: string;
  readonly affectedSopInstanceUid?: string;
  readonly requestedSopInstanceUid?: string;
  readonly moveOriginatorAeTitle?: string;
  readonly moveOriginatorMessageId?: number;
  readonly moveDestination?: string;
  readonly errorId?: number;
  readonly eventTypeId?: number;
  readonly actionTypeId?: number;
  readonly remainingSubOperations?: number;
  readonly completedSubOperations?: number;
  readonly failedSubOperations?: number;
  readonly warningSubOperations?: number;
}

type Field = Exclude<keyof Command, 'hasDataSet'>;

/** Of PS3.7 table E.1-1, in ascending order as they are sent. */
const dictionary: readonly {
  readonly element: number;
  readonly vr: 'AE' | 'LO' | 'UI' | 'US';
  readonly field: Field;
}[] = [
  { element: 0x0002, vr: 'UI', field: 'affectedSopClassUid' },
  { element: 0x0003, vr: 'UI', field: 'requestedSopClassUid' },
  { element: 0x0100, vr: 'US', field: 'commandField' },
  { element: 0x0110, vr: 'US', field: 'messageId' },
  { element: 0x0120, vr: 'US', field: 'messageIdBeingRespondedTo' },
  { element: 0x0600, vr: 'AE', field: 'moveDestination' },
  { element: 0x0700, vr: 'US', field: 'priority' },
  { element: 0x0900, vr: 'US', field: 'status' },
  { element: 0x0902, vr: 'LO', field: 'errorComment' },
  { element: 0x0903, vr: 'US', field: 'errorId' },
  { element: 0x1000, vr: 'UI', field: 'affectedSopInstanceUid' },
  { element: 0x1001, vr: 'UI', field: 'requestedSopInstanceUid' },
  { element: 0x1002, vr: 'US', field: 'eventTypeId' },
  { element: 0x1008, vr: 'US', field: 'actionTypeId' },
  { element: 0x1020, vr: 'US', field: 'remainingSubOperations' },
  { element: 0x1021, vr: 'US', field: 'completedSubOperations' },
  { element: 0x1022, vr: 'US', field: 'failedSubOperations' },
  { element: 0x1023, vr: 'US', field: 'warningSubOperations' },
  { element: 0x1030, vr: 'AE', field: 'moveOriginatorAeTitle' },
  { element: 0x1031, vr: 'US', field: 'moveOriginatorMessageId' },
];
const commandDataSetType = 0x0800;

/** With Command Data Set Type, which has no field of its own. */
const elementsInOrder: readonly { readonly element: number; readonly vr: string; readonly field?: Field }[] =
  [...dictionary, { element: commandDataSetType, vr: 'US' }].toSorted((a, b) => a.element - b.element);

const byElement = new Map(dictionary.map((entry) => [entry.element, entry]));

export type DecodedCommand =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'malformed'; readonly reason: string };

const malformed = (reason: string): DecodedCommand => ({ kind: 'malformed', reason });

export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields: Partial<Record<Field, string | number>> = {};
  let dataSetType: number | undefined;
  let previous = -1;
  for (let offset = 0; offset < bytes.length;) {
    if (bytes.length - offset < 8) return malformed('the command set ends within an element');
    const group = view.getUint16(offset, true);
    const element = view.getUint16(offset + 2, true);
    const length = view.getUint32(offset + 4, true);
    offset += 8;
    if (group !== 0x0000) return malformed('an element of the command set is not of group 0000');
    if (element <= previous) return malformed('the elements of the command set are not in order');
    previous = element;
    if (length > bytes.length - offset) return malformed('an element reaches beyond the command set');
    const entry = byElement.get(element);
    if (entry?.vr === 'US' || element === commandDataSetType) {
      if (length !== 2) return malformed(`(0000,${element.toString(16).padStart(4, '0')}) is not one number`);
      const value = view.getUint16(offset, true);
      if (entry === undefined) dataSetType = value;
      else fields[entry.field] = value;
    } else if (entry !== undefined) {
      fields[entry.field] = decodeAscii(bytes.subarray(offset, offset + length));
    }
    offset += length;
  }
  if (fields.commandField === undefined) return malformed('the command set has no Command Field');
  if (dataSetType === undefined) return malformed('the command set has no Command Data Set Type');
  // The dictionary gives each field its type.
  return { kind: 'command', command: { ...fields, hasDataSet: dataSetType !== noDataSet } as Command };
}

const dataSetTypeOf = ({ hasDataSet }: Command): number => (hasDataSet ? withDataSet : noDataSet);

const evenLength = (length: number): number => length + (length % 2);

/** Of the value as it is encoded, padding included. */
function valueBytes(value: number | string): number {
  return typeof value === 'number' ? 2 : evenLength(value.length);
}

/** Writes at `offset`. Even length: UIDs are padded with a NUL, text with a space (PS3.5 6.2). */
function writeValue(view: DataView, offset: number, value: number | string, vr: string): void {
  if (typeof value === 'number') {
    view.setUint16(offset, value, true);
  } else {
    for (let i = 0; i < value.length; i++) view.setUint8(offset + i, asciiCode(value, i));
    if (value.length % 2 === 1) view.setUint8(offset + value.length, vr === 'UI' ? 0 : 0x20);
  }
}

const elementHeaderBytes = 8;
const groupLengthBytes = elementHeaderBytes + 4;

const valueOf = (command: Command, field: Field | undefined): number | string | undefined =>
  field === undefined ? dataSetTypeOf(command) : command[field];

/** Into one buffer, without anything between: each C-STORE is answered with one. */
export function encodeCommand(command: Command): Uint8Array {
  let length = groupLengthBytes;
  for (const { field } of elementsInOrder) {
    const value = valueOf(command, field);
    if (value !== undefined) length += elementHeaderBytes + valueBytes(value);
  }
  const view = new DataView(new ArrayBuffer(length));
  // (0000,0000): the bytes of the group behind it.
  view.setUint32(4, 4, true);
  view.setUint32(elementHeaderBytes, length - groupLengthBytes, true);
  let offset = groupLengthBytes;
  for (const { element, vr, field } of elementsInOrder) {
    const value = valueOf(command, field);
    if (value === undefined) continue;
    const bytes = valueBytes(value);
    view.setUint16(offset + 2, element, true);
    view.setUint32(offset + 4, bytes, true);
    writeValue(view, offset + elementHeaderBytes, value, vr);
    offset += elementHeaderBytes + bytes;
  }
  return new Uint8Array(view.buffer);
}
