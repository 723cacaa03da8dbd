/** The TPM of this box as it attests, with the certificates that lead from its endorsement key to the vendor's root. */
import { X509Certificate } from 'node:crypto';
import { certificatesMax } from '../attestation/limits.ts';
import { attestedRegisters, type Claim } from '../attestation/messages.ts';
import type { AttestingDevice } from '../attesting/device.ts';
import { AppError } from '../errors.ts';
import type { Attester } from '../ports.ts';
import { kindOf, TpmError } from '../../tpm/index.ts';

/**
 * The endorsement key's certificate, then its issuer's, and so on, as far as these lead; the rest is left out. Whether the
 * signatures hold, the verifier finds out.
 */
export function endorsementPath(own: Uint8Array, others: readonly Uint8Array[]): readonly Uint8Array[] {
  const left = others.map((der) => ({ der, certificate: new X509Certificate(der) }));
  const path = [own];
  let last = new X509Certificate(own);
  while (last.subject !== last.issuer && path.length < certificatesMax) {
    const { issuer } = last;
    const next = left.find(({ certificate }) => certificate.subject === issuer);
    if (next === undefined) break;
    path.push(next.der);
    last = next.certificate;
  }
  return path;
}

/**
 * The TPM refuses credentials that were made for other keys, or that are none: whoever sent them hears no more. That it is
 * gone, busy or not believed is no fault of his. @throws AppError of the TPM.
 */
export async function unlessRefused(activation: Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await activation;
  } catch (error) {
    const cause = error instanceof AppError ? error.cause : undefined;
    if (cause instanceof TpmError && ['integrity', 'refused'].includes(kindOf(cause.code, cause.command)))
      return undefined;
    throw error;
  }
}

export class TpmDevice implements AttestingDevice {
  readonly #attester: Attester;
  readonly #authorities: () => Promise<readonly Uint8Array[]>;
  #claim: Promise<Claim> | undefined;

  /** @param authorities DER of the vendor's authorities and root, as files have them: they come before the TPM's own. */
  constructor(attester: Attester, authorities: () => Promise<readonly Uint8Array[]>) {
    this.#attester = attester;
    this.#authorities = authorities;
  }

  /** Made once; a failure is not kept. */
  async claim(): Promise<Claim> {
    const claim = (this.#claim ??= this.#makeClaim());
    try {
      return await claim;
    } catch (error) {
      if (this.#claim === claim) this.#claim = undefined;
      throw error;
    }
  }

  async #makeClaim(): Promise<Claim> {
    const attester = this.#attester;
    const { publicArea, certificate, chain } = await attester.endorsement();
    const { certified, taken, creation, registers, rescue } = attester.origin;
    return {
      type: 'claim',
      certificates: endorsementPath(certificate, [...(await this.#authorities()), ...chain]),
      endorsementKey: publicArea,
      attestationKey: attester.attestationPublicArea,
      identityKey: attester.identityPublicArea,
      certification: certified.attested,
      signature: certified.signature,
      creation,
      originRegisters: registers,
      taken: taken.attested,
      takenSignature: taken.signature,
      rescueKey: rescue?.key ?? new Uint8Array(0),
      rescueLock: rescue?.lockName ?? new Uint8Array(0),
    };
  }

  activate(blob: Uint8Array, seed: Uint8Array): Promise<Uint8Array | undefined> {
    return unlessRefused(this.#attester.activate(blob, seed));
  }

  async quote(binding: Uint8Array): Promise<{ readonly attest: Uint8Array; readonly signature: Uint8Array }> {
    const { attested, signature } = await this.#attester.quote(binding, attestedRegisters);
    return { attest: attested, signature };
  }

  registers(): Promise<readonly Uint8Array[]> {
    return this.#attester.readRegisters(attestedRegisters);
  }

  eventLog(): Promise<Uint8Array> {
    return this.#attester.eventLog();
  }
}
