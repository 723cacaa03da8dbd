import { equalBytes } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { AppError } from '../../src/errors.ts';
import type { Attester, Endorsement, KeyOrigin, SignedAttestation } from '../../src/ports.ts';
import type { BrokerClient } from '../broker/client.ts';
import { nameOf } from '../wire/structures.ts';
import { rescueNames } from './device-policy.ts';
import { readEventLogFile } from './event-log-file.ts';
import type { StoredKeys } from './keys-file.ts';

function originOf({ origin, rescue: stored }: StoredKeys): KeyOrigin {
  const { values, creation, certified, taken } = origin;
  if (taken === undefined) throw new Error('keys count for nothing until their TPM was taken');
  const rescue = rescueNames(stored);
  return { registers: values, creation, certified, taken, ...(rescue && { rescue }) };
}

/** Endorsement, attestation and identity key as the keys file records them together; the first is compared at each use. */
export class TpmAttester implements Attester {
  readonly attestationPublicArea: Uint8Array;
  readonly attestationName: Uint8Array;
  readonly identityPublicArea: Uint8Array;
  readonly endorsementDigest: Uint8Array;
  readonly origin: KeyOrigin;
  readonly #broker: BrokerClient;
  readonly #stored: StoredKeys;
  readonly #eventLogFile: string;

  constructor(broker: BrokerClient, stored: StoredKeys, eventLogFile: string) {
    this.attestationPublicArea = stored.attestation.publicArea;
    this.attestationName = nameOf(stored.attestation.publicArea);
    this.identityPublicArea = stored.identity.publicArea;
    this.endorsementDigest = stored.endorsement.certificateDigest;
    this.origin = originOf(stored);
    this.#broker = broker;
    this.#stored = stored;
    this.#eventLogFile = eventLogFile;
  }

  async endorsement(): Promise<Endorsement> {
    const { kind, name, certificateDigest } = this.#stored.endorsement;
    const { publicArea, certificate, chain, ...now } = await this.#broker.call('readEndorsement', { kind });
    if (!equalBytes(now.name, name) || !equalBytes(sha256(certificate), certificateDigest)) {
      throw new AppError('TPM_WRONG', 'the endorsement key of the TPM is not the recorded one');
    }
    return { publicArea, name, certificate, chain };
  }

  quote(nonce: Uint8Array, registers: readonly number[]): Promise<SignedAttestation> {
    const { attestation: attestationKey, rootName } = this.#stored;
    return this.#broker.call('quote', { attestationKey, rootName, nonce, registers });
  }

  readRegisters(registers: readonly number[]): Promise<Uint8Array[]> {
    const { rootName } = this.#stored;
    return this.#broker.call('readPcrs', { registers, rootName });
  }

  eventLog(): Promise<Uint8Array> {
    return readEventLogFile(this.#eventLogFile);
  }

  activate(credential: Uint8Array, encryptedSecret: Uint8Array): Promise<Uint8Array> {
    const { attestation: attestationKey, rootName, endorsement } = this.#stored;
    const { kind } = endorsement;
    return this.#broker.call('activateCredential', {
      attestationKey,
      rootName,
      kind,
      credential,
      encryptedSecret,
    });
  }
}
