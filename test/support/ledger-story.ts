import {
  buildBlock,
  encodeTransaction,
  genesisBlock,
  grantId,
  idBytes,
  type BuiltBlock,
} from '../../firmware/src/ledger/index.ts';
import type { Block, LedgerState, StudyId, Transaction } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';

/** One of each transaction in an order in which all apply: the golden vectors are made from it. */
export interface LedgerStory {
  readonly ledger: LedgerFixture;
  readonly studies: readonly StudyId[];
  readonly transactions: readonly { readonly name: string; readonly transaction: Transaction }[];
  /** Block 0, a block of all but the revocations, and a block of these: in one block they would go first. */
  readonly blocks: readonly [Block, Block, Block];
  readonly state: LedgerState;
}

export function tellLedgerStory(): LedgerStory {
  const ledger = new LedgerFixture();
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
      transaction: ledger.sign(ledger.revokeBody(study, { grantId: idBytes(grantId(late)) }), owner),
    },
    {
      name: 'revocation of one grant',
      transaction: ledger.sign(ledger.revokeBody(study, { grantId: idBytes(grantId(second)) }), owner),
    },
    {
      name: 'revocation of all grants so far',
      transaction: ledger.sign(ledger.revokeBody(study, { upTo: 2 }), owner),
    },
  ];
  const encoded = transactions.map(({ transaction }) => encodeTransaction(transaction));
  const genesis = genesisBlock(ledger.genesis);
  const build = (state: LedgerState, parent: Block, candidates: readonly Uint8Array[]): BuiltBlock =>
    buildBlock(state, parent.header, {
      view: parent.header.view + 2,
      time: parent.header.time + 60_000,
      proposer: 'south',
      candidates,
      verify: verifySignature,
    });
  const one = build(ledger.initial, genesis, encoded.slice(0, 6));
  const two = build(one.state, one.block, encoded.slice(6));
  return {
    ledger,
    studies: registration.ids,
    transactions,
    blocks: [genesis, one.block, two.block],
    state: two.state,
  };
}
