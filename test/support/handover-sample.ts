/** A handover of the test consortium, the same at every run, and its parts made anew with a change. */
import { p256 } from '@noble/curves/nist.js';
import { voteMessage } from '../../firmware/src/consensus/signatures.ts';
import type { Certificate, VoteContent } from '../../firmware/src/consensus/types.ts';
import type { Handover } from '../../firmware/src/handover/handover.ts';
import { handoverMessage } from '../../firmware/src/handover/handover.ts';
import { blockDigest, buildBlock, genesisBlock, stateKeys } from '../../firmware/src/ledger/index.ts';
import { bytesOf, genesisTime, LedgerFixture, verifySignature } from '../fakes/ledger.ts';

export const fixture = new LedgerFixture();
const { chain, genesis, initial } = fixture;

/** The first block of the chain, of this time. */
export function firstBlock(time: number, view = 5) {
  return buildBlock(initial, genesisBlock(genesis).header, {
    view,
    time,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
}

export const end = firstBlock(genesisTime + genesis.parameters.epochMs);
export const digest = blockDigest(end.block.header);
export const proof = end.state.prove(stateKeys.epoch);

/** A finalization certificate of the block that closes the epoch. */
export function certified(change: Partial<VoteContent> = {}, validators = [0, 1, 3]): Certificate {
  const content: VoteContent = { kind: 'finalize', epoch: 0, view: 5, digest, ...change };
  const signatures = validators.map((validator) => ({
    validator,
    signature: fixture.boxes[validator]?.voting.sign(voteMessage(chain, content)) ?? new Uint8Array(),
  }));
  return { ...content, signatures };
}

/** Signatures of these validators' identity keys. */
export function identified(message: Uint8Array, validators = [0, 2, 3]): Handover['signatures'] {
  return validators.map((validator) => ({
    validator,
    // RFC 6979, so that the vector is the same at every run.
    signature: p256.sign(message, bytesOf(`identity ${fixture.boxes[validator]?.id}`)),
  }));
}

export const message = handoverMessage(chain, 0, digest, proof.value ?? new Uint8Array());
export const handover: Handover = {
  header: end.block.header,
  certificate: certified(),
  proof,
  signatures: identified(message),
};
