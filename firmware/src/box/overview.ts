/** What the console shows of this box, gathered from the rooms. */
import type { MemberStanding } from '../attesting/standing.ts';
import type { AccessList } from '../access/access-list.ts';
import type { Config } from '../config.ts';
import type { Forwarding } from '../forwarding/forwarding.ts';
import type { Overview, PeerView, ReleaseView, StudyView } from '../http/contract.ts';
import type { Institution } from '../ledger/types.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { ownRecordOf } from '../studies/ledger-place.ts';
import type { Disclosure } from '../release/disclosures.ts';
import { headAgeMsMax } from '../release/limits.ts';
import type { Foundation } from './foundation.ts';
import type { DiskSpace } from './disk-space.ts';
import { ownAeTitles } from './dicom-access.ts';
import { dicomTlsView } from './dicom-tls.ts';
import { peersOverviewOf } from './peers-overview.ts';
import type { Membership } from './membership.ts';
import { sidecarView } from './sidecar-overview.ts';
import type { Sidecar } from './sidecar.ts';
import { version } from './version.ts';
import type { Workflow } from './workflow.ts';

/** Rows that one overview carries; older ones stay in the store. */
export const overviewRowsMax = 200;

export interface OverviewSources {
  readonly foundation: Foundation;
  readonly membership: Membership | undefined;
  readonly forwarding: Forwarding;
  readonly access: AccessList;
  readonly workflow: Workflow;
  readonly sidecar: Sidecar | undefined;
  readonly disk: DiskSpace;
  readonly startedAt: number;
}

export function overviewOf(sources: OverviewSources): Overview {
  const { foundation, membership, forwarding, access, workflow, sidecar, disk, startedAt } = sources;
  const { config, catalogue, clock, health, keys } = foundation;
  const studies = catalogue.studies();
  return {
    time: clock.now(),
    box: {
      institution: { ...config.institution },
      version,
      startedAt,
      development: config.tpm.kind === 'swtpm',
      tpm: keys.health(),
      dicom: {
        aeTitles: [...ownAeTitles(config.dicom)],
        aeTitle: config.dicom.aeTitle,
        host: config.dicom.host,
        port: config.dicom.port,
        tls: dicomTlsView(config, foundation.certificates),
      },
      storage: {
        usedBytes: studies.reduce((sum, study) => sum + study.bytes, 0),
        freeBytes: disk.freeBytes,
        alarmFreeBytes: disk.marks.alarmFreeBytes,
        refuseFreeBytes: disk.marks.refuseFreeBytes,
        studies: studies.length,
        objects: studies.reduce((sum, study) => sum + study.objects.length, 0),
      },
    },
    workflow: workflow.waiting(),
    sidecar: sidecar === undefined ? null : sidecarView(sidecar),
    health: health.list().map((item) => ({ ...item })),
    ledger: ledgerView(foundation, membership),
    consortium: membership === undefined ? null : membership.consortium.notice(),
    peers: membership === undefined ? [] : peersView(membership, config),
    studies: newest(studies, (study) => study.lastObjectAt).map((study) =>
      studyView(study, membership, forwarding),
    ),
    ...peersOverviewOf({ ...foundation, access, forwarding }),
    releases:
      membership === undefined
        ? []
        : membership.disclosures
            .list()
            .slice(0, overviewRowsMax)
            .map((disclosure) => releaseView(disclosure, catalogue, membership)),
  };
}

function newest<Item>(items: readonly Item[], time: (item: Item) => number): Item[] {
  return [...items].sort((a, b) => time(b) - time(a)).slice(0, overviewRowsMax);
}

function ledgerView({ config, clock }: Foundation, membership: Membership | undefined): Overview['ledger'] {
  if (membership === undefined)
    return {
      height: 0,
      lastBlockAt: 0,
      stale: true,
      validator: false,
      validators: 0,
      bytes: 0,
      catchingUp: null,
    };
  const { height, time } = membership.ledger.head();
  const validators = membership.ledger.state().validators();
  return {
    height,
    lastBlockAt: time,
    stale: clock.now() - time > headAgeMsMax,
    validator: validators.includes(config.institution.id),
    validators: validators.length,
    ...membership.ledgerStatus(),
  };
}

function peersView(membership: Membership, config: Config): PeerView[] {
  const status = new Map(membership.network.peers().map((peer) => [peer.institution, peer]));
  const attestations = new Map(membership.attestations().map((each) => [each.institution, each]));
  const state = membership.ledger.state();
  return state
    .institutions()
    .filter(({ id }) => id !== config.institution.id)
    .map(({ id, name }) => ({
      institution: id,
      name,
      validator: state.validators().includes(id),
      connected: status.get(id)?.connected ?? false,
      since: status.get(id)?.since ?? null,
      attestation: attestationView(attestations.get(id)),
    }));
}

function attestationView(standing: MemberStanding | undefined): PeerView['attestation'] {
  if (standing === undefined) return null;
  const { result, since, heardAt, development, checks } = standing;
  const finding = checks.find(({ passed }) => !passed)?.finding ?? null;
  return { result, since, heardAt, development, finding };
}

function nameOf(membership: Membership | undefined, id: string): string {
  const institution: Institution | undefined = membership?.ledger.state().institution(id);
  return institution?.name ?? id;
}

function studyView(study: KeptStudy, membership: Membership | undefined, forwarding: Forwarding): StudyView {
  const { created, objects, owner, reference } = study;
  const { origin } = created;
  const fetched = origin.kind === 'fetched';
  return {
    studyInstanceUid: created.studyInstanceUid,
    patientName: created.patient.name,
    patientId: created.patient.patientId,
    modality: [
      ...new Set([
        ...(reference?.modalities ?? []),
        ...objects.map((object) => object.header.modality ?? ''),
      ]),
    ]
      .filter((name) => name !== '')
      .join(', '),
    description: created.description,
    studyDate: created.date,
    objects: study.isByReference ? (reference?.instances ?? 0) : objects.length,
    bytes: study.bytes,
    receivedAt: created.at,
    updatedAt: study.lastObjectAt,
    state: isComplete(study, membership) ? 'complete' : 'receiving',
    ledger: ledgerOf(study, membership),
    origin: originView(study, membership),
    owner: fetched
      ? 'elsewhere'
      : owner !== undefined && owner.custodySeed.length === 0
        ? 'wallet'
        : 'custody',
    deliveries: forwarding.statusOf(study).map(({ aeTitle, state, at }) => ({ aeTitle, state, at })),
  };
}

function originView({ created, pulled }: KeptStudy, membership: Membership | undefined): StudyView['origin'] {
  const { origin, callingAeTitle } = created;
  switch (origin.kind) {
    case 'fetched':
      return { kind: 'fetched', institution: origin.source, name: nameOf(membership, origin.source) };
    case 'referenced':
      return { kind: 'referenced', aeTitle: origin.pacs, pulled: pulled !== undefined };
    case 'modality':
    case 'returned':
      return { kind: 'received', aeTitle: callingAeTitle };
  }
}

/** Of a fetched study: all that its grant covers is here. Of an own one: it was closed. */
function isComplete(
  { created, studyId, latestVersion, isByReference }: KeptStudy,
  membership: Membership | undefined,
): boolean {
  if (isByReference) return true;
  if (created.origin.kind !== 'fetched') return latestVersion?.closed === true;
  return studyId !== undefined && membership?.grantee.isWhole(studyId) === true;
}

function ledgerOf(study: KeptStudy, membership: Membership | undefined): StudyView['ledger'] {
  const record = membership && ownRecordOf(membership.ledger.state(), study, membership.network.self);
  if (record === undefined) return { kind: 'waiting' };
  return { kind: 'final', at: record.amendedAt, version: record.version, closed: record.closed };
}

function releaseView(disclosure: Disclosure, catalogue: Catalogue, membership: Membership): ReleaseView {
  const study = disclosure.studyId === null ? undefined : catalogue.byStudyId(disclosure.studyId);
  return {
    id: disclosure.id,
    direction: disclosure.direction,
    at: disclosure.at,
    institution: disclosure.institution,
    institutionName: nameOf(membership, disclosure.institution),
    patientName: study?.created.patient.name ?? null,
    studyDescription: study?.created.description ?? null,
    outcome: disclosure.outcome,
    reason: disclosure.reason,
    objects: disclosure.objects,
    bytes: disclosure.bytes,
  };
}
