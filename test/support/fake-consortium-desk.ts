/** A consortium's desk that notes what it is asked to do, and examples of what the console shows of a consortium. */
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type {
  AttestationAnswer,
  ConsortiumView,
  MemberView,
  ProposalView,
  ProposeBody,
} from '../../firmware/src/http/consortium-contract.ts';
import type { Acted, ConsortiumDesk } from '../../firmware/src/http/consortium-desk.ts';

export interface ConsortiumAct {
  readonly act: 'propose' | 'vote' | 'attestCandidate' | 'rotateKeys' | 'bring';
  readonly what: unknown;
  readonly by: string;
}

export class FakeConsortiumDesk implements ConsortiumDesk {
  readonly acts: ConsortiumAct[] = [];
  answer: Acted = { kind: 'done' };
  /** Undefined: in no consortium. */
  shown: ConsortiumView | undefined;

  view(): ConsortiumView | undefined {
    return this.shown;
  }

  propose(proposal: ProposeBody, { account }: { readonly account: string }): Promise<Acted> {
    return this.#acted({ act: 'propose', what: proposal, by: account });
  }

  vote(id: string, approve: boolean, { account }: { readonly account: string }): Promise<Acted> {
    return this.#acted({ act: 'vote', what: { id, approve }, by: account });
  }

  attested: AttestationAnswer | undefined;

  attestCandidate(id: string): Promise<AttestationAnswer | undefined> {
    this.acts.push({ act: 'attestCandidate', what: id, by: '' });
    return Promise.resolve(this.attested);
  }

  rotateKeys({ account }: { readonly account: string }): Promise<Acted> {
    return this.#acted({ act: 'rotateKeys', what: null, by: account });
  }

  bring(document: Uint8Array, { account }: { readonly account: string }): Promise<Acted> {
    return this.#acted({ act: 'bring', what: toHex(document), by: account });
  }

  #acted(act: ConsortiumAct): Promise<Acted> {
    this.acts.push(act);
    return Promise.resolve(this.answer);
  }
}

const dayMs = 86_400_000;

export function exampleMember(now: number, part: Partial<MemberView> = {}): MemberView {
  return {
    id: 'north',
    name: 'Northgate Hospital',
    identity: '4b'.repeat(32),
    keysValidUntil: now + 500 * dayMs,
    https: 'https://10.1.0.1:4003',
    root: { keys: ['a1', 'a2', 'a3'].map((byte) => byte.repeat(32)), threshold: 2 },
    version: 3,
    validator: true,
    validatorNext: true,
    isSelf: true,
    ...part,
  };
}

const { version: _v, validator: _now, validatorNext: _next, isSelf: _self, ...candidate } = exampleMember(0);

export function exampleProposal(now: number, part: Partial<ProposalView> = {}): ProposalView {
  return {
    id: 'a1'.repeat(32),
    action: {
      kind: 'admit',
      institution: {
        ...candidate,
        id: 'eastmoor',
        name: 'Eastmoor Community Hospital',
        keysValidUntil: now + 700 * dayMs,
        https: 'https://10.5.0.1:4003',
      },
      validator: true,
    },
    proposer: 'brannoc',
    proposerName: 'St. Brannoc Infirmary',
    proposedAt: now - 2 * dayMs,
    expiry: now + 28 * dayMs,
    state: 'open',
    decidedAt: null,
    approvedBy: ['St. Brannoc Infirmary', 'Harbour Imaging Centre'],
    rejectedBy: [],
    members: 4,
    quorum: 3,
    mayVote: true,
    provedUntil: now + 600_000,
    acts: [],
    ...part,
  };
}

export function exampleConsortium(now: number, part: Partial<ConsortiumView> = {}): ConsortiumView {
  const others = ['St. Brannoc Infirmary', 'Harbour Imaging Centre', 'University Clinic Velden'];
  return {
    chain: '9c'.repeat(32),
    isMember: true,
    members: [
      exampleMember(now),
      ...others.map((name, index) =>
        exampleMember(now, {
          id: ['brannoc', 'harbour', 'velden'][index] as string,
          name,
          isSelf: false,
          version: 1,
          validator: index < 2,
          validatorNext: index < 2,
        }),
      ),
    ],
    ownKeys: { since: now - 30 * dayMs, validUntil: now + 700 * dayMs, dueAt: now + 60 * dayMs },
    proposals: [exampleProposal(now)],
    parameters: JSON.stringify({ epochMs: dayMs, proposalMs: 30 * dayMs }),
    ...part,
  };
}
