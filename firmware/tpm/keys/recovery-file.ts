/**
 * The recovery file: what must survive a dead TPM, sealed to the recovery code. The box holds only the public half of
 * what the code opens, so that it can write the file anew without the code when a key in it changes.
 *
 * "HREC" ‖ u8 version = 1 ‖ enc (32) ‖ ct, where enc and ct are HPKE (RFC 9180) base mode, DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-256-GCM, info = domainPrefix("recovery-file"), aad = all before enc ‖ lp(institution), over the
 * canonical CBOR of { boxKey, nextBoxKey (null unless it is just taking the other's place), accountSeed }. The recipient's private key is X25519's of H("recovery-key", code).
 *
 * It holds no voting key: a box that comes back with another TPM votes with a new one, or it could vote twice. Nor does it
 * hold transaction and transport keys: the ledger names new ones together with the new identity key. Whoever may write
 * to the disk may replace the file; what it then holds opens no study, and is found out so.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, HpkeError } from '@hpke/core';
import { concatBytes, equalBytes, fromHex, lengthPrefixed, u8, utf8 } from '../../src/encoding/bytes.ts';
import { encodeCanonical } from '../../src/encoding/canonical-cbor.ts';
import { decodeIfCanonical, isBytes, mapWith } from '../../src/encoding/cbor-fields.ts';
import { domainPrefix, hash } from '../../src/encoding/hash.ts';

export interface RecoverySecrets {
  /** Wraps the study keys, 32 bytes. */
  readonly boxKey: Uint8Array;
  /** While keys are being wrapped under it: some are, some are not yet. */
  readonly nextBoxKey?: Uint8Array;
  /** Of the institution's account, 32 bytes. */
  readonly accountSeed: Uint8Array;
}

const secretBytes = 32;
const encBytes = 32;
const head = concatBytes(utf8('HREC'), u8(1));

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** WebCrypto takes views of plain ArrayBuffers only. */
const plain = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
const info = plain(domainPrefix('recovery-file'));
const associated = (institutionId: string): Uint8Array<ArrayBuffer> =>
  plain(concatBytes(head, lengthPrefixed(utf8(institutionId))));

/** RFC 8410, section 7: PrivateKeyInfo of an X25519 key up to its 32 bytes. */
const privateKeyPrefix = fromHex('302e020100300506032b656e04220420');

const privateKeyInfo = (code: Uint8Array): Uint8Array<ArrayBuffer> =>
  plain(concatBytes(privateKeyPrefix, hash('recovery-key', code)));

/** The public key to which the recovery file is sealed, X25519, 32 bytes. */
export function recoveryKeyOf(code: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.from(privateKeyInfo(code)), format: 'der', type: 'pkcs8' });
  // The public key ends its SubjectPublicKeyInfo (RFC 8410, section 4).
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' })).slice(-encBytes);
}

export async function sealRecovery(
  recoveryKey: Uint8Array,
  institutionId: string,
  { boxKey, nextBoxKey, accountSeed }: RecoverySecrets,
): Promise<Uint8Array> {
  const recipientPublicKey = await crypto.subtle.importKey('raw', plain(recoveryKey), 'X25519', true, []);
  const content = encodeCanonical({ boxKey, nextBoxKey: nextBoxKey ?? null, accountSeed });
  const { enc, ct } = await suite.seal(
    { recipientPublicKey, info },
    plain(content),
    associated(institutionId),
  );
  return concatBytes(head, new Uint8Array(enc), new Uint8Array(ct));
}

function readSecrets(content: Uint8Array): RecoverySecrets | undefined {
  const map = mapWith(decodeIfCanonical(content), ['boxKey', 'nextBoxKey', 'accountSeed']);
  if (map === undefined) return undefined;
  const { boxKey, nextBoxKey, accountSeed } = map;
  if (!isBytes(boxKey, secretBytes) || !isBytes(accountSeed, secretBytes)) return undefined;
  if (nextBoxKey === null) return { boxKey, accountSeed };
  return isBytes(nextBoxKey, secretBytes) ? { boxKey, nextBoxKey, accountSeed } : undefined;
}

/** Undefined if the file is damaged, of another institution, or sealed to another code. */
export async function openRecovery(
  code: Uint8Array,
  institutionId: string,
  file: Uint8Array,
): Promise<RecoverySecrets | undefined> {
  const encEnd = head.length + encBytes;
  if (file.length <= encEnd || !equalBytes(file.subarray(0, head.length), head)) return undefined;
  const recipientKey = await crypto.subtle.importKey('pkcs8', privateKeyInfo(code), 'X25519', true, [
    'deriveBits',
  ]);
  try {
    const content = await suite.open(
      { recipientKey, enc: plain(file.subarray(head.length, encEnd)), info },
      plain(file.subarray(encEnd)),
      associated(institutionId),
    );
    return readSecrets(new Uint8Array(content));
  } catch (cause) {
    // Damaged, or sealed to another code: an answer, not a fault.
    if (cause instanceof HpkeError) return undefined;
    throw cause;
  }
}
