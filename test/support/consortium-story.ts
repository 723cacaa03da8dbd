/** The chapters of the ledger's story about the consortium: votes, keys, evidence, releases, formats. */
import { defaultParameters } from '../../firmware/src/ledger/index.ts';
import type { ProposalAction } from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, signerOf, type LedgerFixture } from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import type { Chapter, NamedTransaction } from './ledger-story.ts';

export function consortiumChapters(ledger: LedgerFixture): readonly Chapter[] {
  const consortium = new ConsortiumFixture(ledger);

  /** Proposed by the first, approved by the others; what no quorum approves stays open. */
  function voted(what: string, action: ProposalAction, proposer: string, voters: readonly string[]) {
    const body = consortium.proposeBody(proposer, action);
    return [
      { name: `proposal ${what}`, transaction: consortium.propose(proposer, action) },
      ...voters.map((voter) => ({
        name: `approval of ${voter} ${what}`,
        transaction: consortium.vote(voter, body),
      })),
    ];
  }

  const admission: ProposalAction = {
    kind: 'admit',
    institution: candidate(ledger.chain, 'fifth'),
    validator: true,
  };
  const parameters = { ...defaultParameters, proposalMs: 604_800_000 };
  const longer = (times: number): ProposalAction => ({
    kind: 'parameters',
    parameters: { ...parameters, proposalMs: times * parameters.proposalMs },
  });
  const vendor = { keys: [signerOf('another vendor').publicKey], threshold: 1 };
  const votes: readonly NamedTransaction[] = [
    { name: 'proposal to admit an institution', transaction: consortium.propose('north', admission) },
    {
      name: 'vote against it',
      transaction: consortium.vote('west', consortium.proposeBody('north', admission), false),
    },
    ...['south', 'east'].map((voter) => ({
      name: `approval of ${voter}`,
      transaction: consortium.vote(voter, consortium.proposeBody('north', admission)),
    })),
    // Three of five: enough once they are three of four. Each of the blocks decides one, so that the last still waits.
    ...voted('of other parameters', { kind: 'parameters', parameters }, 'south', ['east', 'north']),
    ...voted('of longer votes', longer(2), 'south', ['east', 'north']),
    ...voted('of still longer votes', longer(3), 'south', ['east', 'north']),
    ...voted('to remove an institution', { kind: 'remove', id: 'west' }, 'north', ['south', 'east', 'fifth']),
    ...voted('of other validators', { kind: 'validators', add: [], remove: ['south'] }, 'east', ['fifth']),
    ...voted('of another vendor', { kind: 'vendor', vendor }, 'fifth', []),
  ];

  const place = { epoch: 0, view: 7 };
  const west = boxOf('west').voting;
  const acts: readonly NamedTransaction[] = [
    {
      name: 'update of keys',
      transaction: consortium.update(
        'north',
        2,
        certifiedKeys(ledger.chain, 'north', 'renewed'),
        boxOf('north').transaction,
      ),
    },
    {
      name: 'replacement of keys by the offline root',
      transaction: consortium.replace('south', 2, certifiedKeys(ledger.chain, 'south', 'replaced'), [1, 3]),
    },
    {
      name: 'evidence of two votes',
      transaction: consortium.report('east', {
        ...place,
        validator: 3,
        first: consortium.reportedVote('nullify', bytesOf('none'), place, west),
        second: consortium.reportedVote('finalize', bytesOf('block'), place, west),
      }),
    },
    { name: 'release', transaction: consortium.publish('1.2.0', [1, 2]) },
    { name: 'acceptance of the release', transaction: consortium.accept('east', '1.2.0') },
    { name: 'signal for a format', transaction: consortium.signal('east', 2) },
  ];
  return [
    { afterMs: 60_000, transactions: votes },
    { afterMs: 60_000, transactions: acts },
  ];
}
