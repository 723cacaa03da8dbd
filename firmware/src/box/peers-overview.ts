/** What the console shows of DICOM peers, gathered from the rooms: callers, quarantine, destinations. */
import type { AccessList, ListedCaller, PendingCaller } from '../access/access-list.ts';
import type { Config } from '../config.ts';
import type { Forwarding } from '../forwarding/forwarding.ts';
import type { DestinationStatus, ObjectsSetAside } from '../forwarding/status.ts';
import type { Overview } from '../http/contract.ts';
import type {
  CallerView,
  DestinationView,
  PendingCallerView,
  QuarantinedView,
} from '../http/dicom-contract.ts';
import type { Quarantine, QuarantineEntry } from '../ingest/quarantine.ts';
import { isReleasable, reasonText } from '../ingest/quarantined.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { KeptStudy } from '../studies/kept-study.ts';

export interface PeerSources {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly quarantine: Quarantine;
  readonly access: AccessList;
  readonly forwarding: Forwarding;
}

export function peersOverviewOf({
  config,
  catalogue,
  quarantine,
  access,
  forwarding,
}: PeerSources): Pick<Overview, 'access' | 'quarantine' | 'destinations'> {
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
    destinations: destinationsView(config, catalogue, forwarding),
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

/** Where a destination of the configuration is reached. */
export interface DestinationAddress {
  readonly host: string;
  readonly port: number;
  readonly aeTitle: string;
  readonly callingAeTitle?: string;
}

/** By the name that its queue has: that of the short form is "pacs". */
export function addressOf({ pacs, destinations }: Config, name: string): DestinationAddress | undefined {
  return (
    destinations.find((destination) => destination.name === name) ?? (name === 'pacs' ? pacs : undefined)
  );
}

function destinationsView(config: Config, catalogue: Catalogue, forwarding: Forwarding): DestinationView[] {
  const setAside = forwarding.setAside().toSorted((a, b) => b.at - a.at);
  // Only what was refused names studies.
  const studies = setAside.length === 0 ? [] : catalogue.studies();
  const byRef = new Map(studies.map((study) => [study.ref, study]));
  return forwarding.destinations().map((destination) => {
    const own = setAside.filter((aside) => aside.destination === destination.name);
    return destinationView(
      destination,
      addressOf(config, destination.name),
      own.map((aside) => setAsideView(aside, byRef.get(aside.studyRef))),
    );
  });
}

function destinationView(
  { name, aeTitle, state, failing, waiting, setAside: setAsideObjects }: DestinationStatus,
  address: DestinationAddress | undefined,
  setAside: DestinationView['setAside'],
): DestinationView {
  return {
    name,
    aeTitle,
    host: address?.host ?? '',
    port: address?.port ?? 0,
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
