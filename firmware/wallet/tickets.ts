/** Reading a reception's ticket: the JSON text of its QR code. */
import { Check } from 'typebox/value';
import { TicketSchema, type Ticket } from './http-contract.ts';

/** The ticket, or undefined if the text is none. */
export function parseTicket(text: string): Ticket | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
  return Check(TicketSchema, value) ? value : undefined;
}
