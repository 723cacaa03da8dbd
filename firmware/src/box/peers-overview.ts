/** What the console shows of DICOM peers, gathered from the rooms: callers, quarantine, destinations. */
import type { AccessList, ListedCaller, PendingCaller } from '../access/access-list.ts';
import type { Forwarding } from '../forwarding/forwarding.ts';
import type { DestinationStatus, ObjectsSetAside } from '../forwarding/status.ts';
import type { Overview } from '../http/contract.ts';
import type {
  CallerView,
  DestinationView,
  PendingCallerView,
  QuarantinedView,
} from '../http/dicom-contract.ts';
import type { QuarantineEntry } from '../ingest/quarantine.ts';
import { isReleasable, reasonText } from '../ingest/quarantined.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { peerNamed, type DestinationPeer } from './destinations.ts';
import type { Foundation } from './foundation.ts';

export interface PeerSources extends Pick<
  Foundation,
  'config' | 'clock' | 'certificates' | 'catalogue' | 'quarantine'
> {
  readonly access: AccessList;
  readonly forwarding: Forwarding;
}

export function peersOverviewOf(
  sources: PeerSources,
): Pick<Overview, 'access' | 'quarantine' | 'destinations'> {
  const { access, quarantine } = sources;
  const callers = access.callers();
  return {
    access: {
      pending: access.pending().map(pendingView),
      callers: callers.map(callerView),
      callersCount: callers.length,
    },
    quarantine: {
      count: quarantine.count,
      bytes: quarantine.bytes,
      objects: quarantine.list().map(quarantinedView),
    },
    destinations: destinationsView(sources),
  };
}

function quarantinedView(entry: QuarantineEntry): QuarantinedView {
  const { id, at, callingAeTitle, stored, header, identity } = entry;
  return {
    id,
    at,
    callingAeTitle,
    reason: reasonText(entry),
    bytes: stored.length,
    patientName: header.patientName ?? '',
    patientId: header.patientId ?? '',
    modality: header.modality ?? '',
    description: header.studyDescription ?? '',
    sopInstanceUid: identity.sopInstanceUid,
    releasable: isReleasable(entry),
  };
}

function callerView({ id, caller, admitted, seen }: ListedCaller): CallerView {
  const { addresses, certificates, calledAeTitles, may } = caller;
  return {
    ...caller,
    id,
    addresses: [...addresses],
    certificates: [...certificates],
    calledAeTitles: [...calledAeTitles],
    may: [...may],
    admitted,
    seen: seen === null ? null : { ...seen, lacked: [...seen.lacked] },
  };
}

function pendingView({ id, request, ground, firstAt, lastAt, count }: PendingCaller): PendingCallerView {
  const { callingAeTitle, calledAeTitle, remoteAddress, certificate, sopClassUids } = request;
  return {
    id,
    callingAeTitle,
    calledAeTitle,
    remoteAddress,
    certificate:
      certificate === undefined
        ? null
        : { sha256: certificate.sha256, commonName: certificate.commonName ?? null },
    sopClassUids: [...sopClassUids],
    ground,
    firstAt,
    lastAt,
    count,
  };
}

function destinationsView(sources: PeerSources): DestinationView[] {
  const { catalogue, forwarding } = sources;
  const setAside = forwarding.setAside().toSorted((a, b) => b.at - a.at);
  // Only what was refused names studies.
  const studies = setAside.length === 0 ? [] : catalogue.studies();
  const byRef = new Map(studies.map((study) => [study.ref, study]));
  return forwarding.destinations().map((destination) => {
    const own = setAside.filter((aside) => aside.destination === destination.name);
    return destinationView(
      destination,
      peerNamed(destination.name, sources),
      own.map((aside) => setAsideView(aside, byRef.get(aside.studyRef))),
    );
  });
}

function destinationView(
  { name, aeTitle, state, failing, waiting, setAside: setAsideObjects }: DestinationStatus,
  peer: DestinationPeer | undefined,
  setAside: DestinationView['setAside'],
): DestinationView {
  return {
    name,
    aeTitle,
    host: peer?.host ?? '',
    port: peer?.port ?? 0,
    state: state === 'held back' ? 'held-back' : state,
    failing: failing ?? null,
    waitingStudies: waiting.studies,
    waitingObjects: waiting.objects,
    setAsideObjects,
    setAside,
  };
}

function setAsideView(
  { studyRef, objects, reason, at }: ObjectsSetAside,
  study: KeptStudy | undefined,
): DestinationView['setAside'][number] {
  return {
    studyRef,
    patientName: study?.created.patient.name ?? '',
    description: study?.created.description ?? '',
    objects,
    reason,
    at,
  };
}
