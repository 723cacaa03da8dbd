/** The destinations of the configuration as the forwarding room sees them, over the DICOM room's associations. */
import {
  openAssociation,
  replaceElements,
  type Association,
  type AssociationOptions,
} from '../../dimse/index.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Destination } from '../forwarding/destination.ts';
import { isTimeZone } from '../forwarding/time-window.ts';
import type { Reconcile, StorageAssociation, StorageScu } from '../ports.ts';
import { tlsDestination } from './dicom-tls.ts';
import type { Foundation } from './foundation.ts';
import { workflowScu } from './workflow-scu.ts';

type ConfiguredDestination = Config['destinations'][number];

/** What `pacs`, the short form of a destination, stands for. */
function pacsInLong(pacs: NonNullable<Config['pacs']>): ConfiguredDestination {
  return {
    ...pacs,
    name: 'pacs',
    sendsAs: [],
    tls: false,
    tlsNameChecked: true,
    inline: true,
    fetched: true,
    notify: false,
    commitment: false,
    paused: false,
    windows: [],
    timeZone: 'UTC',
  };
}

type Sources = Pick<Foundation, 'config' | 'clock' | 'certificates'>;

/**
 * @throws AppError CONFIG_INVALID for a name that is given twice, a time zone that is not known, or TLS without
 * certificates.
 */
export function destinationsOf(sources: Sources): readonly Destination[] {
  const configured = inLong(sources.config);
  const names = new Set<string>();
  return configured.map((destination) => {
    const { name, aeTitle, sendsAs, timeZone } = destination;
    const key = `Configuration: destination "${name}"`;
    if (names.has(name)) throw new AppError('CONFIG_INVALID', `${key} is there more than once.`);
    names.add(name);
    if (!isTimeZone(timeZone)) throw new AppError('CONFIG_INVALID', `${key} names no known time zone.`);
    if (destination.tls && sources.certificates === undefined)
      throw new AppError('CONFIG_INVALID', `${key} is reached over TLS, and there is no dicom.tls.`);
    const peer = peerOf(destination, sources);
    return {
      ...destination,
      sendsAs: [aeTitle, ...sendsAs],
      bytesPerSecondMax: destination.bytesPerSecondMax,
      scu: storageScu(peer),
      workflow: workflowScu(peer),
    };
  });
}

/** By AE title: where a C-MOVE may send. */
export function moveDestinationsOf(sources: Sources): ReadonlyMap<string, StorageScu> {
  return new Map(
    inLong(sources.config).map((destination) => [
      destination.aeTitle,
      storageScu(peerOf(destination, sources)),
    ]),
  );
}

/** Where the destination of this name is reached, and how; that of the short form is "pacs". */
export function peerNamed(name: string, sources: Sources): DestinationPeer | undefined {
  const destination = inLong(sources.config).find((one) => one.name === name);
  return destination && peerOf(destination, sources);
}

function inLong({ pacs, destinations }: Config): readonly ConfiguredDestination[] {
  return pacs === undefined ? destinations : [pacsInLong(pacs), ...destinations];
}

/** For the options of an association, to be spread when it is opened: certificates change while the box runs. */
export type DestinationPeer = Pick<
  AssociationOptions,
  'host' | 'port' | 'callingAeTitle' | 'calledAeTitle' | 'clock' | 'tls'
>;

function peerOf(
  { host, port, aeTitle, callingAeTitle, tls, tlsNameChecked }: ConfiguredDestination,
  { config: { dicom }, clock, certificates }: Sources,
): DestinationPeer {
  const plain = {
    host,
    port,
    callingAeTitle: callingAeTitle ?? dicom.aeTitle,
    calledAeTitle: aeTitle,
    clock,
  };
  if (!tls) return plain;
  return {
    ...plain,
    get tls() {
      return tlsDestination(certificates, tlsNameChecked);
    },
  };
}

function storageScu(peer: DestinationPeer): StorageScu {
  return {
    open: async (contexts, signal) => {
      const proposed = contexts.map(({ sopClassUid, transferSyntaxUids }) => ({
        abstractSyntax: sopClassUid,
        transferSyntaxes: transferSyntaxUids,
      }));
      return storageAssociation(await openAssociation({ ...peer, contexts: proposed, signal }));
    },
  };
}

function storageAssociation(association: Association): StorageAssociation {
  return {
    get isOpen() {
      return association.isOpen;
    },
    accepted: association.contexts.map(({ abstractSyntax, transferSyntax }) => ({
      sopClassUid: abstractSyntax,
      transferSyntaxUid: transferSyntax,
    })),
    store: async (instance, dataSet, moveOriginator) =>
      (await association.store(instance, dataSet, moveOriginator)).status,
    release: () => association.release(),
    abort: () => association.abort(),
  };
}

/** Identifiers of the hospital in place of the foreign ones, which go to the Original Attributes Sequence. */
export const reconcileWith =
  (modifyingSystem: string): Reconcile =>
  (dataSet, transferSyntaxUid, { patientId, issuer, source, at }) =>
    replaceElements(dataSet, transferSyntaxUid, {
      values: { patientId, issuerOfPatientId: issuer },
      modifiedAt: at,
      modifyingSystem,
      sourceOfPreviousValues: source,
    });
