/**
 * The core step by step. Bugs of other implementations that have a test of their own, by their names:
 * Ava Labs #280, Commonware #2695, Malachite #1483, #1497 and #864 here; Commonware #2050 in consensus-recovery;
 * CSA-2026-001 and cardano-ibc #707 in consensus-signatures, the latter in light-client-epochs too; Malachite #1127 in
 * append-log; CVE-2025-24371 in validator-catch-up.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { viewsAheadMax, viewsWithVotesMax } from '../../firmware/src/consensus/limits.ts';
import { standingOf } from '../../firmware/src/consensus/help.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import type { Input } from '../../firmware/src/consensus/state.ts';
import type { Vote } from '../../firmware/src/consensus/types.ts';
import { faultsTolerated, quorum } from '../../firmware/src/consensus/types.ts';
import {
  Box,
  certificate,
  certificateInput,
  digestOf,
  genesis,
  header,
  proposalInput,
  vote,
  voteInput,
} from '../fakes/core-box.ts';

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
    assert.deepEqual(standingOf(box.state), { epoch: 0, finalView: 0, from: 1 });
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
        { kind: 'evidence', evidence: { kind, validator: 0, epoch: 0, view: 1, first, second } },
      ]);
    });
  }

  test('votes that contradict each other are reported and never sent on (Malachite #864)', () => {
    const box = new Box(3);
    box.effects();
    for (const [first, second] of Object.values(cases)) {
      for (const one of [first, second]) {
        for (const validator of [0, 1]) box.take(voteInput({ ...one, validator }));
      }
    }
    const kinds = new Set(box.kinds());
    assert.deepEqual(kinds, new Set(['evidence']));
    // Nor when it is stuck and says again what it has said.
    box.take({ kind: 'retransmit' });
    assert.deepEqual(box.kinds(), []);
  });

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
