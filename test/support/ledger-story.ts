import {
  basisId,
  buildBlock,
  encodeTransaction,
  genesisBlock,
  idBytes,
} from '../../firmware/src/ledger/index.ts';
import type { Block, LedgerState, StudyId, Transaction } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { consortiumChapters } from './consortium-story.ts';
import { studyChapters } from './study-story.ts';

export interface NamedTransaction {
  readonly name: string;
  readonly transaction: Transaction;
}

/** The transactions of one block. Revocations and objections go first in a block: they have blocks of their own. */
export interface Chapter {
  /** Milliseconds after the block before. */
  readonly afterMs: number;
  readonly transactions: readonly NamedTransaction[];
}

/** One of each transaction in an order in which all apply: the golden vectors are made from it. */
export interface LedgerStory {
  readonly ledger: LedgerFixture;
  readonly studies: readonly StudyId[];
  readonly transactions: readonly NamedTransaction[];
  /** Block 0, and a block of each chapter. */
  readonly blocks: readonly Block[];
  readonly state: LedgerState;
}

function firstChapters(ledger: LedgerFixture): {
  readonly studies: readonly StudyId[];
  readonly chapters: readonly Chapter[];
} {
  const owner = signerOf('owner');
  const grantee = signerOf('grantee');
  const source = ledger.box('north').transaction;
  const registration = ledger.register('north', 'batch', [owner, signerOf('second owner')]);
  const [study] = registration.ids as readonly [StudyId, StudyId];
  const amended = bytesOf(`commitment ${study} 2`);
  const first = ledger.grantBody(study, 1, grantee.publicKey);
  const second = ledger.grantBody(study, 2, grantee.publicKey, { amendments: false, maxOpens: 1 });
  const late = ledger.grantBody(study, 7, grantee.publicKey);
  const open = ledger.openBody('north', first, 1, amended);
  const transactions = [
    { name: 'registration of two studies', transaction: registration.transaction },
    { name: 'amendment that closes a study', transaction: ledger.amend('north', study, 2, { closed: true }) },
    { name: 'grant with amendments', transaction: ledger.sign(first, owner) },
    { name: 'open', transaction: ledger.sign(open, grantee, source) },
    { name: 'close', transaction: ledger.sign(ledger.closeBody(open), grantee, source) },
    { name: 'grant without amendments', transaction: ledger.sign(second, owner) },
    {
      name: 'revocation of one grant that has not arrived',
      transaction: ledger.sign(ledger.revokeBody(study, { basisId: idBytes(basisId(late)) }), owner),
    },
    {
      name: 'revocation of one grant',
      transaction: ledger.sign(ledger.revokeBody(study, { basisId: idBytes(basisId(second)) }), owner),
    },
    {
      name: 'revocation of all grants so far',
      transaction: ledger.sign(ledger.revokeBody(study, { upTo: 2 }), owner),
    },
  ];
  return {
    studies: registration.ids,
    chapters: [
      { afterMs: 60_000, transactions: transactions.slice(0, 6) },
      { afterMs: 60_000, transactions: transactions.slice(6) },
    ],
  };
}

/** @throws Error if a transaction of the story does not apply. */
export function tellLedgerStory(): LedgerStory {
  const ledger = new LedgerFixture();
  const { studies, chapters: first } = firstChapters(ledger);
  const chapters = [...first, ...studyChapters(ledger), ...consortiumChapters(ledger)];
  const blocks = [genesisBlock(ledger.genesis)];
  let state = ledger.initial;
  for (const { afterMs, transactions } of chapters) {
    const parent = blocks.at(-1) as Block;
    const built = buildBlock(state, parent.header, {
      view: parent.header.view + 2,
      time: parent.header.time + afterMs,
      proposer: 'south',
      candidates: transactions.map(({ transaction }) => encodeTransaction(transaction)),
      verify: verifySignature,
    });
    const [refused] = built.refused;
    if (refused !== undefined) throw new Error(`the story stops: ${refused.reason}`);
    blocks.push(built.block);
    state = built.state;
  }
  return {
    ledger,
    studies,
    transactions: chapters.flatMap(({ transactions }) => transactions),
    blocks,
    state,
  };
}
