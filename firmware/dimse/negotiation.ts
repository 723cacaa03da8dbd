/** What an acceptor answers to a request (PS3.7 D.3, PS3.8 9.3.3), as values: no sockets here. */
import { pduBytesMax } from './limits.ts';
import {
  type AnsweredContext,
  type AssociateAccept,
  type AssociateRequest,
  contextResult,
  type ProposedContext,
  type RoleSelection,
} from './pdu.ts';
import {
  implementationClassUid,
  implementationVersionName,
  isStorageSopClass,
  isUid,
  verificationSopClass,
} from './uids.ts';

/** Context ids that were accepted, with what they carry. */
export type AcceptedContexts = ReadonlyMap<
  number,
  { readonly abstractSyntax: string; readonly transferSyntax: string }
>;

export interface Negotiated {
  readonly accept: AssociateAccept;
  readonly contexts: AcceptedContexts;
}

/**
 * The requestor as SCU: of verification and of every storage SOP class, standard or private, with the first transfer
 * syntax it offers, whichever it is: nothing is decoded here, the bytes are kept as they are.
 */
export function negotiate(request: AssociateRequest): Negotiated {
  const contexts = new Map<number, { abstractSyntax: string; transferSyntax: string }>();
  const proposedRoles = new Map(request.userInformation.roles.map((role) => [role.sopClassUid, role]));
  const answers = request.contexts.map((proposed): AnsweredContext => {
    const { id, abstractSyntax } = proposed;
    const transferSyntax = proposed.transferSyntaxes.find(isUid);
    const result = judge(proposed, transferSyntax, proposedRoles.get(abstractSyntax));
    if (result === contextResult.acceptance && transferSyntax !== undefined)
      contexts.set(id, { abstractSyntax, transferSyntax });
    return { id, result, transferSyntax: transferSyntax ?? '' };
  });
  const { asynchronousOperations } = request.userInformation;
  return {
    accept: {
      contexts: answers,
      userInformation: {
        pduBytesMax,
        implementationClassUid,
        implementationVersionName,
        // One operation at a time is all that is done; unasked, that is the default (PS3.7 D.3.3.3).
        ...(asynchronousOperations !== undefined && { asynchronousOperations: { invoked: 1, performed: 1 } }),
        roles: [...proposedRoles.values()].map(({ sopClassUid, scu }) => ({
          sopClassUid,
          scu: scu && isServed(sopClassUid),
          scp: false,
        })),
        extendedNegotiation: [],
      },
    },
    contexts,
  };
}

function isServed(abstractSyntax: string): boolean {
  return abstractSyntax === verificationSopClass || isStorageSopClass(abstractSyntax);
}

function judge(
  proposed: ProposedContext,
  transferSyntax: string | undefined,
  role: RoleSelection | undefined,
): AnsweredContext['result'] {
  if (!isServed(proposed.abstractSyntax)) return contextResult.abstractSyntaxNotSupported;
  if (transferSyntax === undefined) return contextResult.transferSyntaxesNotSupported;
  // It wants to be SCP only, which nothing here would use.
  if (role !== undefined && !role.scu) return contextResult.userRejection;
  return contextResult.acceptance;
}
