import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { justificationCertificatesMax } from '../../firmware/src/consensus/limits.ts';
import { justificationOf, parentFor, parentStands } from '../../firmware/src/consensus/parents.ts';
import { recover } from '../../firmware/src/consensus/recovery.ts';
import type { Input, PersistRecord } from '../../firmware/src/consensus/state.ts';
import type { ProposalHeader } from '../../firmware/src/consensus/types.ts';
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

const closing = digestOf(0xc);
const other = digestOf(0xd);

/** The block of view 1, which closes the epoch, proposed again. */
function again(view: number, digest = closing): ProposalHeader {
  return header(view, digest, 1, digest);
}

/** In view 3: the closing block is notarized in view 1, view 2 failed. */
function afterFailure(self: number | undefined): Box {
  const box = new Box(self).take(
    certificateInput(certificate('notarize', 1, closing)),
    certificateInput(certificate('nullify', 2)),
  );
  box.effects();
  return box;
}

describe('the block that closes an epoch is proposed again until it is final', () => {
  test('its second proposal is judged, voted for, notarized, and final under the new view', () => {
    const box = afterFailure(0).take(proposalInput(again(3)));
    assert.deepEqual(box.effects(), [{ kind: 'askToValidate', header: again(3) }]);
    box.accept(3, closing).take(voteInput(vote('notarize', 3, 1, closing)));
    box.take(voteInput(vote('finalize', 3, 1, closing)), voteInput(vote('finalize', 3, 2, closing)));
    assert.equal(box.state.final.view, 3);
    assert.deepEqual(box.state.final.digest, closing);
    assert.ok(box.kinds().includes('finalized'));
  });

  test('the leader is asked to build on it, answers with the block itself, and shows why it stands', () => {
    const box = new Box(3).take(
      certificateInput(certificate('notarize', 1, closing)),
      certificateInput(certificate('nullify', 2)),
    );
    const asked = box.effects().filter(({ kind }) => kind === 'askToPropose');
    assert.deepEqual(asked, [{ kind: 'askToPropose', view: 3, parentView: 1, parentDigest: closing }]);
    box.take({ kind: 'built', header: again(3) });
    const [, proposal] = box.effects();
    assert.ok(proposal?.kind === 'broadcastProposal');
    assert.deepEqual(proposal.justification, [
      certificate('notarize', 1, closing),
      certificate('nullify', 2),
    ]);
  });

  test('a view in which it was notarized again counts as its last one', () => {
    const box = afterFailure(1).take(certificateInput(certificate('notarize', 3, closing)));
    assert.deepEqual(parentFor(box.state, 4), { parentView: 3, parentDigest: closing });
    assert.ok(parentStands(box.state, again(4)));
    assert.deepEqual(justificationOf(box.state, again(4)), [certificate('notarize', 3, closing)]);
  });

  test('it does not stand over a view that may have another final block', () => {
    const box = afterFailure(0).take(certificateInput(certificate('notarize', 3, other)));
    box.effects();
    box.take(proposalInput(again(4)));
    assert.deepEqual(box.kinds(), []);
    // Once view 3 is nullified as well, it does.
    box.take(certificateInput(certificate('nullify', 3)));
    assert.equal(box.kinds().at(-1), 'askToValidate');
  });

  test('a block that is not notarized, or that is final, is not proposed again', () => {
    assert.ok(!parentStands(afterFailure(0).state, again(3, other)));
    const box = afterFailure(0).take(certificateInput(certificate('finalize', 1, closing)));
    assert.ok(!parentStands(box.state, again(3)));
    box.effects();
    box.take(proposalInput(again(3)));
    assert.deepEqual(box.kinds(), []);
    // Nor the block with which the epoch began.
    assert.ok(!parentStands(new Box(0).state, header(1, genesis, 0, genesis)));
  });

  test('two proposals of it in different views are no double vote', () => {
    const box = afterFailure(undefined);
    for (const view of [1, 3]) box.take(voteInput(vote('notarize', view, 0, closing)));
    assert.ok(!box.kinds().includes('evidence'));
  });

  test('a restart takes the second proposal up as it took the first', () => {
    const box = afterFailure(3).take({ kind: 'built', header: again(3) });
    const started = new Box(3, box.log);
    const sent = started.effects().find(({ kind }) => kind === 'broadcastProposal');
    assert.ok(sent?.kind === 'broadcastProposal');
    assert.deepEqual(sent.proposal.header, again(3));
  });
});

test('a proposal after a long gap still shows its parent', () => {
  const box = new Box(undefined).take(certificateInput(certificate('notarize', 1, digestOf(1))));
  const last = 3 * justificationCertificatesMax;
  for (let view = 2; view <= last; view++) box.take(certificateInput(certificate('nullify', view)));
  const shown = justificationOf(box.state, header(last + 1, digestOf(2), 1, digestOf(1)));
  assert.equal(shown.length, justificationCertificatesMax);
  assert.deepEqual(shown[0], certificate('notarize', 1, digestOf(1)));
  assert.deepEqual(shown.at(-1), certificate('nullify', last));
});

describe('an instance for each epoch', () => {
  const options = { epoch: 1, validators: 4, self: 3, sign: () => new Uint8Array(64).fill(3) };
  const final = { view: 0, digest: closing, certificate: undefined };
  const inEpoch = (record: PersistRecord, epoch: number): PersistRecord =>
    record.kind === 'vote'
      ? { ...record, vote: { ...record.vote, epoch } }
      : { ...record, certificate: { ...record.certificate, epoch } };

  test('it begins in view 1 on the block that closed the epoch before', () => {
    const { state, effects } = recover({ ...options, self: 2 }, { final, floor: 0, records: [] });
    assert.deepEqual(effects, [
      { kind: 'startView', view: 1, leader: 2 },
      { kind: 'askToPropose', view: 1, parentView: 0, parentDigest: closing },
    ]);
    assert.equal(state.view, 1);
  });

  test('records of another epoch neither bind it nor bring it forward', () => {
    const { log } = new Box(3).take(
      { kind: 'timeout', view: 1 },
      certificateInput(certificate('nullify', 1)),
    );
    assert.equal(recover(options, { final, floor: 0, records: log }).state.view, 1);
    const records = log.map((record) => inEpoch(record, 1));
    const bound = recover(options, { final, floor: 0, records });
    assert.equal(bound.state.view, 2);
    assert.ok(bound.state.views.get(1)?.own.nullify !== undefined);
  });

  test('votes, certificates and proposals of another epoch change nothing', () => {
    const { state } = recover({ ...options, self: undefined }, { final, floor: 0, records: [] });
    const inputs: Input[] = [
      voteInput(vote('nullify', 1, 0)),
      certificateInput(certificate('finalize', 5, digestOf(5))),
      proposalInput(header(1, digestOf(1)), 2),
    ];
    const box = new Box(undefined);
    box.state = state;
    box.effects();
    box.take(...inputs);
    assert.deepEqual(box.state, state);
    assert.deepEqual(box.effects(), []);
  });
});
