/**
 * TPM2_MakeCredential (TPM 2.0 part 3, 12.6; part 1, section 24) without a TPM: a secret that only the TPM with this
 * endorsement key gives out, and only if the key with this Name is in the same TPM.
 */
import { cfb } from '@noble/ciphers/aes.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { concatBytes } from '../encoding/bytes.ts';
import { sized } from '../../tpm/wire/structures.ts';
import { digestBytesOf, hmacOf, kdfA, kdfE, label } from './key-derivation.ts';
import type { EndorsementKey } from './public-area.ts';
import { importRsa, type RsaEndorsementKey } from './web-key.ts';

export interface Credential {
  /** TPMS_ID_OBJECT (part 2, 12.4.3). */
  readonly blob: Uint8Array;
  /** TPMU_ENCRYPTED_SECRET (11.4.2): a point or an RSA ciphertext, from which the TPM has the seed. */
  readonly seed: Uint8Array;
}

interface SharedSeed {
  readonly seed: Uint8Array;
  readonly encrypted: Uint8Array;
}

const use = 'IDENTITY';
/** Part 1, 24.4: the initialization vector is zero, since each key serves once. */
const noVector = new Uint8Array(16);

/** Part 1, C.6.1: one-pass Diffie-Hellman with an ephemeral key. */
function eccSeed(key: EndorsementKey & { readonly kind: 'ecc' }, random: Uint8Array): SharedSeed {
  const group = key.curve === 'P-256' ? p256 : p384;
  const coordinateBytes = (key.point.length - 1) / 2;
  const ephemeral = group.keygen(random.subarray(0, group.lengths.seed));
  const own = group.Point.fromBytes(ephemeral.publicKey).toBytes(false).subarray(1);
  const shared = group.getSharedSecret(ephemeral.secretKey, key.point, false);
  const x = (point: Uint8Array) => point.subarray(0, coordinateBytes);
  const y = (point: Uint8Array) => point.subarray(coordinateBytes);
  const seed = kdfE(key.hash, x(shared.subarray(1)), use, x(own), x(key.point.subarray(1)));
  return { seed, encrypted: concatBytes(sized(x(own)), sized(y(own))) };
}

/** Part 1, B.10.3: OAEP with the label. WebCrypto brings the padding's own randomness. */
async function rsaSeed(key: RsaEndorsementKey, random: Uint8Array): Promise<SharedSeed> {
  const seed = random.slice(0, digestBytesOf(key.hash));
  const encrypted = await crypto.subtle.encrypt(
    { name: 'RSA-OAEP', label: label(use) },
    await importRsa(key),
    seed,
  );
  return { seed, encrypted: new Uint8Array(encrypted) };
}

/**
 * @param name of the key that must be in the same TPM, 34 bytes.
 * @param secret at most as long as a digest of the endorsement key's hash.
 * @param random 72 bytes that nobody else knows, of which a part is used.
 * @throws Error if the endorsement key is no point of its curve, or no RSA key.
 */
export async function makeCredential(
  key: EndorsementKey,
  name: Uint8Array,
  secret: Uint8Array,
  random: Uint8Array,
): Promise<Credential> {
  if (secret.length > digestBytesOf(key.hash)) throw new RangeError('the secret is too long for the key');
  const { seed, encrypted } = key.kind === 'ecc' ? eccSeed(key, random) : await rsaSeed(key, random);
  const storageKey = kdfA(key.hash, seed, 'STORAGE', name, key.aesBits);
  const identity = cfb(storageKey, noVector).encrypt(sized(secret));
  const integrityKey = kdfA(key.hash, seed, 'INTEGRITY', new Uint8Array(0), 8 * digestBytesOf(key.hash));
  const integrity = hmacOf(key.hash, integrityKey, concatBytes(identity, name));
  return { blob: concatBytes(sized(integrity), identity), seed: encrypted };
}
