/** What a wallet keeps: its seed, where it is bound, and its own record of grants, which alone says who was granted what. */
import { decodeCanonical, encodeCanonical, type CborValue } from '../src/encoding/canonical-cbor.ts';
import { readGrantTerms, type GrantTerms } from '../src/protocol/grant-note.ts';
import { isBytes, isCount, isList, isText, mapWith, type CborMap } from '../src/encoding/cbor-fields.ts';
import { epochRecord } from '../src/ledger/index.ts';
import type { EpochRecord } from '../src/ledger/types.ts';
import { seedBytes } from '../src/protocol/accounts.ts';
import { institutionIdCharactersMax } from '../src/protocol/limits.ts';
import { boxesMax, grantsMax, walletBytesMax } from './limits.ts';
import type { BoxEndpoint } from './wallet-ports.ts';

export interface BoundBox extends BoxEndpoint {
  readonly institution: string;
  /** UTC milliseconds. */
  readonly boundAt: number;
}

/** A grant as it was signed. Recorded before it is sent, so that none can be final and unknown to its maker. */
export interface RecordedGrant {
  readonly grantId: Uint8Array;
  readonly studyId: Uint8Array;
  readonly source: string;
  readonly grantee: string;
  readonly seq: number;
  readonly expiry: number;
  /** Block time after which it can no longer become final, UTC milliseconds. */
  readonly validUntil: number;
  readonly terms: GrantTerms;
}

export interface Trust {
  readonly chain: Uint8Array;
  readonly epoch: EpochRecord;
}

export interface WalletData {
  readonly seed: Uint8Array;
  /** Which consortium, and the newest epoch whose validators are known, once the wallet is bound anywhere. */
  readonly trust: Trust | null;
  readonly boxes: readonly BoundBox[];
  readonly grants: readonly RecordedGrant[];
}

const timeMax = Number.MAX_SAFE_INTEGER;

export function encodeWallet(data: WalletData): Uint8Array {
  return encodeCanonical({
    v: 1,
    seed: data.seed,
    trust: data.trust && { chain: data.trust.chain, epoch: epochRecord.encode(data.trust.epoch) },
    boxes: data.boxes.map((box) => ({ ...box })),
    grants: data.grants.map((grant) => ({ ...grant, terms: { ...grant.terms } })),
  });
}

/** @throws RangeError if the bytes are not a wallet. */
export function decodeWallet(bytes: Uint8Array): WalletData {
  if (bytes.length > walletBytesMax) throw new RangeError('longer than a wallet');
  const map = required(decodeCanonical(bytes), ['v', 'seed', 'trust', 'boxes', 'grants']);
  const { seed, trust, boxes, grants } = map;
  if (map['v'] !== 1 || !isBytes(seed, seedBytes)) throw new RangeError('no wallet of version 1');
  if (!isList(boxes) || boxes.length > boxesMax) throw new RangeError('boxes');
  if (!isList(grants) || grants.length > grantsMax) throw new RangeError('grants');
  return {
    seed,
    trust: trust === null || trust === undefined ? null : readTrust(trust),
    boxes: boxes.map(readBox),
    grants: grants.map(readGrant),
  };
}

function required(value: CborValue, keys: readonly string[]): CborMap {
  const map = mapWith(value, keys);
  if (map === undefined) throw new RangeError(`not exactly the keys ${keys.join(', ')}`);
  return map;
}

function readTrust(value: CborValue): Trust {
  const { chain, epoch } = required(value, ['chain', 'epoch']);
  if (!isBytes(chain, 32) || !(epoch instanceof Uint8Array)) throw new RangeError('trust');
  const record = epochRecord.decode(epoch);
  if (record.kind === 'refused') throw new RangeError(`trust: ${record.detail}`);
  return { chain, epoch: record.value };
}

function readBox(value: CborValue): BoundBox {
  const map = required(value, ['institution', 'origin', 'certificateSha256', 'boundAt']);
  const { institution, origin, certificateSha256, boundAt } = map;
  if (!isText(institution, institutionIdCharactersMax) || !isText(origin, 255)) throw new RangeError('box');
  if (!isText(certificateSha256, 64) || !isCount(boundAt, timeMax)) throw new RangeError('box');
  return { institution, origin, certificateSha256, boundAt };
}

function readGrant(value: CborValue): RecordedGrant {
  const map = required(value, [
    'grantId',
    'studyId',
    'source',
    'grantee',
    'seq',
    'expiry',
    'validUntil',
    'terms',
  ]);
  const { grantId, studyId, source, grantee, seq, expiry, validUntil, terms } = map;
  if (!isBytes(grantId, 32) || !isBytes(studyId, 32)) throw new RangeError('grant ids');
  if (!isText(source, institutionIdCharactersMax) || !isText(grantee, institutionIdCharactersMax)) {
    throw new RangeError('grant institutions');
  }
  if (!isCount(seq, timeMax) || !isCount(expiry, timeMax) || !isCount(validUntil, timeMax)) {
    throw new RangeError('grant numbers');
  }
  const readTerms = readGrantTerms(terms);
  if (readTerms === undefined) throw new RangeError('grant terms');
  return { grantId, studyId, source, grantee, seq, expiry, validUntil, terms: readTerms };
}
