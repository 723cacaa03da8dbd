/** Bases that the patient did not sign, and the source's word on a study's standing, in a `ReleaseWorld`: all final. */
import { randomBytes } from 'node:crypto';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { AccessEmergency, AccessRefer, StudyId, Transaction } from '../../firmware/src/ledger/types.ts';
import { sealGrantNote, termsHash, type BasisWithoutNote } from '../../firmware/src/protocol/grant-note.ts';
import { grantKeyIndex } from '../../firmware/src/protocol/grants.ts';
import { registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import { confirmBody, emergencyBody, referBody, statusAct } from '../fakes/ledger-studies.ts';
import type { ReleaseWorld } from './release-world.ts';

function idOf(study: KeptStudy): StudyId {
  if (study.studyId === undefined) throw new Error('only a registered study has an id');
  return study.studyId;
}

function finalise(world: ReleaseWorld, transaction: Transaction): void {
  const submitted = world.ledger.finalise(encodeTransaction(transaction));
  if (submitted.kind === 'refused') throw new Error(`${transaction.body.type}: ${submitted.reason}`);
}

/** One-time key and sealed note for the institution's account. */
async function addressed<Body extends BasisWithoutNote>(
  world: ReleaseWorld,
  to: string,
  body: Body,
): Promise<Body & { readonly note: Uint8Array }> {
  const { spend, view } = world.account(to);
  const recipient = { chain: world.fixture.chain, institution: to, spend: spend.publicKey, view };
  const key = registerOwner({ ...recipient, index: grantKeyIndex }, randomBytes(32));
  const terms = {
    purpose: 'Treatment',
    person: null,
    patientAtGrantee: null,
    consent: null,
    salt: randomBytes(32),
  };
  const unsealed = {
    ...body,
    granteeKey: key.ownerKey,
    ephemeral: key.ephemeral,
    tag: key.tag,
    termsHash: termsHash(terms),
    validUntil: world.clock.now() + 600_000,
  };
  const views = { source: world.account('north').view, grantee: view };
  const note = await sealGrantNote(unsealed, { source: 'north', grantee: to, terms }, views);
  return { ...unsealed, note };
}

/** A referral by north, valid from an hour before the clock's time for seven days. */
export async function refer(world: ReleaseWorld, study: KeptStudy, to: string): Promise<AccessRefer> {
  const seq = (world.record(study)?.referralSeq ?? 0) + 1;
  const { note: _note, ...plain } = referBody(world.fixture, 'north', idOf(study), seq, new Uint8Array(32), {
    notBefore: world.clock.now() - 3_600_000,
    expiry: world.clock.now() + 604_800_000,
  });
  const body = await addressed(world, to, plain);
  finalise(world, world.fixture.sign(body, world.fixture.box('north').transaction));
  return body;
}

export async function declareEmergency(
  world: ReleaseWorld,
  study: KeptStudy,
  by: string,
): Promise<AccessEmergency> {
  const { note: _note, ...plain } = emergencyBody(world.fixture, by, idOf(study), new Uint8Array(32));
  const body = await addressed(world, by, plain);
  finalise(world, world.fixture.sign(body, world.fixture.box(by).transaction));
  return body;
}

export function confirmEmergency(world: ReleaseWorld, emergency: AccessEmergency): void {
  const body = confirmBody(world.fixture, emergency, { validUntil: world.clock.now() + 600_000 });
  finalise(world, world.fixture.sign(body, world.fixture.box(emergency.institution).transaction));
}

/** The source north freezes, unfreezes, rescinds or erases its study. */
export function actOn(
  world: ReleaseWorld,
  study: KeptStudy,
  type: 'study.freeze' | 'study.unfreeze' | 'study.rescind' | 'study.erase',
): void {
  const actSeq = (world.record(study)?.actSeq ?? 0) + 1;
  const change = { validUntil: world.clock.now() + 600_000 };
  finalise(world, statusAct(world.fixture, type, 'north', idOf(study), actSeq, change));
}
