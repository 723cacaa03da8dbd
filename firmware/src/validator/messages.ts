/** What boxes tell each other about consensus (docs/formats.md, "Messages between boxes"). Canonical CBOR, strict. */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import type { Standing } from '../consensus/help.ts';
import { justificationCertificatesMax } from '../consensus/limits.ts';
import { certificateFromCbor, certificateToCbor, voteFromCbor, voteToCbor } from '../consensus/signatures.ts';
import type { Certificate, Vote } from '../consensus/types.ts';
import type { HandoverSignature } from './handovers.ts';
import { messageBytesMax, messageItemsMax } from './limits.ts';
import { bytesIn, counterIn, listIn, mapWith, typeOf } from './shapes.ts';

export type Message =
  | {
      readonly type: 'proposal';
      /** The encoded block. */
      readonly block: Uint8Array;
      /** The leader's notarize vote for it. */
      readonly vote: Vote;
      readonly justification: readonly Certificate[];
    }
  | { readonly type: 'vote'; readonly vote: Vote }
  | { readonly type: 'certificate'; readonly certificate: Certificate }
  | { readonly type: 'transaction'; readonly transaction: Uint8Array }
  /** The sender's identity key signs the end of an epoch. */
  | { readonly type: 'handover'; readonly signature: HandoverSignature }
  /** The encoded restart order that the sender has taken. */
  | { readonly type: 'restart'; readonly order: Uint8Array }
  /** Where the sender stands, so that others can help it or ask it for help. */
  | { readonly type: 'standing'; readonly standing: Standing; readonly height: number };

export type DecodedMessage =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'refused'; readonly reason: string };

export function encodeMessage(message: Message): Uint8Array {
  return encodeCanonical(toCbor(message));
}

function toCbor(message: Message): CborValue {
  switch (message.type) {
    case 'proposal': {
      const { type, block, vote, justification } = message;
      return { type, block, vote: voteToCbor(vote), justification: justification.map(certificateToCbor) };
    }
    case 'vote':
      return { type: message.type, vote: voteToCbor(message.vote) };
    case 'certificate':
      return { type: message.type, certificate: certificateToCbor(message.certificate) };
    case 'transaction':
      return { type: message.type, transaction: message.transaction };
    case 'handover':
      return { type: message.type, ...message.signature };
    case 'restart':
      return { type: message.type, order: message.order };
    case 'standing': {
      const { type, standing, height } = message;
      return { type, ...standing, height };
    }
  }
}

/** Bytes of a peer: anything but the canonical form of a message is refused. Signatures are not checked here. */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  if (bytes.length > messageBytesMax) return { kind: 'refused', reason: 'too long' };
  try {
    return { kind: 'message', message: fromCbor(decodeCanonical(bytes, messageItemsMax)) };
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'refused', reason: error.message };
    throw error;
  }
}

function fromCbor(value: CborValue): Message {
  const type = typeOf(value);
  switch (type) {
    case 'proposal': {
      const map = mapWith(value, ['type', 'block', 'vote', 'justification']);
      return {
        type,
        block: bytesIn(map['block']),
        vote: voteFromCbor(map['vote'] ?? null),
        justification: listIn(map['justification'], justificationCertificatesMax).map(certificateFromCbor),
      };
    }
    case 'vote':
      return { type, vote: voteFromCbor(mapWith(value, ['type', 'vote'])['vote'] ?? null) };
    case 'certificate': {
      const map = mapWith(value, ['type', 'certificate']);
      return { type, certificate: certificateFromCbor(map['certificate'] ?? null) };
    }
    case 'transaction':
      return { type, transaction: bytesIn(mapWith(value, ['type', 'transaction'])['transaction']) };
    case 'handover': {
      const map = mapWith(value, ['type', 'epoch', 'validator', 'signature']);
      const signature = bytesIn(map['signature']);
      if (signature.length !== 64) throw new RangeError('not 64 bytes');
      const epoch = counterIn(map['epoch']);
      return { type, signature: { epoch, validator: counterIn(map['validator']), signature } };
    }
    case 'restart':
      return { type, order: bytesIn(mapWith(value, ['type', 'order'])['order']) };
    case 'standing': {
      const map = mapWith(value, ['type', 'epoch', 'finalView', 'from', 'height']);
      const standing = {
        epoch: counterIn(map['epoch']),
        finalView: counterIn(map['finalView']),
        from: counterIn(map['from']),
      };
      return { type, standing, height: counterIn(map['height']) };
    }
    default:
      throw new RangeError('unknown type of message');
  }
}
