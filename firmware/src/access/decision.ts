/** Whether a caller is admitted, and to what: the rules alone, without memory of who came before. */
import type { CallerRule, ShownCertificate } from './caller.ts';
import type { Permission } from './permissions.ts';

/** Who asks for an association, and what for. */
export interface CallerRequest {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** IPv4 or IPv6, as the socket shows it. */
  readonly remoteAddress: string;
  /** Only what came over TLS and was verified there. */
  readonly certificate?: ShownCertificate;
  /** Abstract syntaxes that it proposes. */
  readonly sopClassUids: readonly string[];
  /** What these take; it is refused what it asks and may not. */
  readonly asks?: readonly Permission[];
}

/** Why a caller is refused. The first is told to it (PS3.8 table 9-21, reason 7); the others are one reason, 3. */
export const grounds = ['called-ae-title', 'unknown', 'address', 'certificate'] as const;
export type Ground = (typeof grounds)[number];

export type AccessDecision =
  | { readonly kind: 'admitted'; readonly by: readonly CallerRule[]; readonly may: ReadonlySet<Permission> }
  | { readonly kind: 'refused'; readonly ground: Ground };

/** A caller can stand in the list several times, for several places: what any fitting entry permits is permitted. */
export function decide(
  rules: readonly CallerRule[],
  ownAeTitles: readonly string[],
  request: CallerRequest,
): AccessDecision {
  const refused = (ground: Ground): AccessDecision => ({ kind: 'refused', ground });
  const { callingAeTitle, calledAeTitle, remoteAddress, certificate } = request;
  if (!ownAeTitles.includes(calledAeTitle)) return refused('called-ae-title');
  const named = rules.filter(({ caller }) => caller.callingAeTitle === callingAeTitle);
  if (named.length === 0) return refused('unknown');
  const called = named.filter((rule) => rule.mayCall(calledAeTitle));
  if (called.length === 0) return refused('called-ae-title');
  const placed = called.filter((rule) => rule.mayComeFrom(remoteAddress));
  if (placed.length === 0) return refused('address');
  const by = placed.filter((rule) => rule.mayShow(certificate));
  if (by.length === 0) return refused('certificate');
  return { kind: 'admitted', by, may: new Set(by.flatMap(({ caller }) => caller.may)) };
}
