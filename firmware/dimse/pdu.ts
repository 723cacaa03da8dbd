/** The seven PDUs of the upper layer (PS3.8 9.3) as values, and their encoding. P-DATA-TF is framed in message-writer.ts. */
import { concatBytes, u16, u32, u8 } from '../src/encoding/bytes.ts';
import { encodeAeTitle, encodeAscii } from './text.ts';

export const pduType = {
  associateRequest: 0x01,
  associateAccept: 0x02,
  associateReject: 0x03,
  data: 0x04,
  releaseRequest: 0x05,
  releaseResponse: 0x06,
  abort: 0x07,
} as const;

export interface ProposedContext {
  /** Odd, 1 to 255. */
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

/** Result of one presentation context (PS3.8 table 9-18). */
export const contextResult = {
  acceptance: 0,
  userRejection: 1,
  noReason: 2,
  abstractSyntaxNotSupported: 3,
  transferSyntaxesNotSupported: 4,
} as const;

export type ContextResult = (typeof contextResult)[keyof typeof contextResult];

export interface AnsweredContext {
  readonly id: number;
  readonly result: number;
  /** Significant only if the result is acceptance. */
  readonly transferSyntax: string;
}

/** SCP/SCU Role Selection (PS3.7 D.3.3.4): the roles of the association's requestor. */
export interface RoleSelection {
  readonly sopClassUid: string;
  readonly scu: boolean;
  readonly scp: boolean;
}

/** User Identity (PS3.7 D.3.3.7): type 1 name, 2 name and passcode, 3 Kerberos, 4 SAML, 5 JWT; carried as bytes. */
export interface UserIdentity {
  readonly type: number;
  readonly responseRequested: boolean;
  readonly primary: Uint8Array;
  readonly secondary: Uint8Array;
}

export interface UserInformation {
  /** Bytes; 0 is without limit (PS3.8 D.1). */
  readonly pduBytesMax: number;
  readonly implementationClassUid: string;
  readonly implementationVersionName?: string;
  /** Asynchronous Operations Window (PS3.7 D.3.3.3); 0 is without limit. */
  readonly asynchronousOperations?: { readonly invoked: number; readonly performed: number };
  readonly roles: readonly RoleSelection[];
  /** SOP Class Extended Negotiation (PS3.7 D.3.3.5), the service's bytes as they came. */
  readonly extendedNegotiation: readonly { readonly sopClassUid: string; readonly information: Uint8Array }[];
  readonly userIdentity?: UserIdentity;
  /** Only in an A-ASSOCIATE-AC: the acceptor took the identity (PS3.7 D.3.3.7.2); empty for types 1 and 2. */
  readonly userIdentityResponse?: Uint8Array;
}

export interface AssociateRequest {
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  /** The 64 bytes of titles and reserved field, which an A-ASSOCIATE-AC sends back as they came. */
  readonly addressing: Uint8Array;
  readonly applicationContextName: string;
  readonly contexts: readonly ProposedContext[];
  readonly userInformation: UserInformation;
}

export interface AssociateAccept {
  readonly contexts: readonly AnsweredContext[];
  readonly userInformation: UserInformation;
}

/** PS3.8 table 9-21. `result` 1 permanent, 2 transient; `source` 1 user, 2 ACSE, 3 presentation. */
export interface AssociateReject {
  readonly result: number;
  readonly source: number;
  readonly reason: number;
}

export const reject = {
  noReason: { result: 1, source: 1, reason: 1 },
  applicationContext: { result: 1, source: 1, reason: 2 },
  callingAeTitle: { result: 1, source: 1, reason: 3 },
  calledAeTitle: { result: 1, source: 1, reason: 7 },
  protocolVersion: { result: 1, source: 2, reason: 2 },
  temporaryCongestion: { result: 2, source: 3, reason: 1 },
  localLimit: { result: 2, source: 3, reason: 2 },
} as const satisfies Record<string, AssociateReject>;

/** PS3.8 table 9-26. `source` 0 service user (reason is 0 then), 2 service provider. */
export interface Abort {
  readonly source: number;
  readonly reason: number;
}

export const abortReason = {
  notSpecified: 0,
  unrecognizedPdu: 1,
  unexpectedPdu: 2,
  unrecognizedParameter: 4,
  unexpectedParameter: 5,
  invalidParameter: 6,
} as const;

function pdu(type: number, body: Uint8Array): Uint8Array {
  return concatBytes(u8(type), u8(0), u32(body.length), body);
}

function item(type: number, body: Uint8Array): Uint8Array {
  return concatBytes(u8(type), u8(0), u16(body.length), body);
}

const sized = (body: Uint8Array): Uint8Array => concatBytes(u16(body.length), body);

function encodeUserInformation(user: UserInformation): Uint8Array {
  const items = [item(0x51, u32(user.pduBytesMax)), item(0x52, encodeAscii(user.implementationClassUid))];
  if (user.asynchronousOperations !== undefined) {
    const { invoked, performed } = user.asynchronousOperations;
    items.push(item(0x53, concatBytes(u16(invoked), u16(performed))));
  }
  for (const role of user.roles) {
    const uid = encodeAscii(role.sopClassUid);
    items.push(item(0x54, concatBytes(sized(uid), u8(Number(role.scu)), u8(Number(role.scp)))));
  }
  if (user.implementationVersionName !== undefined)
    items.push(item(0x55, encodeAscii(user.implementationVersionName)));
  for (const { sopClassUid, information } of user.extendedNegotiation) {
    items.push(item(0x56, concatBytes(sized(encodeAscii(sopClassUid)), information)));
  }
  if (user.userIdentity !== undefined) {
    const { type, responseRequested, primary, secondary } = user.userIdentity;
    items.push(
      item(0x58, concatBytes(u8(type), u8(Number(responseRequested)), sized(primary), sized(secondary))),
    );
  }
  if (user.userIdentityResponse !== undefined) items.push(item(0x59, sized(user.userIdentityResponse)));
  return item(0x50, concatBytes(...items));
}

/** The titles and reserved field of a request (PS3.8 9.3.2). @throws RangeError for a title that is none. */
export function encodeAddressing(calledAeTitle: string, callingAeTitle: string): Uint8Array {
  return concatBytes(encodeAeTitle(calledAeTitle), encodeAeTitle(callingAeTitle), new Uint8Array(32));
}

export function encodeAssociateRequest(request: AssociateRequest): Uint8Array {
  const contexts = request.contexts.map((context) =>
    item(
      0x20,
      concatBytes(
        Uint8Array.of(context.id, 0, 0, 0),
        item(0x30, encodeAscii(context.abstractSyntax)),
        ...context.transferSyntaxes.map((uid) => item(0x40, encodeAscii(uid))),
      ),
    ),
  );
  return pdu(
    pduType.associateRequest,
    concatBytes(
      u16(request.protocolVersion),
      u16(0),
      request.addressing,
      item(0x10, encodeAscii(request.applicationContextName)),
      ...contexts,
      encodeUserInformation(request.userInformation),
    ),
  );
}

/** `addressing` is the request's (PS3.8 table 9-17: sent with the value received). */
export function encodeAssociateAccept(
  accept: AssociateAccept,
  addressing: Uint8Array,
  applicationContext: string,
): Uint8Array {
  const contexts = accept.contexts.map((context) =>
    item(
      0x21,
      concatBytes(
        Uint8Array.of(context.id, 0, context.result, 0),
        item(0x40, encodeAscii(context.transferSyntax)),
      ),
    ),
  );
  return pdu(
    pduType.associateAccept,
    concatBytes(
      u16(1),
      u16(0),
      addressing,
      item(0x10, encodeAscii(applicationContext)),
      ...contexts,
      encodeUserInformation(accept.userInformation),
    ),
  );
}

export function encodeAssociateReject({ result, source, reason }: AssociateReject): Uint8Array {
  return pdu(pduType.associateReject, Uint8Array.of(0, result, source, reason));
}

export function encodeReleaseRequest(): Uint8Array {
  return pdu(pduType.releaseRequest, new Uint8Array(4));
}

export function encodeReleaseResponse(): Uint8Array {
  return pdu(pduType.releaseResponse, new Uint8Array(4));
}

export function encodeAbort({ source, reason }: Abort): Uint8Array {
  return pdu(pduType.abort, Uint8Array.of(0, 0, source, reason));
}
