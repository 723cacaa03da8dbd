/** Attestation of this box and by this box: its TPM, its answers to strangers and members, its watch over them. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AttestationAnswerer } from '../attesting/answerer.ts';
import { askMember } from '../attesting/member-exchange.ts';
import { MemberWatch } from '../attesting/member-watch.ts';
import { Standings } from '../attesting/standing.ts';
import {
  noFormerOrigins,
  type Expectation,
  type FormerOrigins,
  type ProvenTpm,
} from '../attestation/expectation.ts';
import { challengeRandomBytes } from '../attestation/limits.ts';
import { attest, type Attestation } from '../attestation/verify.ts';
import type { Config } from '../config.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { askOverHttps } from '../http/attestation-client.ts';
import { toReleaseDigest } from '../ledger/index.ts';
import type { FormerValue, Genesis, Institution, InstitutionRecord, LedgerState } from '../ledger/types.ts';
import type { InstitutionId, Ledger, Network } from '../ports.ts';
import { simulatorAuthorityFiles } from '../../tpm/index.ts';
import { TpmDevice } from './attesting-device.ts';
import type { Foundation } from './foundation.ts';
import { handedIn } from './handed-in.ts';

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** DER of all certificates in PEM files. @throws AppError CERTIFICATE_INVALID naming the file. */
async function certificatesIn(files: readonly string[]): Promise<readonly Uint8Array[]> {
  const certificates: Uint8Array[] = [];
  for (const file of files) {
    try {
      const text = await readFile(file, 'latin1');
      for (const [pem] of text.matchAll(certificatePattern)) {
        certificates.push(new Uint8Array(new X509Certificate(pem).raw));
      }
    } catch (cause) {
      throw new AppError('CERTIFICATE_INVALID', `The certificates in ${file} cannot be read.`, { cause });
    }
  }
  return certificates;
}

/** Files with what the TPM does not hold: its vendor's authorities and root. */
function authorityFiles({ tpm }: Config): readonly string[] {
  if (tpm.kind === 'swtpm') return simulatorAuthorityFiles(tpm.swtpmDir);
  return tpm.endorsementAuthorities === undefined ? [] : [tpm.endorsementAuthorities];
}

/** @param ledger undefined while the box belongs to no consortium. */
export function openAnswerer(
  { config, keys, clock }: Foundation,
  ledger: Pick<Ledger, 'state'> | undefined,
): AttestationAnswerer {
  const self = config.institution.id;
  return new AttestationAnswerer({
    self,
    device: new TpmDevice(keys.attester, () => certificatesIn(authorityFiles(config))),
    record: async () => {
      const standing = ledger?.state().institution(self);
      // Until this box has taken the place of another, the ledger still names that one.
      const isOwn = standing !== undefined && equalBytes(standing.keys.identity, keys.identityPublicKey);
      return isOwn ? standing : handedIn(config);
    },
    clock,
  });
}

/** What this member knows of another before it asks; of a candidate, with the record that was proposed. */
export function expectationOf(
  state: LedgerState,
  { development }: Pick<Genesis, 'development'>,
  {
    verifier,
    candidate,
    now,
    provenTpms,
  }: Pick<Expectation, 'verifier' | 'candidate' | 'now' | 'provenTpms'>,
  proposed?: Institution,
): Expectation {
  const own = state.institution(verifier);
  return {
    chain: state.chain,
    verifier,
    candidate,
    trust: { roots: state.parameters().endorsementRoots, development },
    record: proposed ?? state.institution(candidate),
    proposed: proposed !== undefined,
    // This box needs nobody's word for its own.
    provenTpms:
      own === undefined
        ? provenTpms
        : [{ institution: verifier, device: own.keys.device, endorsementKey: undefined }, ...provenTpms],
    bootAuthorities: state.parameters().bootAuthorities,
    releases: state.releases().filter((digest) => isAccepted(state, digest)),
    former: formerOrigins(state, proposed === undefined ? state.institution(candidate) : undefined),
    evadedSince: undefined,
    now,
  };
}

/** What counted when the ledger began to name this device: whose record is none of the ledger's has nothing of before. */
function formerOrigins(
  state: LedgerState,
  record: Pick<InstitutionRecord, 'deviceSince'> | undefined,
): FormerOrigins {
  if (record === undefined) return noFormerOrigins;
  const counted = (values: readonly FormerValue[]): readonly Uint8Array[] =>
    values.filter(({ until }) => record.deviceSince <= until).map(({ value }) => value);
  const { bootAuthorities, releases } = state.formerOrigins();
  return { bootAuthorities: counted(bootAuthorities), releases: counted(releases) };
}

function isAccepted(state: LedgerState, digest: Uint8Array): boolean {
  const acceptedAt = state.release(toReleaseDigest(digest))?.acceptedAt;
  return acceptedAt !== undefined && acceptedAt !== null;
}

/** Of a candidate: over its HTTPS port, with the record that was proposed. */
export async function attestCandidate(
  { ledger, genesis, self, now, provenTpms }: CandidateModules,
  candidate: Institution,
  signal: AbortSignal,
): Promise<Attestation> {
  const question = { verifier: self, candidate: candidate.id, now, provenTpms };
  return attest(
    expectationOf(ledger.state(), genesis, question, candidate),
    askOverHttps(candidate.endpoints.https, signal),
    new Uint8Array(randomBytes(challengeRandomBytes)),
  );
}

export interface CandidateModules {
  readonly ledger: Pick<Ledger, 'state'>;
  readonly genesis: Genesis;
  readonly self: InstitutionId;
  /** UTC milliseconds. */
  readonly now: number;
  /** What the watch over the members has found. */
  readonly provenTpms: readonly ProvenTpm[];
}

export interface WatchModules {
  readonly foundation: Foundation;
  readonly genesis: Genesis;
  readonly ledger: Pick<Ledger, 'state'>;
  readonly network: Network;
}

/** The watch over the other members, not yet started: it needs the ledger and the network. @throws AppError STORE_CORRUPT. */
export async function openMemberWatch({
  foundation,
  genesis,
  ledger,
  network,
}: WatchModules): Promise<MemberWatch> {
  const { config, clock, health, index, logger } = foundation;
  const self = config.institution.id;
  const standings = new Standings(index);
  await standings.load();
  const members = (): readonly InstitutionId[] =>
    ledger
      .state()
      .institutions()
      .map(({ id }) => id)
      .filter((id) => id !== self);
  return new MemberWatch({
    members,
    rule: () => ledger.state().parameters().attestation,
    expectationOf: (candidate, provenTpms) =>
      expectationOf(ledger.state(), genesis, { verifier: self, candidate, now: clock.now(), provenTpms }),
    keysOf: (member) => ledger.state().institution(member)?.keys,
    isConnected: (member) =>
      network.peers().some(({ institution, connected }) => institution === member && connected),
    ask: (member, signal) => askMember(network, member, signal),
    standings,
    health,
    clock,
    logger: logger.child({ room: 'attesting' }),
    random: (length) => new Uint8Array(randomBytes(length)),
  });
}
