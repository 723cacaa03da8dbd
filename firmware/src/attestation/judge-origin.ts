/**
 * Where the identity key comes from. Its policy asks what the TPM approves now; but who had the owner's authorization
 * before the box took the TPM approves what he likes for ever. So the key must have been made, and the TPM been taken, by a
 * firmware that the consortium accepts, which makes sure that nobody has it.
 */
import { concatBytes, equalBytes, toHex } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { originStatement } from '../../tpm/wire/key-origin.ts';
import { pcrSelection } from '../../tpm/wire/structures.ts';
import { isSignedBy, readQuote, type Creation, type Quote } from './attest.ts';
import type { Expectation } from './expectation.ts';
import type { ClaimedDevice } from './judge-claim.ts';
import { attestedRegisters } from './messages.ts';
import {
  authorityRegister,
  firmwareRegister,
  isNamed,
  isOfRelease,
  registerOf,
  unmeasured,
} from './named-registers.ts';
import { failed, passed, type Check } from './verdict.ts';

/** What a claim says of it, of which the attestation key certified the creation data alone. */
export interface ClaimedOrigin {
  readonly creation: Creation;
  /** Values of `attestedRegisters` when the key was made. */
  readonly registers: readonly Uint8Array[];
  /** TPMS_ATTEST and r ‖ s. */
  readonly taken: Uint8Array;
  readonly takenSignature: Uint8Array;
}

const name = 'key-origin';

/** The quote of who took the TPM; undefined if the attestation key signed none. */
function quoteOf({ attestationKey, origin }: ClaimedDevice): Quote | undefined {
  if (!isSignedBy(attestationKey.point, origin.taken, origin.takenSignature)) return undefined;
  try {
    return readQuote(origin.taken);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Why the values are not those of both the making and the taking; undefined if they are. */
function contradiction(device: ClaimedDevice): string | undefined {
  const { creation, registers } = device.origin;
  const held = sha256(concatBytes(...registers));
  const isOf = ({ selection, digest }: Creation): boolean =>
    registers.length === attestedRegisters.length &&
    equalBytes(selection, pcrSelection(attestedRegisters)) &&
    equalBytes(digest, held);
  if (!isOf(creation)) return 'The TPM did not make the identity key while its registers held these values.';
  const quote = quoteOf(device);
  const { identityKey, attestationKey } = device.names;
  if (quote === undefined || !equalBytes(quote.extraData, originStatement(identityKey, attestationKey)))
    return 'No firmware says that it made these keys and took the TPM.';
  return isOf(quote)
    ? undefined
    : 'The firmware that took the TPM is not the one that made the identity key.';
}

type OriginExpectation = Pick<Expectation, 'bootAuthorities' | 'releases' | 'former'>;

/** Why the consortium does not take that firmware; undefined if it does, or did when it took the device. */
function objection(
  { origin: { registers }, development }: ClaimedDevice,
  { bootAuthorities, releases, former }: OriginExpectation,
): string | undefined {
  const [authority, firmware] = [
    registerOf(registers, authorityRegister),
    registerOf(registers, firmwareRegister),
  ];
  const told = (value: Uint8Array): string => toHex(value).slice(0, 16);
  // What was dropped says nothing where nothing is named: then a development consortium does not judge at all.
  const mayBeAnything = (list: readonly Uint8Array[]): boolean => development && list.length === 0;
  if (!development && registers.some((value) => equalBytes(value, unmeasured)))
    return 'The identity key was made in a boot that nothing measured.';
  if (!mayBeAnything(bootAuthorities) && !isNamed(authority, [...bootAuthorities, ...former.bootAuthorities]))
    return `The identity key was made under a boot authority that the consortium does not name (PCR 7 began with ${told(authority)}).`;
  if (!mayBeAnything(releases) && !isOfRelease(firmware, [...releases, ...former.releases]))
    return `The identity key was made by a firmware that is no release that the consortium accepted (PCR 11 began with ${told(firmware)}).`;
  return undefined;
}

export function judgeOrigin(device: ClaimedDevice, expectation: OriginExpectation): Check {
  const finding = contradiction(device) ?? objection(device, expectation);
  if (finding !== undefined) return failed(name, finding);
  const { bootAuthorities, releases } = expectation;
  return bootAuthorities.length === 0 || releases.length === 0
    ? passed(
        name,
        'One firmware made the identity key and took the TPM; which one, a development consortium does not judge.',
      )
    : passed(
        name,
        'A release that the consortium accepted made the identity key, and has taken the TPM since.',
      );
}
