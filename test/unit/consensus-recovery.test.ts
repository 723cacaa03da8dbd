import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificatesFor, standingOf } from '../../firmware/src/consensus/help.ts';
import { recordsToKeep, recover } from '../../firmware/src/consensus/recovery.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import {
  Box,
  certificate,
  certificateInput,
  digestOf,
  genesis,
  header,
  proposalInput,
} from '../fakes/core-box.ts';

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
      certificatesFor(box.state, { epoch: 0, ...standing }).map(({ kind, view }) => `${kind} ${view}`);
    assert.deepEqual(shown({ finalView: 0, from: 1 }), ['finalize 2', 'nullify 3', 'notarize 4']);
    assert.deepEqual(shown({ finalView: 2, from: 4 }), ['notarize 4']);
    assert.deepEqual(shown(standingOf(box.state)), []);
    assert.deepEqual(certificatesFor(box.state, { epoch: 1, finalView: 0, from: 1 }), []);
  });

  test('a box far behind a view that it knows does not look at all those between', () => {
    const box = new Box(undefined).take(
      certificateInput(certificate('nullify', 1)),
      certificateInput(certificate('nullify', 2)),
      certificateInput(certificate('nullify', 1_048_600)),
    );
    assert.equal(box.state.view, 1_048_601);
    let looks = 0;
    const views = new Map(box.state.views);
    const get = views.get.bind(views);
    views.get = (view) => (looks++, get(view));
    assert.equal(standingOf({ ...box.state, views }).from, 3);
    assert.ok(looks < 10, `${looks} views looked at`);
    const restart = { view: 2, floor: 1_048_599 };
    assert.equal(standingOf({ ...box.state, restart }).from, 1_048_601);
    assert.equal(standingOf({ ...box.state, restart: { ...restart, view: 3 } }).from, 3);
  });
});
