/** The hospital's PACS as the release room sees it, over the DICOM room's association. */
import { openAssociation, replaceElements, type Association } from '../../dimse/index.ts';
import type { Config } from '../config.ts';
import type { Clock, Reconcile, StorageAssociation, StorageContext, StorageScu } from '../ports.ts';

export function pacsOf(pacs: NonNullable<Config['pacs']>, callingAeTitle: string, clock: Clock): StorageScu {
  const { host, port, aeTitle } = pacs;
  return {
    name: aeTitle,
    open: async (contexts, signal) => {
      const association = await openAssociation({
        host,
        port,
        callingAeTitle,
        calledAeTitle: aeTitle,
        contexts: contexts.map(({ sopClassUid, transferSyntaxUid }) => ({
          abstractSyntax: sopClassUid,
          transferSyntaxes: [transferSyntaxUid],
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
    accepts: ({ sopClassUid, transferSyntaxUid }: StorageContext) =>
      association.accepts(sopClassUid, transferSyntaxUid),
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
