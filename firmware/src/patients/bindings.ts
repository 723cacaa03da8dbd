/**
 * Which wallet belongs to which local patient ID. Reception makes a ticket for a patient who stands at the desk; the
 * wallet answers it with its address here. Kept encrypted: this is patient data.
 */
import { randomBytes } from 'node:crypto';
import { decodeCanonical, encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { toHex } from '../encoding/bytes.ts';
import type { ChainId } from '../ledger/types.ts';
import type { Clock, InstitutionId, KeyValueStore, VerifySignature } from '../ports.ts';
import { readAddress } from '../protocol/addresses.ts';
import { ticketMsMax, ticketsMax } from './limits.ts';
import { samePerson, type LocalPatient } from '../studies/patient-identity.ts';

export interface Binding {
  readonly patient: LocalPatient;
  /** S and V of the wallet's account at this institution. */
  readonly spend: Uint8Array;
  readonly view: Uint8Array;
  readonly boundAt: number;
}

export interface OpenTicket {
  readonly code: string;
  readonly nonce: Uint8Array;
  readonly expiresAt: number;
}

interface PendingTicket extends OpenTicket {
  readonly patient: LocalPatient;
}

export interface BindingsOptions {
  readonly store: KeyValueStore;
  readonly institution: InstitutionId;
  readonly chain: ChainId;
  readonly verify: VerifySignature;
  readonly clock: Clock;
}

const prefix = 'binding/';

function toValue(binding: Binding): CborValue {
  return { ...binding, patient: { ...binding.patient } };
}

export class Bindings {
  readonly #options: BindingsOptions;
  readonly #byAccount = new Map<string, Binding>();
  readonly #byPatientId = new Map<string, Binding>();
  readonly #tickets = new Map<string, PendingTicket>();

  constructor(options: BindingsOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    for await (const [, value] of this.#options.store.list(prefix)) {
      this.#add(decodeCanonical(value) as unknown as Binding);
    }
  }

  get count(): number {
    return this.#byAccount.size;
  }

  /** A ticket for this patient, or why there can be none. */
  createTicket(patient: LocalPatient): OpenTicket | { readonly refused: string } {
    const now = this.#options.clock.now();
    for (const [code, ticket] of this.#tickets) if (ticket.expiresAt <= now) this.#tickets.delete(code);
    if (this.#tickets.size >= ticketsMax)
      return { refused: 'Too many tickets are open; wait until some lapse.' };
    const bound = this.#byPatientId.get(patient.patientId);
    if (bound !== undefined && !samePerson(bound.patient, patient)) {
      return { refused: 'Name, birth date or sex contradict what is held under this patient ID.' };
    }
    const ticket = {
      code: randomBytes(16).toString('base64url'),
      nonce: randomBytes(16),
      expiresAt: now + ticketMsMax,
      patient,
    };
    this.#tickets.set(ticket.code, ticket);
    return ticket;
  }

  /** Binds the address to the ticket's patient. A ticket serves once; why it does not serve is not told apart. */
  async bind(code: string, encodedAddress: Uint8Array): Promise<boolean> {
    const { clock, store, institution, chain, verify } = this.#options;
    const ticket = this.#tickets.get(code);
    if (ticket === undefined || ticket.expiresAt <= clock.now()) return false;
    const read = readAddress(encodedAddress, { chain, institution, nonce: ticket.nonce, verify });
    if (read.kind === 'refused') return false;
    this.#tickets.delete(code);
    const binding: Binding = { patient: ticket.patient, ...read.address, boundAt: clock.now() };
    const key = prefix + toHex(binding.spend);
    await store.write([{ put: key, value: encodeCanonical(toValue(binding)) }]);
    this.#add(binding);
    return true;
  }

  /** The wallet of the patient whom a study names; only if name, birth date and sex match as well. */
  ofPatient(patient: LocalPatient): Binding | undefined {
    const binding = this.#byPatientId.get(patient.patientId);
    return binding !== undefined && samePerson(binding.patient, patient) ? binding : undefined;
  }

  ofAccount(spend: Uint8Array): Binding | undefined {
    return this.#byAccount.get(toHex(spend));
  }

  #add(binding: Binding): void {
    this.#byAccount.set(toHex(binding.spend), binding);
    // A later binding of the same patient (a new phone) takes the place of the earlier one for new studies.
    const earlier = this.#byPatientId.get(binding.patient.patientId);
    if (earlier === undefined || earlier.boundAt <= binding.boundAt) {
      this.#byPatientId.set(binding.patient.patientId, binding);
    }
  }
}
