/** The text of a binding ticket's QR code: the wallet's contract, as JSON. */
import { toHex } from '../encoding/bytes.ts';
import type { Ticket } from '../../wallet/http-contract.ts';
import type { BindingTicket } from './box-view.ts';

export function encodeTicket(ticket: BindingTicket, certificateSha256: string): string {
  const payload: Ticket = {
    v: 1,
    institution: ticket.institution,
    origin: ticket.origin,
    certificateSha256,
    ticket: ticket.code,
    nonce: toHex(ticket.nonce),
    genesis: toHex(ticket.genesis),
    checkpoint: { ...ticket.checkpoint, digest: toHex(ticket.checkpoint.digest) },
  };
  return JSON.stringify(payload);
}
