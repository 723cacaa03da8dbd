/** The candidate's side: claims, and proves by the TPM what was claimed. It keeps nothing between the two rounds. */
import { sha256 } from '../encoding/hash.ts';
import { attestationBinding, attestationProof } from '../attestation/binding.ts';
import { encodeRecord } from '../attestation/judge-record.ts';
import {
  decodeAttestationRequest,
  encodeAttestationAnswer,
  type AttestationAnswer,
  type AttestationRefusal,
  type Challenge,
} from '../attestation/messages.ts';
import { nameOf } from '../../tpm/wire/structures.ts';
import type { Institution } from '../ledger/types.ts';
import type { Clock, InstitutionId } from '../ports.ts';
import type { AttestingDevice } from './device.ts';
import { memberAnswerMsMin, strangerAnswerMsMin, strangersWaitingMax } from './limits.ts';
import { Strangers } from './strangers.ts';
import { TpmTurns } from './tpm-turns.ts';

export interface AnswererOptions {
  readonly self: InstitutionId;
  readonly device: AttestingDevice;
  /** This institution's record: as the ledger has it, or as it was handed in to be admitted. */
  readonly record: () => Promise<Institution>;
  readonly clock: Clock;
}

/** Who asks: a member that the network has authenticated, or anybody from this address (or network of addresses). */
export type Asker = { readonly member: InstitutionId } | { readonly stranger: string };

/** What all strangers share. The name is no id of an institution. */
const turnOfStrangers = {
  asker: '*',
  intervalMs: strangerAnswerMsMin,
  waitingMax: strangersWaitingMax,
};

const refused = (reason: AttestationRefusal['reason']): AttestationRefusal => ({ type: 'refused', reason });

export class AttestationAnswerer {
  readonly #options: AnswererOptions;
  readonly #turns = new TpmTurns();
  readonly #strangers = new Strangers();

  constructor(options: AnswererOptions) {
    this.#options = options;
  }

  /** Undefined for bytes that no verifier sends. @throws AppError of the TPM. */
  async answer(asker: Asker, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const request = decodeAttestationRequest(bytes);
    if (request === undefined) return undefined;
    const { self, device } = this.#options;
    if (request.candidate !== self) return encodeAttestationAnswer(refused('not-me'));
    return encodeAttestationAnswer(
      request.type === 'introduce' ? await device.claim() : await this.#prove(asker, request),
    );
  }

  async #prove(asker: Asker, challenge: Challenge): Promise<AttestationAnswer> {
    if ('stranger' in asker) return this.#proveToStranger(asker.stranger, challenge);
    // Who asks in another's name would have an answer that only the other may use.
    if (asker.member !== challenge.verifier) return refused('not-me');
    const turn = { asker: asker.member, intervalMs: memberAnswerMsMin };
    const evidence = this.#turns.take(turn, this.#options.clock.now(), () => this.#evidence(challenge));
    return evidence ?? refused('busy');
  }

  /** Whoever sends what no box can answer takes nobody's turn. */
  async #proveToStranger(address: string, challenge: Challenge): Promise<AttestationAnswer> {
    const { clock } = this.#options;
    const now = clock.now();
    if (!this.#strangers.mayTakeTurn(address, now)) return refused('busy');
    const evidence = this.#turns.take(turnOfStrangers, now, () => this.#evidence(challenge));
    if (evidence === undefined) {
      this.#strangers.waits(address, now);
      return refused('busy');
    }
    this.#strangers.takesTurn(address, now);
    const answer = await evidence;
    if (answer.type === 'refused') {
      this.#turns.giveBack(turnOfStrangers.asker, now);
      this.#strangers.wasWrong(address, clock.now());
    }
    return answer;
  }

  async #evidence(challenge: Challenge): Promise<AttestationAnswer> {
    const { device } = this.#options;
    const secret = await device.activate(challenge.blob, challenge.seed);
    if (secret === undefined) return refused('not-answerable');
    const { certificates, attestationKey, identityKey } = await device.claim();
    const names = {
      endorsement: sha256(certificates[0] ?? new Uint8Array(0)),
      attestationKey: nameOf(attestationKey),
      identityKey: nameOf(identityKey),
    };
    const record = encodeRecord(await this.#options.record());
    const binding = attestationBinding(challenge, names, record);
    const { attest, signature } = await device.quote(binding);
    return {
      type: 'evidence',
      attest,
      signature,
      registers: await device.registers(),
      eventLog: await device.eventLog(),
      record,
      proof: attestationProof(secret, binding, attest),
    };
  }
}
