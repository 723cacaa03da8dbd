/** The access list of the configuration and the console, as the DICOM room asks it. */
import { reject, uids, type Admission, type AdmissionRequest, type DimseService } from '../../dimse/index.ts';
import { AccessList, type Caller } from '../access/access-list.ts';
import type { Permission } from '../access/permissions.ts';
import type { Config } from '../config.ts';
import type { Foundation } from './foundation.ts';

/** AE titles by which the box may be called, its own first. */
export function ownAeTitles({ aeTitle, furtherAeTitles }: Config['dicom']): readonly string[] {
  return [aeTitle, ...furtherAeTitles];
}

/** The short form and the long one. */
function configuredCallers({ callingAeTitles, callers }: Config['dicom']): readonly Caller[] {
  const anywhere = { addresses: [], certificates: [], calledAeTitles: [], reachedAt: null } as const;
  const short = callingAeTitles.map((callingAeTitle): Caller => ({
    ...anywhere,
    callingAeTitle,
    may: ['store'],
    mayCorrect: false,
  }));
  const long = callers.map(
    ({ aeTitle, addresses, certificates, calledAeTitles, may, mayCorrect, reachedAt = null }): Caller => ({
      callingAeTitle: aeTitle,
      addresses,
      certificates,
      calledAeTitles,
      may,
      mayCorrect,
      reachedAt,
    }),
  );
  return [...long, ...short];
}

/** To be started before the ports that ask it. @throws AppError CONFIG_INVALID naming the caller that is wrong. */
export function accessListOf({ config, index, clock, logger, health }: Foundation): AccessList {
  return new AccessList({
    aeTitles: ownAeTitles(config.dicom),
    configured: configuredCallers(config.dicom),
    store: index,
    clock,
    logger: logger.child({ room: 'access' }),
    health,
  });
}

/** Why a caller is refused is told to administrators; to the caller only what PS3.8 table 9-21 has a reason for. */
export function admitBy(
  list: AccessList,
  services: readonly DimseService[],
): (request: AdmissionRequest) => Admission {
  return (request) => {
    const asks = request.sopClassUids.flatMap((uid) => permissionOf(uid, services) ?? []);
    const decision = list.decide({ ...request, asks: [...new Set(asks)] });
    if (decision.kind === 'admitted') return { may: decision.may };
    return decision.ground === 'called-ae-title' ? reject.calledAeTitle : reject.callingAeTitle;
  };
}

/** What a SOP class takes; undefined for C-ECHO and for what the box does not serve. */
function permissionOf(sopClassUid: string, services: readonly DimseService[]): Permission | undefined {
  const service = services.find(({ sopClasses }) => sopClasses.includes(sopClassUid));
  if (service !== undefined) return service.permission;
  return uids.isStorageSopClass(sopClassUid) ? 'store' : undefined;
}
