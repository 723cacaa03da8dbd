/** The services of a box as its SCP offers them: the DICOM room's own objects, over nothing that they could ask. */
import {
  availabilityService,
  commitmentResultService,
  procedureStepService,
  QueryRetrieveScp,
  storageCommitmentService,
  type DimseService,
} from '../../../../firmware/dimse/index.ts';
import type { Permission } from '../../../../firmware/src/access/permissions.ts';
import { RecordingLogger } from '../../../support/recording-logger.ts';

const notAsked = (): never => {
  throw new Error('a page asks no service for anything');
};

const queryRetrieve = new QueryRetrieveScp({
  archive: { find: notAsked, select: notAsked },
  destinationOf: notAsked,
  logger: new RecordingLogger(),
});

/** By the name of what makes them; test/tidy/conformance.test.ts holds that none is left out. */
export const offered: Readonly<Record<string, readonly DimseService[]>> = {
  storageCommitmentService: [storageCommitmentService(notAsked)],
  commitmentResultService: [commitmentResultService(notAsked)],
  QueryRetrieveScp: queryRetrieve.services,
  procedureStepService: [procedureStepService(notAsked)],
  availabilityService: [availabilityService(notAsked)],
};

export interface OfferedSopClass {
  readonly uid: string;
  /** What the box is in this. */
  readonly role: 'SCP' | 'SCU';
  readonly permission: Permission;
}

/** Every SOP class of the services, and which role the box has when somebody else opens the association. */
export const offeredSopClasses: readonly OfferedSopClass[] = Object.values(offered)
  .flat()
  .flatMap(({ sopClasses, requestorRole, permission }) =>
    sopClasses.map((uid): OfferedSopClass => ({
      uid,
      role: requestorRole === 'scp' ? 'SCU' : 'SCP',
      permission,
    })),
  );
