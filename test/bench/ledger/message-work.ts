/** What a message costs by the table of costs.ts: what is not a signature, which the boxes charge where they check it. */
import { decodeBlock, decodeTransaction } from '../../../firmware/src/ledger/index.ts';
import { decodeMessage } from '../../../firmware/src/validator/messages.ts';
import type { Costs } from './costs.ts';
import type { MessageWork } from './wide-network.ts';

/** @throws Error of what is no message: the boxes here send no others. */
export function messageWork(bytes: Uint8Array, costs: Costs): MessageWork {
  const carriageMs = costs.messageMs + costs.messageByteMs * bytes.length;
  const decoded = decodeMessage(bytes);
  if (decoded.kind === 'refused') throw new Error(`a box sent what is no message: ${decoded.reason}`);
  const { message } = decoded;
  const workMs =
    message.type === 'transaction'
      ? transactionMs(message.transaction, costs, 'judgeMs')
      : message.type === 'proposal'
        ? executionMs(message.block, costs)
        : 0;
  return { sendMs: carriageMs, receiveMs: carriageMs + workMs };
}

/** Executing an encoded block, or building it. */
export function executionMs(block: Uint8Array, costs: Costs): number {
  const decoded = decodeBlock(block);
  if (decoded.kind === 'refused') throw new Error(`a box sent what is no block: ${decoded.reason}`);
  return decoded.block.transactions.reduce(
    (sum, transaction) => sum + transactionMs(transaction, costs, 'executeMs'),
    0,
  );
}

/** Keys are judged once, when the transaction comes. */
export function transactionMs(bytes: Uint8Array, costs: Costs, what: 'judgeMs' | 'executeMs'): number {
  const decoded = decodeTransaction(bytes);
  if (decoded.kind === 'refused') throw new Error(`a box sent what is no transaction: ${decoded.reason}`);
  const { body } = decoded.transaction;
  if (body.type === 'study.registerBulk') return bytes.length * costs.bulkByteMs;
  const keys = what === 'judgeMs' && body.type === 'access.grant' ? (body.leaf === undefined ? 1 : 2) : 0;
  return costs[what] + keys * costs.keyOrderMs;
}
