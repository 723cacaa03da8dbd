/** Final blocks of a peer, verified and executed on top of this box's own. */
import type { Certificate } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { blockDigest, executeBlock, transactionsRoot } from '../ledger/index.ts';
import type { Block } from '../ledger/types.ts';
import type { VerifySignature } from '../ports.ts';
import type { ExecutedBlock, NewlyFinal } from './final-chain.ts';
import { certifies, executedBlock } from './final-chain.ts';
import { assertFormatKnown } from './known-format.ts';

/** Blocks that end with a certified one. */
export type CertifiedBlocks = readonly { readonly block: Block; readonly certificate: Certificate | null }[];

/**
 * Executes the blocks, which begin just above this one. Each certificate is checked by the keys of its epoch, which the
 * block that closed the epoch before brings; and before anything that it makes final is executed. Undefined: they are
 * not what the certificates claim, or those are none.
 * @throws AppError FORMAT_UNKNOWN; STORE_CORRUPT if what a quorum made final does not execute on the ledger of this box.
 */
export function executeCertified(
  tip: ExecutedBlock,
  blocks: CertifiedBlocks,
  verify: VerifySignature,
): NewlyFinal[] | undefined {
  const final: NewlyFinal[] = [];
  let at = tip;
  for (const group of groupsOf(blocks)) {
    if (!isCertified(at, group, verify)) return undefined;
    for (const { block, certificate } of group) {
      at = execute(at, block, verify);
      final.push({ executed: at, certificate });
    }
  }
  return final;
}

/** Blocks up to and with a certified one each. What follows the last certified one is left out. */
function groupsOf(blocks: CertifiedBlocks): CertifiedBlocks[] {
  const groups: CertifiedBlocks[] = [];
  let start = 0;
  for (const [index, { certificate }] of blocks.entries()) {
    if (certificate === null) continue;
    groups.push(blocks.slice(start, index + 1));
    start = index + 1;
  }
  return groups;
}

function isCertified(at: ExecutedBlock, group: CertifiedBlocks, verify: VerifySignature): boolean {
  let parent = at.digest;
  for (const { block } of group) {
    if (!equalBytes(block.header.parent, parent)) return false;
    if (!equalBytes(transactionsRoot(block.transactions), block.header.transactionsRoot)) return false;
    // A block that closes its epoch has a certificate of its own: a group never spans two epochs.
    if (block.header.epoch !== at.state.epoch().number) return false;
    parent = blockDigest(block.header);
  }
  const last = group.at(-1);
  return (
    last !== undefined &&
    last.certificate !== null &&
    certifies(at.state, last.block, last.certificate, verify)
  );
}

function execute(at: ExecutedBlock, block: Block, verify: VerifySignature): ExecutedBlock {
  assertFormatKnown(at.state, block.header.height);
  const result = executeBlock(at.state, at.block.header, block, { verify });
  if (result.kind === 'invalid') {
    throw new AppError(
      'STORE_CORRUPT',
      `final block ${block.header.height} does not execute on the ledger of this box`,
    );
  }
  return executedBlock(block, result.state, result.transactions);
}
