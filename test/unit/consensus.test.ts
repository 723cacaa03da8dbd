import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificatesFor, standingOf } from '../../firmware/src/consensus/help.ts';
import { viewsAheadMax, viewsWithVotesMax } from '../../firmware/src/consensus/limits.ts';
import { recordsToKeep, recover } from '../../firmware/src/consensus/recovery.ts';
import { noDigest } from '../../firmware/src/consensus/signatures.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import type { CoreState, Effect, Input, PersistRecord } from '../../firmware/src/consensus/state.ts';
import type {
  Certificate,
  Proposal,
  ProposalHeader,
  Verified,
  Vote,
  VoteKind,
} from '../../firmware/src/consensus/types.ts';
import { faultsTolerated, leaderOf, quorum } from '../../firmware/src/consensus/types.ts';

const genesis = new Uint8Array(32).fill(0xee);

function digestOf(name: number): Uint8Array {
  return new Uint8Array(32).fill(name);
}

function vote(
  kind: VoteKind,
  view: number,
  validator: number,
  digest: Uint8Array = noDigest,
  epoch = 0,
): Vote {
  return { kind, epoch, view, digest, validator, signature: new Uint8Array(64).fill(validator) };
}

function certificate(
  kind: VoteKind,
  view: number,
  digest: Uint8Array = noDigest,
  validators = [0, 1, 2],
): Certificate {
  const signatures = validators.map((validator) => ({
    validator,
    signature: new Uint8Array(64).fill(validator),
  }));
  return { kind, epoch: 0, view, digest, signatures };
}

function header(
  view: number,
  digest: Uint8Array,
  parentView = 0,
  parentDigest: Uint8Array = genesis,
): ProposalHeader {
  return { epoch: 0, view, digest, parentView, parentDigest };
}

const verified = <T>(value: T): Verified<T> => value as Verified<T>;
const voteInput = (value: Vote): Input => ({ kind: 'vote', vote: verified(value) });
const certificateInput = (value: Certificate): Input => ({
  kind: 'certificate',
  certificate: verified(value),
});

function proposalInput(value: ProposalHeader, leader = leaderOf(0, value.view, 4)): Input {
  const proposal: Proposal = { header: value, vote: vote('notarize', value.view, leader, value.digest) };
  return { kind: 'proposal', proposal: verified(proposal) };
}

/** One box of four; its effects since the last look. */
class Box {
  state: CoreState;
  readonly log: PersistRecord[] = [];
  #effects: Effect[] = [];

  constructor(self: number | undefined, records: readonly PersistRecord[] = [], floor = 0) {
    const options = { epoch: 0, validators: 4, self, sign: () => new Uint8Array(64).fill(self ?? 0) };
    const final = { view: 0, digest: genesis, certificate: undefined };
    const { state, effects } = recover(options, { final, floor, records });
    this.state = state;
    this.log.push(...records);
    this.#keep(effects);
  }

  take(...inputs: readonly Input[]): this {
    for (const input of inputs) {
      const { state, effects } = step(this.state, input);
      this.state = state;
      this.#keep(effects);
    }
    return this;
  }

  #keep(effects: readonly Effect[]): void {
    this.#effects.push(...effects);
    for (const effect of effects) if (effect.kind === 'persist') this.log.push(effect.record);
  }

  effects(): Effect[] {
    return this.#effects.splice(0);
  }

  kinds(): string[] {
    return this.effects().map(({ kind }) => kind);
  }

  /** Own votes that were sent, as text. */
  votesSent(): string[] {
    return this.effects().flatMap((effect) => {
      if (effect.kind === 'broadcastVote') return [`${effect.vote.kind} ${effect.vote.view}`];
      return effect.kind === 'broadcastProposal' ? [`propose ${effect.proposal.vote.view}`] : [];
    });
  }

  /** Judges the current proposal valid. */
  accept(view: number, digest: Uint8Array): this {
    return this.take({ kind: 'verdict', view, digest, valid: true });
  }
}

test('f and the quorum are as published for every size', () => {
  const table = [1, 2, 3, 4, 5, 6, 7, 10, 20, 100].map((n) => [n, faultsTolerated(n), quorum(n)]);
  assert.deepEqual(table, [
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 3],
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 5],
    [7, 2, 5],
    [10, 3, 7],
    [20, 6, 14],
    [100, 33, 67],
  ]);
  // Two quorums share an honest validator.
  for (const [n, f, q] of table) assert.ok(2 * (q ?? 0) - (n ?? 0) > (f ?? 0));
});

describe('the good case', () => {
  test('a proposal is judged, voted for, notarized, and final', () => {
    const box = new Box(3);
    assert.deepEqual(box.effects(), [{ kind: 'startView', view: 1, leader: 1 }]);
    const block = header(1, digestOf(1));
    box.take(proposalInput(block));
    assert.deepEqual(box.effects(), [{ kind: 'askToValidate', header: block }]);
    box.accept(1, digestOf(1));
    assert.deepEqual(box.kinds(), ['persist', 'broadcastVote']);
    // Leader, self and this one are three: the certificate, the finalize vote, and the next view.
    box.take(voteInput(vote('notarize', 1, 0, digestOf(1))));
    assert.deepEqual(box.kinds(), [
      'persist',
      'broadcastCertificate',
      'notarized',
      'persist',
      'broadcastVote',
      'startView',
    ]);
    box.take(voteInput(vote('finalize', 1, 0, digestOf(1))), voteInput(vote('finalize', 1, 2, digestOf(1))));
    const effects = box.effects();
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ['persist', 'broadcastCertificate', 'finalized'],
    );
    assert.deepEqual(box.state.final.digest, digestOf(1));
    assert.equal(box.state.views.size, 0);
  });

  test('the leader is asked to build on the newest notarized block and proposes once', () => {
    const box = new Box(2).take(certificateInput(certificate('notarize', 1, digestOf(1))));
    const asked = box.effects().filter(({ kind }) => kind === 'askToPropose');
    assert.deepEqual(asked, [{ kind: 'askToPropose', view: 2, parentView: 1, parentDigest: digestOf(1) }]);
    const built = (name: number): Input => ({
      kind: 'built',
      header: header(2, digestOf(name), 1, digestOf(1)),
    });
    box.take(built(2), built(3));
    const effects = box.effects();
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ['persist', 'broadcastProposal'],
    );
    const [, proposal] = effects;
    assert.ok(proposal?.kind === 'broadcastProposal');
    assert.deepEqual(proposal.justification, [certificate('notarize', 1, digestOf(1))]);
  });

  test('every vote is written before it is sent', () => {
    const box = new Box(3).take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    box.take(
      { kind: 'timeout', view: 1 },
      certificateInput(certificate('nullify', 1)),
      certificateInput(certificate('notarize', 2, digestOf(2))),
    );
    const written = new Set<Vote>();
    for (const effect of box.effects()) {
      if (effect.kind === 'persist' && effect.record.kind === 'vote') written.add(effect.record.vote);
      if (effect.kind === 'broadcastVote') assert.ok(written.has(effect.vote));
    }
    assert.equal(written.size, 3);
  });

  test('a step leaves the state that it began with as it was', () => {
    const box = new Box(3);
    const before = box.state;
    const shown = JSON.stringify([...before.views], (_, value: unknown) =>
      value instanceof Map ? [...value] : value,
    );
    step(before, proposalInput(header(1, digestOf(1))));
    step(before, voteInput(vote('nullify', 1, 0)));
    assert.equal(
      JSON.stringify([...before.views], (_, value: unknown) => (value instanceof Map ? [...value] : value)),
      shown,
    );
  });
});

describe('what a box never does', () => {
  test('it votes for one block a view, whatever the leader sends', () => {
    const box = new Box(3).take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    box.effects();
    box.take(proposalInput(header(1, digestOf(2)))).accept(1, digestOf(2));
    assert.deepEqual(box.kinds(), ['evidence']);
  });

  test('it does not finalize what it has given up, however late the certificate comes', () => {
    const box = new Box(3).take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    box.take({ kind: 'timeout', view: 1 }, certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.deepEqual(box.votesSent(), ['notarize 1', 'nullify 1']);
  });

  test('it does not give up what it has finalized', () => {
    const box = new Box(3).take(certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.deepEqual(box.votesSent(), ['finalize 1']);
    box.take({ kind: 'timeout', view: 1 });
    assert.deepEqual(box.votesSent(), []);
  });

  test('it repeats no finalize vote after it has given up (Ava Labs #280)', () => {
    const box = new Box(3).take(
      { kind: 'timeout', view: 1 },
      certificateInput(certificate('notarize', 1, digestOf(1))),
    );
    box.effects();
    box.take({ kind: 'retransmit' });
    assert.deepEqual(box.votesSent(), []);
  });

  test('it gives a view up once, and votes for its block even then', () => {
    const box = new Box(3).take({ kind: 'timeout', view: 1 }, { kind: 'timeout', view: 1 });
    box.take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    assert.deepEqual(box.votesSent(), ['nullify 1', 'notarize 1']);
  });

  test('it votes for no block that the driver refuses, that is not the leader’s, or whose parent does not stand', () => {
    const refused = new Box(3).take(proposalInput(header(1, digestOf(1))));
    refused.take({ kind: 'verdict', view: 1, digest: digestOf(1), valid: false }).accept(1, digestOf(1));
    assert.deepEqual(refused.votesSent(), []);
    assert.deepEqual(new Box(3).take(proposalInput(header(1, digestOf(1)), 2)).kinds(), ['startView']);
    for (const parent of [
      header(1, digestOf(1), 0, digestOf(7)),
      header(1, digestOf(1), 1),
      header(1, digestOf(1), 4),
    ]) {
      assert.deepEqual(
        new Box(3).take(proposalInput(parent)).kinds(),
        ['startView'],
        `parent ${parent.parentView}`,
      );
    }
  });

  test('it does not skip a view that is not nullified', () => {
    const box = new Box(3).take(certificateInput(certificate('notarize', 1, digestOf(1))));
    box.take(certificateInput(certificate('notarize', 2, digestOf(2))));
    box.effects();
    const skipping = header(3, digestOf(3), 1, digestOf(1));
    box.take(proposalInput(skipping));
    assert.deepEqual(box.kinds(), []);
    // Once the view between is nullified too, the proposal stands.
    box.take(certificateInput(certificate('nullify', 2)));
    assert.deepEqual(box.effects().at(-1), { kind: 'askToValidate', header: skipping });
  });

  test('an observer sends nothing of its own', () => {
    const box = new Box(undefined).take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    box.take({ kind: 'timeout', view: 1 }, certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.deepEqual(box.votesSent(), []);
    assert.equal(box.state.view, 2);
  });
});

describe('views', () => {
  test('a nullified view leads on, and its successor builds on the block before', () => {
    const box = new Box(2);
    box.effects();
    for (const validator of [0, 1, 3]) box.take(voteInput(vote('nullify', 1, validator)));
    const effects = box.effects();
    assert.deepEqual(effects.at(-1), { kind: 'askToPropose', view: 2, parentView: 0, parentDigest: genesis });
    assert.equal(box.state.view, 2);
  });

  test('a notarization after the nullification of its view is kept, and may be built on (Commonware #2695)', () => {
    const box = new Box(3).take(certificateInput(certificate('nullify', 1)));
    box.take(certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.deepEqual(box.votesSent(), []);
    box.take(proposalInput(header(2, digestOf(2), 1, digestOf(1))));
    assert.equal(box.kinds().at(-1), 'askToValidate');
  });

  test('a proposal that comes early is judged when its view begins', () => {
    const box = new Box(3).take(proposalInput(header(2, digestOf(2), 1, digestOf(1))));
    box.effects();
    box.take(certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.equal(box.kinds().at(-1), 'askToValidate');
  });

  test('the leader waits for a missing certificate, and is asked again when a newer parent is known', () => {
    const box = new Box(0).take(certificateInput(certificate('nullify', 3)));
    assert.equal(box.state.view, 4);
    assert.ok(!box.kinds().includes('askToPropose'));
    assert.deepEqual(standingOf(box.state), { finalView: 0, from: 1 });
    box.take(certificateInput(certificate('nullify', 1)), certificateInput(certificate('nullify', 2)));
    assert.deepEqual(box.effects().at(-1), {
      kind: 'askToPropose',
      view: 4,
      parentView: 0,
      parentDigest: genesis,
    });
    box.take(certificateInput(certificate('notarize', 2, digestOf(2))));
    assert.deepEqual(box.effects().at(-1), {
      kind: 'askToPropose',
      view: 4,
      parentView: 2,
      parentDigest: digestOf(2),
    });
  });

  test('a finalization of a far view brings a box there at once (Malachite #1483)', () => {
    const box = new Box(3).take(certificateInput(certificate('finalize', 500, digestOf(5))));
    assert.equal(box.state.view, 501);
    assert.equal(box.state.final.view, 500);
    assert.deepEqual(box.kinds().slice(-2), ['finalized', 'startView']);
  });
});

describe('counting', () => {
  test('the same vote twice counts once (Malachite #1497)', () => {
    const box = new Box(undefined);
    for (let time = 0; time < 5; time++) box.take(voteInput(vote('finalize', 1, 0, digestOf(1))));
    box.take(voteInput(vote('finalize', 1, 1, digestOf(1))));
    assert.equal(box.state.final.view, 0);
    box.take(voteInput(vote('finalize', 1, 2, digestOf(1))));
    assert.equal(box.state.final.view, 1);
  });

  test('votes for different blocks do not add up, nor those of strangers, other epochs and views out of reach', () => {
    const box = new Box(undefined);
    const size = () => [...box.state.views.values()].reduce((sum, { votes }) => sum + votes.notarize.size, 0);
    box.take(
      voteInput(vote('notarize', 1, 0, digestOf(1))),
      voteInput(vote('notarize', 1, 1, digestOf(1))),
      voteInput(vote('notarize', 1, 2, digestOf(2))),
    );
    assert.equal(size(), 3);
    box.take(
      voteInput(vote('notarize', 1, 4, digestOf(1))),
      voteInput(vote('notarize', 1, 3, digestOf(1), 1)),
      voteInput(vote('notarize', 2 + viewsAheadMax, 3, digestOf(1))),
    );
    assert.equal(size(), 3);
    assert.equal(box.state.view, 1);
  });

  test('votes of views that are final are forgotten', () => {
    const box = new Box(undefined);
    for (let view = 1; view <= 200; view++) {
      for (const validator of [0, 1, 2])
        box.take(voteInput(vote('notarize', view, validator, digestOf(view % 256))));
    }
    const withVotes = [...box.state.views.values()].filter(({ votes }) => votes.notarize.size > 0);
    assert.ok(withVotes.length <= viewsWithVotesMax + 1);
    box.take(certificateInput(certificate('finalize', 200, digestOf(200))));
    assert.equal(box.state.views.size, 0);
    assert.deepEqual(box.take(voteInput(vote('notarize', 150, 0, digestOf(1)))).state.views.size, 0);
  });
});

describe('evidence', () => {
  const cases: Readonly<Record<string, readonly [Vote, Vote]>> = {
    'conflicting-notarize': [vote('notarize', 1, 0, digestOf(1)), vote('notarize', 1, 0, digestOf(2))],
    'conflicting-finalize': [vote('finalize', 1, 0, digestOf(1)), vote('finalize', 1, 0, digestOf(2))],
    'nullify-and-finalize': [vote('nullify', 1, 0), vote('finalize', 1, 0, digestOf(1))],
  };
  for (const [kind, [first, second]] of Object.entries(cases)) {
    test(`${kind} names its author once, by the two votes`, () => {
      const box = new Box(undefined).take(voteInput(first), voteInput(second), voteInput(second));
      const evidence = box.effects().filter((effect) => effect.kind === 'evidence');
      assert.deepEqual(evidence, [
        { kind: 'evidence', evidence: { kind, validator: 0, view: 1, first, second } },
      ]);
    });
  }

  test('a certificate shows double votes too', () => {
    const box = new Box(undefined).take(voteInput(vote('notarize', 1, 0, digestOf(2))));
    box.take(certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.ok(box.kinds().includes('evidence'));
  });

  test('notarize with nullify, and repeated votes, are no fault', () => {
    const box = new Box(undefined).take(
      voteInput(vote('notarize', 1, 0, digestOf(1))),
      voteInput(vote('nullify', 1, 0)),
      voteInput(vote('nullify', 1, 0)),
      voteInput(vote('finalize', 1, 1, digestOf(1))),
      voteInput(vote('notarize', 1, 1, digestOf(1))),
    );
    assert.ok(!box.kinds().includes('evidence'));
  });
});

describe('restart', () => {
  test('a box takes up its votes and view and does not vote again (Commonware #2050)', () => {
    const box = new Box(3).take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    const again = new Box(3, box.log);
    assert.deepEqual(again.votesSent(), ['notarize 1']);
    again.take(proposalInput(header(1, digestOf(9)))).accept(1, digestOf(9));
    assert.ok(!again.effects().some(({ kind }) => kind === 'broadcastVote'));
    again.take({ kind: 'timeout', view: 1 });
    const third = new Box(3, again.log);
    third.effects();
    third.take(certificateInput(certificate('notarize', 1, digestOf(1))));
    assert.deepEqual(third.votesSent(), []);
  });

  test('a leader sends the proposal again that it had made, and no other', () => {
    const box = new Box(1).take({ kind: 'built', header: header(1, digestOf(1)) });
    const again = new Box(1, box.log);
    const kinds = again.effects().map((effect) => effect.kind);
    assert.deepEqual(kinds, ['startView', 'broadcastProposal']);
    again.take({ kind: 'built', header: header(1, digestOf(2)) });
    assert.deepEqual(again.kinds(), []);
  });

  test('certificates in the log bring it back to its view and its final block', () => {
    const box = new Box(3).take(
      certificateInput(certificate('finalize', 2, digestOf(2))),
      certificateInput(certificate('notarize', 3, digestOf(3))),
      certificateInput(certificate('nullify', 4)),
    );
    const again = new Box(3, box.log);
    assert.equal(again.state.view, 5);
    assert.equal(again.state.final.view, 2);
    const kinds = again.kinds();
    assert.ok(kinds.includes('finalized') && kinds.includes('notarized'));
    // And a log begun anew does the same.
    const kept = recover(again.state.options, {
      final: again.state.final,
      floor: 2,
      records: recordsToKeep(again.state),
    });
    assert.deepEqual(kept.state.view, 5);
    assert.deepEqual(recordsToKeep(kept.state), recordsToKeep(again.state));
  });

  test('below the floor nothing is voted for', () => {
    const box = new Box(3, [], 2).take(proposalInput(header(1, digestOf(1)))).accept(1, digestOf(1));
    box.take({ kind: 'timeout', view: 1 }, certificateInput(certificate('nullify', 1)));
    box.take({ kind: 'timeout', view: 2 }, certificateInput(certificate('nullify', 2)));
    assert.deepEqual(box.votesSent(), []);
    box.take({ kind: 'timeout', view: 3 });
    assert.deepEqual(box.votesSent(), ['nullify 3']);
  });

  test('a sole validator goes on from wherever it stopped', () => {
    const options = { epoch: 0, validators: 1, self: 0, sign: () => new Uint8Array(64) };
    const final = { view: 0, digest: genesis, certificate: undefined };
    const begun = recover(options, { final, floor: 0, records: [] });
    const stepped = step(begun.state, { kind: 'built', header: header(1, digestOf(1)) });
    const log = stepped.effects.flatMap((effect) => (effect.kind === 'persist' ? [effect.record] : []));
    for (let written = 1; written <= log.length; written++) {
      const { state } = recover(options, { final, floor: 0, records: log.slice(0, written) });
      assert.equal(state.view, 2);
      // Where the finalize vote was not written, the next block makes both final.
      const next = header(2, digestOf(2), 1, digestOf(1));
      assert.equal(step(state, { kind: 'built', header: next }).state.final.view, 2);
    }
  });
});

describe('help', () => {
  test('a stuck box repeats its votes and the certificates that led it there', () => {
    const box = new Box(3).take(
      certificateInput(certificate('finalize', 1, digestOf(1))),
      certificateInput(certificate('notarize', 2, digestOf(2))),
      { kind: 'timeout', view: 3 },
    );
    box.effects();
    box.take({ kind: 'retransmit' });
    const shown = box.effects().map((effect) => {
      if (effect.kind === 'broadcastCertificate')
        return `${effect.certificate.kind} certificate ${effect.certificate.view}`;
      return effect.kind === 'broadcastVote' ? `${effect.vote.kind} ${effect.vote.view}` : effect.kind;
    });
    assert.deepEqual(shown, ['finalize certificate 1', 'notarize certificate 2', 'finalize 2', 'nullify 3']);
  });

  test('a box that is behind is sent what it lacks, from its gap on', () => {
    const box = new Box(undefined).take(
      certificateInput(certificate('finalize', 2, digestOf(2))),
      certificateInput(certificate('nullify', 3)),
      certificateInput(certificate('notarize', 4, digestOf(4))),
    );
    const shown = (standing: { finalView: number; from: number }) =>
      certificatesFor(box.state, standing).map(({ kind, view }) => `${kind} ${view}`);
    assert.deepEqual(shown({ finalView: 0, from: 1 }), ['finalize 2', 'nullify 3', 'notarize 4']);
    assert.deepEqual(shown({ finalView: 2, from: 4 }), ['notarize 4']);
    assert.deepEqual(shown(standingOf(box.state)), []);
  });
});
