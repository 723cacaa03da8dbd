/** What an acceptor answers to a request (PS3.7 D.3, PS3.8 9.3.3), as values: no sockets here. */
import type { Permission } from '../src/access/permissions.ts';
import { pduBytesMax } from './limits.ts';
import {
  type AnsweredContext,
  type AssociateAccept,
  type AssociateRequest,
  contextResult,
  type ProposedContext,
} from './pdu.ts';
import type { DimseService } from './service.ts';
import {
  deflatedExplicitVrLittleEndian,
  explicitVrBigEndian,
  explicitVrLittleEndian,
  implementationClassUid,
  implementationVersionName,
  implicitVrLittleEndian,
  isStorageSopClass,
  isUid,
  verificationSopClass,
} from './uids.ts';

/** A presentation context that was accepted. */
export interface AcceptedContext {
  readonly abstractSyntax: string;
  readonly transferSyntax: string;
  /** The peer may send requests of the SCU of it. */
  readonly peerIsScu: boolean;
  /** The peer takes C-STORE on it, as sub-operations of its C-GET. */
  readonly peerIsScp: boolean;
}

/** By context id. */
export type AcceptedContexts = ReadonlyMap<number, AcceptedContext>;

/** What decides on the contexts of one request. */
export interface NegotiationPolicy {
  readonly services: readonly DimseService[];
  /** What the caller is permitted to do. */
  readonly may: ReadonlySet<Permission>;
  /** PS3.7 D.3.3.7.2, if the identity was verified. */
  readonly userIdentityResponse?: Uint8Array;
}

export interface Negotiated {
  readonly accept: AssociateAccept;
  readonly contexts: AcceptedContexts;
  /** What was answered to SOP Class Extended Negotiation, by SOP class. */
  readonly extendedNegotiation: ReadonlyMap<string, Uint8Array>;
}

/** Roles of the association's requestor (PS3.7 D.3.3.4). */
interface Roles {
  readonly scu: boolean;
  readonly scp: boolean;
}

/** Without role selection the requestor is the SCU. */
const unsaidRoles: Roles = { scu: true, scp: false };

/** What small data sets are decoded from. */
const decodedSyntaxes: ReadonlySet<string> = new Set([
  implicitVrLittleEndian,
  explicitVrLittleEndian,
  explicitVrBigEndian,
  deflatedExplicitVrLittleEndian,
]);

/**
 * Accepted are Verification, every storage SOP class, standard or private, and those of the services, as far as the
 * caller is permitted. The transfer syntax is the first that is offered: of objects whichever it is, since they are
 * kept as they are.
 */
export function negotiate(request: AssociateRequest, policy: NegotiationPolicy): Negotiated {
  const { userInformation } = request;
  const contexts = new Map<number, AcceptedContext>();
  const proposedUids = new Set(request.contexts.map(({ abstractSyntax }) => abstractSyntax));
  // A role for what is not proposed selects nothing, and is not answered: the answer is bounded by the contexts.
  const proposedRoles = new Map(
    userInformation.roles
      .filter(({ sopClassUid }) => proposedUids.has(sopClassUid) && isUid(sopClassUid))
      .map((role) => [role.sopClassUid, role]),
  );
  const answers = request.contexts.map((proposed): AnsweredContext => {
    const { id, abstractSyntax } = proposed;
    const roles = grantedRoles(abstractSyntax, proposedRoles.get(abstractSyntax) ?? unsaidRoles, policy);
    const transferSyntax = proposed.transferSyntaxes.find((uid) =>
      isStorageSopClass(abstractSyntax) ? isUid(uid) : decodedSyntaxes.has(uid),
    );
    const result = judge(proposed, roles, transferSyntax, policy);
    if (result === contextResult.acceptance && transferSyntax !== undefined)
      contexts.set(id, { abstractSyntax, transferSyntax, peerIsScu: roles.scu, peerIsScp: roles.scp });
    return { id, result, transferSyntax: transferSyntax ?? proposed.transferSyntaxes[0] ?? '' };
  });
  const extendedNegotiation = answerExtendedNegotiation(request, contexts, policy);
  const { asynchronousOperations, userIdentity } = userInformation;
  const identityResponse = userIdentity?.responseRequested === true ? policy.userIdentityResponse : undefined;
  return {
    accept: {
      contexts: answers,
      userInformation: {
        pduBytesMax,
        implementationClassUid,
        implementationVersionName,
        // One operation at a time is all that is done; unasked, that is the default (PS3.7 D.3.3.3).
        ...(asynchronousOperations !== undefined && { asynchronousOperations: { invoked: 1, performed: 1 } }),
        roles: [...proposedRoles.values()].map((role) => ({
          sopClassUid: role.sopClassUid,
          ...grantedRoles(role.sopClassUid, role, policy),
        })),
        extendedNegotiation: [...extendedNegotiation].map(([sopClassUid, information]) => ({
          sopClassUid,
          information,
        })),
        ...(identityResponse !== undefined && { userIdentityResponse: identityResponse }),
      },
    },
    contexts,
    extendedNegotiation,
  };
}

/** The service that performs an operation of this SOP class, asked for by a peer in this role. */
export function serviceFor(
  services: readonly DimseService[],
  sopClassUid: string,
  role: 'scu' | 'scp',
): DimseService | undefined {
  return services.find(
    (service) =>
      (service.requestorRole === role || service.requestorRole === 'either') &&
      service.sopClasses.includes(sopClassUid),
  );
}

function grantedRoles(sopClassUid: string, proposed: Roles, policy: NegotiationPolicy): Roles {
  const { services, may } = policy;
  if (sopClassUid === verificationSopClass) return { scu: proposed.scu, scp: false };
  const storage = isStorageSopClass(sopClassUid);
  const retrieves = services.some(({ permission }) => permission === 'retrieve');
  const permitted = (role: 'scu' | 'scp'): boolean => {
    // As SCP of storage it is what a C-GET's sub-operations need.
    if (storage) return role === 'scu' ? may.has('store') : retrieves && may.has('retrieve');
    const service = serviceFor(services, sopClassUid, role);
    return service !== undefined && may.has(service.permission);
  };
  return { scu: proposed.scu && permitted('scu'), scp: proposed.scp && permitted('scp') };
}

function judge(
  { abstractSyntax }: ProposedContext,
  roles: Roles,
  transferSyntax: string | undefined,
  { services }: NegotiationPolicy,
): AnsweredContext['result'] {
  const isServed =
    abstractSyntax === verificationSopClass ||
    isStorageSopClass(abstractSyntax) ||
    services.some((service) => service.sopClasses.includes(abstractSyntax));
  if (!isServed) return contextResult.abstractSyntaxNotSupported;
  if (transferSyntax === undefined) return contextResult.transferSyntaxesNotSupported;
  // Not permitted, or in a role that nothing here would use.
  if (!roles.scu && !roles.scp) return contextResult.userRejection;
  return contextResult.acceptance;
}

function answerExtendedNegotiation(
  { userInformation }: AssociateRequest,
  contexts: AcceptedContexts,
  { services }: NegotiationPolicy,
): Map<string, Uint8Array> {
  const accepted = new Set([...contexts.values()].map(({ abstractSyntax }) => abstractSyntax));
  const answers = new Map<string, Uint8Array>();
  for (const { sopClassUid, information } of userInformation.extendedNegotiation) {
    if (!accepted.has(sopClassUid)) continue;
    const service = services.find(({ sopClasses }) => sopClasses.includes(sopClassUid));
    const answer = service?.answerExtendedNegotiation?.(sopClassUid, information);
    if (answer !== undefined) answers.set(sopClassUid, answer);
  }
  return answers;
}
