/** What the console shows of a box and may do with it. main.ts implements it by joining the rooms. */
import type { Unsubscribe } from '../ports.ts';
import type { Overview, RequestAnswer, RequestBody, TicketBody } from './contract.ts';
import type { ConsortiumDesk } from './consortium-desk.ts';
import type { DicomDesk } from './dicom-desk.ts';

export interface BoxView {
  /** Whose box it is: shown before the login too, public on the ledger. */
  readonly institution: { readonly id: string; readonly name: string };
  /** A snapshot from memory: called for each push, so it must not touch the disk. Lists newest first. */
  overview(): Overview;
  /** The listener is called after anything that `overview()` shows has changed; it only takes note of that. */
  onChange(listener: () => void): Unsubscribe;
  /** Starts the binding of a patient's wallet. `by` is the account that did it, for the audit trail. */
  createTicket(patient: TicketBody, by: { readonly account: string }): Promise<TicketCreated>;
  /**
   * Asks the source for the study and resolves when it is kept here, or refused.
   * @throws AppError PEER_UNREACHABLE, NOT_ADMITTED.
   */
  requestStudy(request: RequestBody, by: { readonly account: string }): Promise<RequestAnswer>;
  /** What administrators do about DICOM peers. */
  readonly dicom: DicomDesk;
  /** What administrators do in the consortium. */
  readonly consortium: ConsortiumDesk;
}

export type TicketCreated =
  | { readonly kind: 'created'; readonly ticket: BindingTicket }
  /** Name, birth date or sex contradict what the box holds under this patient ID, or too many tickets are open. */
  | { readonly kind: 'refused'; readonly reason: string };

/** The QR code's content but for the certificate's hash, which the server adds. */
export interface BindingTicket {
  readonly institution: string;
  /** Origin of the wallet service, e.g. https://10.0.0.7:443. */
  readonly origin: string;
  /** One-time code in base64url, at least 128 random bits: it alone names the patient to the binding. */
  readonly code: string;
  /** Over which the wallet signs its address, 16 bytes. */
  readonly nonce: Uint8Array;
  /** Digest of the genesis document, 32 bytes. */
  readonly genesis: Uint8Array;
  /** The block after which this epoch begins: the wallet's light client starts there. */
  readonly checkpoint: { readonly epoch: number; readonly height: number; readonly digest: Uint8Array };
  /** UTC milliseconds. */
  readonly expiresAt: number;
}
