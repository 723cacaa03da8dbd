/** Second round: what the TPM itself says, and whether it is the TPM of the claim. */
import { concatBytes, equalBytes, toHex } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { pcrSelection } from '../../tpm/wire/structures.ts';
import { isSignedBy, readQuote, type Quote, type ResetCount } from './attest.ts';
import { attestationBinding, attestationProof } from './binding.ts';
import type { Attempt } from './challenge.ts';
import { readEventLog, replay, type LoggedEvent } from './event-log.ts';
import type { Expectation } from './expectation.ts';
import { attestedRegisters, type Evidence } from './messages.ts';
import { judgeOrigin } from './judge-origin.ts';
import { judgeRecord } from './judge-record.ts';
import {
  authorityRegister,
  firmwareRegister,
  isNamed,
  isOfRelease,
  registerOf,
  unmeasured,
} from './named-registers.ts';
import { failed, passed, type Check, type Verdict } from './verdict.ts';

export interface EvidenceJudgement extends Pick<Verdict, 'registers' | 'resetCount' | 'endorsementKey'> {
  readonly checks: readonly Check[];
}

const nothingProved = { registers: undefined, resetCount: undefined, endorsementKey: undefined };

function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function checkRegisters(quote: Quote, values: readonly Uint8Array[]): Check {
  if (!equalBytes(quote.selection, pcrSelection(attestedRegisters)))
    return failed('registers', 'The quote is of other registers.');
  return values.length === attestedRegisters.length &&
    equalBytes(quote.digest, sha256(concatBytes(...values)))
    ? passed('registers', `The quote is of PCRs ${attestedRegisters.join(' and ')} with these values.`)
    : failed('registers', 'The values of the registers are not those that were quoted.');
}

function checkMeasured(values: readonly Uint8Array[], development: boolean): Check {
  if (!values.some((value) => equalBytes(value, unmeasured)))
    return passed('measured', 'Every register was measured into.');
  return development
    ? passed('measured', 'A register is empty, which a development consortium takes.')
    : failed('measured', 'A register is empty: nothing measured this boot.');
}

function checkEventLog(events: readonly LoggedEvent[] | undefined, values: readonly Uint8Array[]): Check {
  if (events === undefined) return failed('event-log', 'The event log cannot be read.');
  for (const [at, register] of attestedRegisters.entries()) {
    if (!equalBytes(replay(events, register), values[at] ?? unmeasured))
      return failed('event-log', `The event log does not make what PCR ${register} holds.`);
  }
  return passed('event-log', 'The event log makes what the registers hold.');
}

/** Without it nobody knows that what was measured into PCR 11 also is what runs. */
function checkBootAuthority(
  values: readonly Uint8Array[],
  authorities: readonly Uint8Array[],
  development: boolean,
): Check {
  const value = registerOf(values, authorityRegister);
  const name = toHex(value).slice(0, 16);
  if (authorities.length === 0)
    return development
      ? passed('boot-authority', `PCR 7 begins with ${name}, not judged: a development consortium takes it.`)
      : failed(
          'boot-authority',
          `PCR 7 begins with ${name}, not judged: the consortium has named no boot authority to hold it against.`,
        );
  return isNamed(value, authorities)
    ? passed(
        'boot-authority',
        `The boot authority is one that the consortium named (PCR 7 begins with ${name}).`,
      )
    : failed(
        'boot-authority',
        `The boot authority is none that the consortium named (PCR 7 begins with ${name}).`,
      );
}

function checkFirmware(
  values: readonly Uint8Array[],
  releases: readonly Uint8Array[],
  development: boolean,
): Check {
  const value = registerOf(values, firmwareRegister);
  const name = toHex(value).slice(0, 16);
  if (releases.length === 0)
    return development
      ? passed('firmware', `PCR 11 begins with ${name}, not judged: a development consortium takes it.`)
      : failed(
          'firmware',
          `PCR 11 begins with ${name}, not judged: the consortium has accepted no release to hold it against.`,
        );
  return isOfRelease(value, releases)
    ? passed(
        'firmware',
        `The firmware is a release that the consortium accepted (PCR 11 begins with ${name}).`,
      )
    : failed(
        'firmware',
        `The firmware is no release that the consortium accepted (PCR 11 begins with ${name}).`,
      );
}

/** A box that runs what nobody may see answers nobody until the good firmware is back: that takes a start. */
function checkResets({ resetCount }: Quote, before: ResetCount | undefined): Check {
  if (before === undefined)
    return passed('resets', 'The box has put no questioner off since it last attested.');
  return resetCount.resets === before.resets && resetCount.resumes === before.resumes
    ? passed('resets', 'The box put questioners off, and was not started anew meanwhile.')
    : failed(
        'resets',
        'The box put questioners off and was started anew meanwhile: nobody knows what ran on it.',
      );
}

export function judgeEvidence(
  evidence: Evidence,
  { device, challenge, secret }: Attempt,
  expectation: Expectation,
): EvidenceJudgement {
  const { attest, signature, registers, eventLog, record, proof } = evidence;
  if (!isSignedBy(device.attestationKey.point, attest, signature)) {
    const unsigned = failed('quote-signature', 'The attestation key did not sign the quote.');
    return { checks: [unsigned], ...nothingProved };
  }
  const quote = readOrUndefined(() => readQuote(attest));
  if (quote === undefined) {
    return { checks: [failed('quote-signature', 'What was signed is no quote.')], ...nothingProved };
  }
  const binding = attestationBinding(challenge, device.names, record);
  const fresh = equalBytes(quote.extraData, binding);
  const activated = equalBytes(proof, attestationProof(secret, binding, attest));
  const events = readOrUndefined(() => readEventLog(eventLog));
  const quoted = checkRegisters(quote, registers);
  const checks = [
    passed('quote-signature', 'The attestation key signed the quote.'),
    fresh
      ? passed('nonce', 'The quote was made for this question, this device and this record.')
      : failed('nonce', 'The quote was made for another question, another device or another record.'),
    activated
      ? passed('credential', 'The TPM of the endorsement key holds the attestation key.')
      : failed(
          'credential',
          'The TPM of the endorsement key did not show that it holds the attestation key.',
        ),
    checkResets(quote, expectation.evadedSince),
    quoted,
    checkMeasured(registers, device.development),
    checkEventLog(events, registers),
    checkBootAuthority(registers, expectation.bootAuthorities, device.development),
    checkFirmware(registers, expectation.releases, device.development),
    judgeOrigin(device, expectation),
    ...judgeRecord(record, device, expectation),
  ];
  return {
    checks,
    registers: fresh && quoted.passed ? registers : undefined,
    resetCount: fresh ? quote.resetCount : undefined,
    endorsementKey: fresh && activated ? device.endorsementKeyDigest : undefined,
  };
}
