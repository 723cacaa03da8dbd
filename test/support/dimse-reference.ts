/**
 * Which objects a byte stream stores, read the slow and plain way: all of it at hand, one PDU after the other, up to
 * the first violation. The fuzzer compares the streaming reader with it.
 */
import { type Command, decodeCommand } from '../../firmware/dimse/command.ts';
import { commandBytesMax, pduBytesMax } from '../../firmware/dimse/limits.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';

interface Pdv {
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly data: Uint8Array;
}

const uid = /^[0-9][0-9.]{0,63}$/;

function isStorage(sopClassUid: string): boolean {
  const standard = sopClassUid.startsWith('1.2.840.10008.');
  return uid.test(sopClassUid) && (!standard || sopClassUid.startsWith('1.2.840.10008.5.1.4.1.1.'));
}

/** The data sets of the C-STOREs on context 1 that are whole, in order. Contexts 1 and 3 are accepted. */
export function storedIn(bytes: Uint8Array): Uint8Array[] {
  const stored: Uint8Array[] = [];
  let command: Command | undefined;
  let commandPdvs: Pdv[] = [];
  let dataPdvs: Pdv[] = [];
  let onContext = 0;
  for (const pdv of pdvsOf(bytes)) {
    if (pdv.contextId !== 1 && pdv.contextId !== 3) return stored;
    if (pdv.command) {
      if (command !== undefined) return stored;
      commandPdvs.push(pdv);
      if (commandPdvs.some(({ contextId }) => contextId !== pdv.contextId)) return stored;
      const set = concatBytes(...commandPdvs.map(({ data }) => data));
      if (set.length > commandBytesMax) return stored;
      if (!pdv.last) continue;
      commandPdvs = [];
      const decoded = decodeCommand(set);
      if (decoded.kind === 'malformed') return stored;
      const { commandField, messageId, hasDataSet } = decoded.command;
      // C-CANCEL has no message id of its own; everything else must be a request with one.
      if (commandField === 0x0fff && !hasDataSet) continue;
      if ((commandField & 0x8000) !== 0 || messageId === undefined) return stored;
      if (hasDataSet) command = decoded.command;
      onContext = pdv.contextId;
    } else {
      if (command === undefined || pdv.contextId !== onContext) return stored;
      dataPdvs.push(pdv);
      if (!pdv.last) continue;
      const { commandField, affectedSopClassUid = '', affectedSopInstanceUid = '' } = command;
      if (
        commandField === 1 &&
        onContext === 1 &&
        isStorage(affectedSopClassUid) &&
        uid.test(affectedSopInstanceUid)
      )
        stored.push(concatBytes(...dataPdvs.map(({ data }) => data)));
      command = undefined;
      dataPdvs = [];
    }
  }
  return stored;
}

/** The PDVs up to the first thing that is not a PDV of a legal P-DATA-TF. */
function* pdvsOf(bytes: Uint8Array): Generator<Pdv> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let offset = 0; offset + 6 <= bytes.length;) {
    const length = view.getUint32(offset + 2);
    if (view.getUint8(offset) !== 4 || length < 6 || length > pduBytesMax) return;
    const end = offset + 6 + length;
    for (offset += 6; offset < end;) {
      // The rest of the PDU is too short for a PDV, or what was sent ends here.
      if (end - offset < 6 || offset + 6 > bytes.length) return;
      const pdvLength = view.getUint32(offset);
      const contextId = view.getUint8(offset + 4);
      const left = end - offset - 4 - pdvLength;
      if (pdvLength < 2 || left < 0 || (left > 0 && left < 6) || contextId % 2 !== 1) return;
      if (offset + 4 + pdvLength > bytes.length) return;
      const control = view.getUint8(offset + 5);
      const data = bytes.subarray(offset + 6, offset + 4 + pdvLength);
      yield { contextId, command: (control & 1) !== 0, last: (control & 2) !== 0, data };
      offset += 4 + pdvLength;
    }
  }
}
