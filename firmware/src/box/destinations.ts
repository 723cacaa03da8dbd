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
import type { Clock, Reconcile, StorageAssociation, StorageScu } from '../ports.ts';
import { workflowScu } from './workflow-scu.ts';

type ConfiguredDestination = Config['destinations'][number];

/** What `pacs`, the short form of a destination, stands for. */
function pacsInLong(pacs: NonNullable<Config['pacs']>): ConfiguredDestination {
  return {
    ...pacs,
    name: 'pacs',
    sendsAs: [],
    tls: false,
    inline: true,
    fetched: true,
    notify: false,
    commitment: false,
    paused: false,
    windows: [],
    timeZone: 'UTC',
  };
}

/** @throws AppError CONFIG_INVALID for a name that is given twice or a time zone that is not known. */
export function destinationsOf(config: Config, clock: Clock): readonly Destination[] {
  const configured = inLong(config);
  const names = new Set<string>();
  return configured.map((destination) => {
    const { name, aeTitle, sendsAs, timeZone } = destination;
    const key = `Configuration: destination "${name}"`;
    if (names.has(name)) throw new AppError('CONFIG_INVALID', `${key} is there more than once.`);
    names.add(name);
    if (!isTimeZone(timeZone)) throw new AppError('CONFIG_INVALID', `${key} names no known time zone.`);
    const peer = addressOf(destination, config, clock);
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
export function moveDestinationsOf(config: Config, clock: Clock): ReadonlyMap<string, StorageScu> {
  return new Map(
    inLong(config).map((destination) => [
      destination.aeTitle,
      storageScu(addressOf(destination, config, clock)),
    ]),
  );
}

function inLong({ pacs, destinations }: Config): readonly ConfiguredDestination[] {
  return pacs === undefined ? destinations : [pacsInLong(pacs), ...destinations];
}

function addressOf(
  { host, port, aeTitle, callingAeTitle }: ConfiguredDestination,
  { dicom }: Config,
  clock: Clock,
): PeerAddress {
  return { host, port, callingAeTitle: callingAeTitle ?? dicom.aeTitle, calledAeTitle: aeTitle, clock };
}

type PeerAddress = Pick<AssociationOptions, 'host' | 'port' | 'callingAeTitle' | 'calledAeTitle' | 'clock'>;

function storageScu(peer: PeerAddress): StorageScu {
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
