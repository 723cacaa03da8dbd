/** The studies' part of the ledger's story: registered in bulk, opened up, handed over, taken back. */
import { bytesOf, genesisTime, signerOf, type LedgerFixture } from '../fakes/ledger.ts';
import {
  completeBody,
  confirmBody,
  emergencyBody,
  objectBody,
  reassignBody,
  referBody,
  registerBulk,
  statusAct,
  transferBody,
} from '../fakes/ledger-studies.ts';
import type { StudyId, StudyLeaf } from '../../firmware/src/ledger/types.ts';
import type { Chapter } from './ledger-story.ts';

/** Block by block. Objections go first in a block, so the one here has a block of its own. */
export function studyChapters(ledger: LedgerFixture): readonly Chapter[] {
  const owners = ['first of the batch', 'second of the batch', 'third of the batch'].map(signerOf);
  const [owner, second] = owners as [(typeof owners)[number], (typeof owners)[number]];
  const next = signerOf('next owner');
  const grantee = signerOf('grantee');
  const north = ledger.box('north').transaction;
  const south = ledger.box('south').transaction;
  const bulk = registerBulk(ledger, 'north', 'bulk', owners);
  const [one, two, three] = bulk.ids as [StudyId, StudyId, StudyId];
  const [leaf, leafOfTwo, leafOfThree] = bulk.leaves as [StudyLeaf, StudyLeaf, StudyLeaf];
  const emergency = emergencyBody(ledger, 'south', one, grantee.publicKey);
  const opening = ledger.openBody('north', emergency, 1, bytesOf('commitment bulk 0 1'));
  const first = reassignBody(ledger, 'north', two, next, { leaf: leafOfTwo });
  const again = reassignBody(ledger, 'north', two, next, { actSeq: 2 });
  const complete = completeBody(ledger, again, { validUntil: genesisTime + 30 * 86_400_000 });
  return [
    {
      afterMs: 60_000,
      transactions: [
        { name: 'registration of three studies in bulk', transaction: bulk.transaction },
        {
          name: 'grant that opens a study up',
          transaction: ledger.sign(ledger.grantBody(one, 1, grantee.publicKey, { leaf }), owner),
        },
        {
          name: 'referral',
          transaction: ledger.sign(referBody(ledger, 'north', one, 1, grantee.publicKey), north),
        },
        { name: 'emergency', transaction: ledger.sign(emergency, south) },
        {
          name: 'confirmation of an emergency',
          transaction: ledger.sign(confirmBody(ledger, emergency), south),
        },
        { name: 'open under an emergency', transaction: ledger.sign(opening, grantee, north) },
        {
          name: 'transfer',
          transaction: ledger.sign(transferBody(ledger, one, next), owner, next),
        },
        { name: 'reassignment that opens a study up', transaction: ledger.sign(first, north) },
        {
          name: 'freeze that opens a study up',
          transaction: statusAct(ledger, 'study.freeze', 'north', three, 1, { leaf: leafOfThree }),
        },
        { name: 'unfreeze', transaction: statusAct(ledger, 'study.unfreeze', 'north', three, 2) },
        { name: 'rescission', transaction: statusAct(ledger, 'study.rescind', 'north', three, 3) },
        { name: 'erasure', transaction: statusAct(ledger, 'study.erase', 'north', three, 4) },
      ],
    },
    {
      afterMs: 60_000,
      transactions: [
        { name: 'objection', transaction: ledger.sign(objectBody(ledger, first, 'owner'), second) },
        { name: 'reassignment', transaction: ledger.sign(again, north) },
      ],
    },
    {
      afterMs: ledger.initial.parameters().objectionMs,
      transactions: [{ name: 'completion of a reassignment', transaction: ledger.sign(complete, north) }],
    },
  ];
}
