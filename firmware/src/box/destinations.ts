/** The destinations of the configuration as the forwarding room sees them, over the DICOM room's associations. */
import { openAssociation, replaceElements, type Association } from '../../dimse/index.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Destination } from '../forwarding/destination.ts';
import { isTimeZone } from '../forwarding/time-window.ts';
import type { Clock, Reconcile, StorageAssociation, StorageScu } from '../ports.ts';

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
export function destinationsOf({ pacs, destinations, dicom }: Config, clock: Clock): readonly Destination[] {
  const configured = pacs === undefined ? destinations : [pacsInLong(pacs), ...destinations];
  const names = new Set<string>();
  return configured.map((destination) => {
    const { name, aeTitle, sendsAs, timeZone } = destination;
    const key = `Configuration: destination "${name}"`;
    if (names.has(name)) throw new AppError('CONFIG_INVALID', `${key} is there more than once.`);
    names.add(name);
    if (!isTimeZone(timeZone)) throw new AppError('CONFIG_INVALID', `${key} names no known time zone.`);
    return {
      ...destination,
      sendsAs: [aeTitle, ...sendsAs],
      bytesPerSecondMax: destination.bytesPerSecondMax,
      scu: storageScu(destination, destination.callingAeTitle ?? dicom.aeTitle, clock),
    };
  });
}

function storageScu(
  { host, port, aeTitle }: ConfiguredDestination,
  callingAeTitle: string,
  clock: Clock,
): StorageScu {
  return {
    open: async (contexts, signal) => {
      const association = await openAssociation({
        host,
        port,
        callingAeTitle,
        calledAeTitle: aeTitle,
        contexts: contexts.map(({ sopClassUid, transferSyntaxUids }) => ({
          abstractSyntax: sopClassUid,
          transferSyntaxes: transferSyntaxUids,
        })),
        clock,
        signal,
      });
      return storageAssociation(association);
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
    store: async (instance, dataSet) => (await association.store(instance, dataSet)).status,
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
