/**
 * A device whose TPM is this file: it signs whatever a test wants a TPM to have said, so that refusals can be tested
 * which no real TPM would give cause for. What a real TPM says, test/vectors/attestation holds.
 */
import { cfb } from '@noble/ciphers/aes.js';
import { p256, p384 } from '@noble/curves/nist.js';
import type { AttestingDevice } from '../../firmware/src/attesting/device.ts';
import { kdfA, kdfE, hmacOf } from '../../firmware/src/attestation/key-derivation.ts';
import { attestedRegisters, type Claim } from '../../firmware/src/attestation/messages.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { concatBytes, equalBytes, u16, u32, u8, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { keysMessage } from '../../firmware/src/ledger/index.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { encodeEventLog, eventType, type BootEvent } from '../../firmware/tpm/simulator/event-log.ts';
import { algorithm, curve, objectAttribute } from '../../firmware/tpm/wire/constants.ts';
import { WireReader } from '../../firmware/tpm/wire/reader.ts';
import { devicePolicyOf, type RescueNames } from '../../firmware/tpm/wire/device-policy.ts';
import { originStatement } from '../../firmware/tpm/wire/key-origin.ts';
import { aes256Cfb, nameOf, pcrSelection, sized } from '../../firmware/tpm/wire/structures.ts';
import { publicArea } from '../../firmware/tpm/wire/templates.ts';
import type { EndorsementWish, TpmVendor } from '../support/tpm-vendor.ts';
import { boxOf, bytesOf, institutionOf } from './ledger.ts';

const { fixedTpm, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign, decrypt } =
  objectAttribute;
const bound = fixedTpm | fixedParent | sensitiveDataOrigin;

export const goodAttributes = {
  endorsement: bound | restricted | decrypt,
  attestation: bound | userWithAuth | restricted | sign,
  identity: bound | sign,
} as const;

const nothing = u16(algorithm.null);
const attestTag = { quote: 0x8018, creation: 0x801a } as const;

export interface FakeDeviceWish {
  readonly attributes?: Partial<Record<keyof typeof goodAttributes, number>>;
  readonly identityPolicy?: Uint8Array;
  /** Told with the claim; the identity key's policy has it where no other is wished. */
  readonly rescue?: RescueNames;
  /** What was measured when the keys were made and the TPM was taken; a good boot unless told. */
  readonly making?: readonly BootEvent[];
  readonly taking?: readonly BootEvent[];
  readonly endorsement?: EndorsementWish;
  readonly boot?: readonly BootEvent[];
}

/** Each register measured into once. */
export const measuredBoot: readonly BootEvent[] = attestedRegisters.map((register) => ({
  register,
  type: eventType.efiAction,
  digest: sha256(utf8(`measured into ${register}`)),
  data: utf8(`measured into ${register}`),
}));

function signingArea(point: Uint8Array, attributes: number, policy: Uint8Array): Uint8Array {
  return publicArea({
    kind: algorithm.ecc,
    attributes,
    policy,
    parameters: concatBytes(nothing, u16(algorithm.ecdsa), u16(algorithm.sha256), u16(curve.p256), nothing),
    unique: concatBytes(sized(point.subarray(1, 33)), sized(point.subarray(33))),
  });
}

function endorsementArea(point: Uint8Array, attributes: number): Uint8Array {
  return publicArea({
    kind: algorithm.ecc,
    nameAlgorithm: algorithm.sha384,
    attributes,
    policy: new Uint8Array(48).fill(0x0e),
    parameters: concatBytes(aes256Cfb, nothing, u16(curve.p384), nothing),
    unique: concatBytes(sized(point.subarray(1, 49)), sized(point.subarray(49))),
  });
}

/** TPMS_ATTEST up to what is attested. */
function attestOf(tag: number, qualifying: Uint8Array, attested: Uint8Array, resets = 0): Uint8Array {
  return concatBytes(
    u32(0xff54_4347),
    u16(tag),
    sized(new Uint8Array(34)),
    sized(qualifying),
    new Uint8Array(8),
    u32(resets),
    u32(0),
    u8(1),
    new Uint8Array(8),
    attested,
  );
}

/** What `attestedRegisters` hold after a boot. */
function registersAfter(boot: readonly BootEvent[]): readonly Uint8Array[] {
  return attestedRegisters.map((register) =>
    boot
      .filter((event) => event.register === register)
      .reduce<Uint8Array>((value, { digest }) => sha256(concatBytes(value, digest)), new Uint8Array(32)),
  );
}

/** TPMS_CREATION_DATA of a key under a storage root key whose Name is made up. */
export function creationOf(
  values: readonly Uint8Array[],
  registers: readonly number[] = attestedRegisters,
): Uint8Array {
  const name = sized(new Uint8Array(34));
  return concatBytes(
    pcrSelection(registers),
    sized(sha256(concatBytes(...values))),
    u8(1),
    u16(algorithm.sha256),
    name,
    name,
    sized(new Uint8Array(0)),
  );
}

export class FakeDevice implements AttestingDevice {
  readonly institution: string;
  readonly #endorsementSecret: Uint8Array;
  readonly #attestationSecret: Uint8Array;
  readonly #identitySecret: Uint8Array;
  readonly #boot: readonly BootEvent[];
  readonly parts: Claim;
  /** How often its TPM was reset, as a quote tells it. */
  resets = 7;
  /** TPM operations that were asked for. */
  operations = 0;

  private constructor(institution: string, wish: FakeDeviceWish, certificates: readonly Uint8Array[]) {
    const attributes = { ...goodAttributes, ...wish.attributes };
    this.institution = institution;
    this.#boot = wish.boot ?? measuredBoot;
    this.#endorsementSecret = FakeDevice.#endorsementSecretOf(institution);
    this.#attestationSecret = bytesOf(`attestation ${institution}`);
    this.#identitySecret = bytesOf(`identity ${institution}`);
    const identityPoint = p256.getPublicKey(this.#identitySecret, false);
    const policy = wish.identityPolicy ?? devicePolicyOf(wish.rescue);
    const identityKey = signingArea(identityPoint, attributes.identity, policy);
    const attestationPoint = p256.getPublicKey(this.#attestationSecret, false);
    const attestationKey = signingArea(attestationPoint, attributes.attestation, new Uint8Array(0));
    const originRegisters = registersAfter(wish.making ?? measuredBoot);
    const creation = creationOf(originRegisters);
    const certification = attestOf(
      attestTag.creation,
      new Uint8Array(0),
      concatBytes(sized(nameOf(identityKey)), sized(sha256(creation))),
    );
    const taken = this.quoteOf(
      originStatement(nameOf(identityKey), nameOf(attestationKey)),
      registersAfter(wish.taking ?? wish.making ?? measuredBoot),
    );
    this.parts = {
      type: 'claim',
      certificates,
      endorsementKey: endorsementArea(
        p384.getPublicKey(this.#endorsementSecret, false),
        attributes.endorsement,
      ),
      attestationKey,
      identityKey,
      certification,
      signature: this.sign(certification),
      creation,
      originRegisters,
      taken: taken.attest,
      takenSignature: taken.signature,
      rescueKey: wish.rescue?.key ?? new Uint8Array(0),
      rescueLock: wish.rescue?.lockName ?? new Uint8Array(0),
    };
  }

  static async make(institution: string, vendor: TpmVendor, wish: FakeDeviceWish = {}): Promise<FakeDevice> {
    const point = p384.getPublicKey(FakeDevice.#endorsementSecretOf(institution), false);
    const key = readEndorsementKey(endorsementArea(point, goodAttributes.endorsement));
    const own = await vendor.certify(key, wish.endorsement);
    return new FakeDevice(institution, wish, [own, ...vendor.authorities]);
  }

  static #endorsementSecretOf(institution: string): Uint8Array {
    return concatBytes(bytesOf(`endorsement ${institution}`), new Uint8Array(16).fill(1));
  }

  /** The institution's record, which names this device. */
  get record(): Institution {
    const institution = institutionOf(boxOf(this.institution), 0);
    const keys = { ...institution.keys, device: this.device };
    const message = keysMessage(this.institution, keys);
    return { ...institution, keys: { ...keys, certificate: p256.sign(message, this.#identitySecret) } };
  }

  get device(): Institution['keys']['device'] {
    const { certificates, attestationKey } = this.parts;
    return {
      attestationKey: nameOf(attestationKey),
      endorsement: sha256(certificates[0] ?? new Uint8Array(0)),
    };
  }

  /** By the attestation key, whatever it is. */
  sign(attest: Uint8Array): Uint8Array {
    return p256.sign(attest, this.#attestationSecret, { lowS: false });
  }

  claim(): Promise<Claim> {
    return Promise.resolve(this.parts);
  }

  /** TPM2_ActivateCredential (TPM 2.0 part 3, 12.5). */
  activate(blob: Uint8Array, seed: Uint8Array): Promise<Uint8Array | undefined> {
    this.operations += 1;
    const reader = new WireReader(blob);
    const integrity = reader.sized();
    const identity = reader.bytes(reader.remaining);
    const point = new WireReader(seed);
    const ephemeral = concatBytes(u8(4), point.sized(), point.sized());
    const own = p384.getPublicKey(this.#endorsementSecret, false);
    const shared = p384.getSharedSecret(this.#endorsementSecret, ephemeral, false);
    const x = (of: Uint8Array) => of.subarray(1, 49);
    const common = kdfE('SHA-384', x(shared), 'IDENTITY', x(ephemeral), x(own));
    const name = nameOf(this.parts.attestationKey);
    const key = kdfA('SHA-384', common, 'INTEGRITY', new Uint8Array(0), 384);
    if (!equalBytes(hmacOf('SHA-384', key, concatBytes(identity, name)), integrity))
      return Promise.resolve(undefined);
    const storage = kdfA('SHA-384', common, 'STORAGE', name, 256);
    const secret = cfb(storage, new Uint8Array(16)).decrypt(identity);
    return Promise.resolve(new WireReader(secret).sized());
  }

  async quote(binding: Uint8Array): Promise<{ attest: Uint8Array; signature: Uint8Array }> {
    this.operations += 1;
    return this.quoteOf(binding, await this.registers());
  }

  /** Of whatever a test wants the registers to hold. */
  quoteOf(
    binding: Uint8Array,
    values: readonly Uint8Array[],
    registers: readonly number[] = attestedRegisters,
  ): { readonly attest: Uint8Array; readonly signature: Uint8Array } {
    const attested = concatBytes(pcrSelection(registers), sized(sha256(concatBytes(...values))));
    const attest = attestOf(attestTag.quote, binding, attested, this.resets);
    return { attest, signature: this.sign(attest) };
  }

  registers(): Promise<readonly Uint8Array[]> {
    return Promise.resolve(registersAfter(this.#boot));
  }

  eventLog(): Promise<Uint8Array> {
    return Promise.resolve(encodeEventLog(this.#boot));
  }
}
