/** Decoding of the A-ASSOCIATE PDUs (PS3.8 9.3.2, 9.3.3, annex D; PS3.7 annex D.3.3). Input is already bounded. */
import { ByteCursor, MalformedBytes } from './byte-cursor.ts';
import { presentationContextsMax, userItemsMax } from './limits.ts';
import type {
  AnsweredContext,
  AssociateAccept,
  AssociateRequest,
  ProposedContext,
  RoleSelection,
  UserIdentity,
  UserInformation,
} from './pdu.ts';
import { decodeAscii } from './text.ts';
import { uidCharactersMax } from './uids.ts';

/** Assumed of a peer that leaves the mandatory Maximum Length out: what every known implementation takes. */
const pduBytesWhenUnsaid = 16_384;

/** Whether it is one is asked where it matters; here only that nothing longer is decoded, kept or sent back. */
function decodeUid(bytes: Uint8Array): string {
  if (bytes.length > uidCharactersMax) throw new MalformedBytes(`a UID of ${bytes.length} bytes`);
  return decodeAscii(bytes);
}

function* items(cursor: ByteCursor): Generator<{ readonly type: number; readonly body: ByteCursor }> {
  while (cursor.remaining > 0) {
    const type = cursor.u8();
    cursor.u8();
    yield { type, body: new ByteCursor(cursor.sized()) };
  }
}

function decodeUserInformation(cursor: ByteCursor): UserInformation {
  let pduBytesMax = pduBytesWhenUnsaid;
  let implementationClassUid = '';
  let implementationVersionName: string | undefined;
  let asynchronousOperations: UserInformation['asynchronousOperations'];
  let userIdentity: UserIdentity | undefined;
  let userIdentityResponse: Uint8Array | undefined;
  const roles: RoleSelection[] = [];
  const extendedNegotiation: { sopClassUid: string; information: Uint8Array }[] = [];
  let count = 0;
  for (const { type, body } of items(cursor)) {
    if (++count > userItemsMax) throw new MalformedBytes(`more than ${userItemsMax} user information items`);
    switch (type) {
      case 0x51:
        pduBytesMax = body.u32();
        break;
      case 0x52:
        implementationClassUid = decodeUid(body.rest());
        break;
      case 0x53:
        asynchronousOperations = { invoked: body.u16(), performed: body.u16() };
        break;
      case 0x54:
        roles.push({ sopClassUid: decodeUid(body.sized()), scu: body.u8() === 1, scp: body.u8() === 1 });
        break;
      case 0x55:
        implementationVersionName = decodeAscii(body.rest());
        break;
      case 0x56:
        extendedNegotiation.push({ sopClassUid: decodeUid(body.sized()), information: body.rest() });
        break;
      case 0x58:
        userIdentity = {
          type: body.u8(),
          responseRequested: body.u8() === 1,
          primary: body.sized(),
          secondary: body.sized(),
        };
        break;
      case 0x59:
        userIdentityResponse = body.sized();
        break;
      default:
        // PS3.8 9.3.1: items that are not known are ignored.
        break;
    }
  }
  return {
    pduBytesMax,
    implementationClassUid,
    roles,
    extendedNegotiation,
    ...(implementationVersionName !== undefined && { implementationVersionName }),
    ...(asynchronousOperations !== undefined && { asynchronousOperations }),
    ...(userIdentity !== undefined && { userIdentity }),
    ...(userIdentityResponse !== undefined && { userIdentityResponse }),
  };
}

function decodeProposedContext(body: ByteCursor): ProposedContext {
  const id = body.u8();
  body.take(3);
  let abstractSyntax: string | undefined;
  const transferSyntaxes: string[] = [];
  for (const { type, body: syntax } of items(body)) {
    if (type === 0x30) abstractSyntax ??= decodeUid(syntax.rest());
    if (type === 0x40) transferSyntaxes.push(decodeUid(syntax.rest()));
  }
  if (abstractSyntax === undefined)
    throw new MalformedBytes(`presentation context ${id} has no abstract syntax`);
  return { id, abstractSyntax, transferSyntaxes };
}

function decodeAnsweredContext(body: ByteCursor): AnsweredContext {
  const id = body.u8();
  body.u8();
  const result = body.u8();
  body.u8();
  let transferSyntax = '';
  for (const { type, body: syntax } of items(body))
    if (type === 0x40) transferSyntax = decodeUid(syntax.rest());
  return { id, result, transferSyntax };
}

function checkContextIds(contexts: readonly { readonly id: number }[]): void {
  if (contexts.length > presentationContextsMax) throw new MalformedBytes('too many presentation contexts');
  const seen = new Set<number>();
  for (const { id } of contexts) {
    if (id % 2 !== 1 || seen.has(id))
      throw new MalformedBytes(`presentation context id ${id} is even or repeated`);
    seen.add(id);
  }
}

/** The body after the 6-byte PDU header. @throws MalformedBytes. */
export function decodeAssociateRequest(bytes: Uint8Array): AssociateRequest {
  const cursor = new ByteCursor(bytes);
  const protocolVersion = cursor.u16();
  cursor.u16();
  const addressing = cursor.take(64);
  let applicationContextName: string | undefined;
  let userInformation: UserInformation | undefined;
  const contexts: ProposedContext[] = [];
  for (const { type, body } of items(cursor)) {
    if (type === 0x10) applicationContextName = decodeUid(body.rest());
    if (type === 0x20) contexts.push(decodeProposedContext(body));
    if (type === 0x50) userInformation = decodeUserInformation(body);
  }
  if (applicationContextName === undefined) throw new MalformedBytes('no application context');
  if (userInformation === undefined) throw new MalformedBytes('no user information');
  if (contexts.length === 0) throw new MalformedBytes('no presentation context');
  checkContextIds(contexts);
  return {
    protocolVersion,
    calledAeTitle: decodeAscii(addressing.subarray(0, 16)),
    callingAeTitle: decodeAscii(addressing.subarray(16, 32)),
    addressing,
    applicationContextName,
    contexts,
    userInformation,
  };
}

/** The body after the 6-byte PDU header. @throws MalformedBytes. */
export function decodeAssociateAccept(bytes: Uint8Array): AssociateAccept {
  const cursor = new ByteCursor(bytes);
  cursor.take(68);
  let userInformation: UserInformation | undefined;
  const contexts: AnsweredContext[] = [];
  for (const { type, body } of items(cursor)) {
    if (type === 0x21) contexts.push(decodeAnsweredContext(body));
    if (type === 0x50) userInformation = decodeUserInformation(body);
  }
  if (userInformation === undefined) throw new MalformedBytes('no user information');
  checkContextIds(contexts);
  return { contexts, userInformation };
}
