/** Admission while the disk is full: who would only store is asked to come again; all others are served. */
import { reject, uids, type Admission, type AdmissionRequest } from '../../dimse/index.ts';
import type { DiskRoom } from '../ingest/disk-room.ts';

type Admit = (request: AdmissionRequest) => Admission | Promise<Admission>;

/**
 * A caller that proposes storage and nothing else is rejected as transient, temporary congestion (PS3.8 table 9-21)
 * while the disk is below its refusing mark: modalities then keep their objects and try again. C-ECHO alone is
 * answered, so that "the box is there" and "the disk is full" can be told apart; a workstation that proposes storage
 * for what it retrieves is served as well.
 */
export function admitWithRoom(disk: Pick<DiskRoom, 'admits'>, admit: Admit): Admit {
  return async (request) => {
    const admission = await admit(request);
    if (!('may' in admission) || !isForStorageAlone(request.sopClassUids) || (await disk.admits()))
      return admission;
    return reject.temporaryCongestion;
  };
}

function isForStorageAlone(sopClassUids: readonly string[]): boolean {
  const beside = sopClassUids.filter((uid) => uid !== uids.verificationSopClass);
  return beside.length > 0 && beside.every((uid) => uids.isStorageSopClass(uid));
}
