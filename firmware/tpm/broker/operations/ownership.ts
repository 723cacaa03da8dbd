/** Making a TPM a box's own, keeping it so, and giving it up. */
import { AppError } from '../../../src/errors.ts';
import { esysHandle } from '../../esys/functions.ts';
import { failedTriesMax, lockoutRecoveryS, triesForgottenAfterS } from '../../limits.ts';
import { capability, permanentAttribute, property, storageRootHandle } from '../../wire/constants.ts';
import { approvalIndex, unwritten } from '../../wire/nv.ts';
import {
  authorizationValue,
  noAuthorization,
  noCreationPcrs,
  noOutsideInfo,
  parseProperties,
  sensitiveCreate,
  sized,
} from '../../wire/structures.ts';
import { storageRootTemplate } from '../../wire/templates.ts';
import type { Guarded } from '../guarded.ts';
import { nvStanding } from '../nv-index.ts';
import { asLockout, asOwner, unsealAuthorizations } from '../owner.ts';
import { noSessions, type Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';
import { counters } from './nv.ts';

const { none, password, owner, lockout } = esysHandle;

export interface OwnershipOperations {
  /**
   * The storage root key in persistent memory, and counters with a value. Does what is missing, so that it may be
   * repeated after a power cut. @returns the Name of the storage root key.
   * @throws AppError TPM_OWNED if somebody owns the TPM.
   */
  prepare: { request: null; answer: Uint8Array };
  /** The first approval (34 bytes), while nobody owns the TPM. */
  writeFirstApproval: {
    request: { readonly rootName: Uint8Array; readonly content: Uint8Array };
    answer: null;
  };
  /** Sets both authorizations to the sealed values where they are not set, and the limits of tries. */
  takeOwnership: { request: { readonly authorizations: Guarded }; answer: null };
  /** True if the owner's authorization is set. */
  owned: { request: null; answer: boolean };
  /** True while the TPM is in dictionary-attack lock-out (part 1, 19.8). */
  lockedOut: { request: null; answer: boolean };
  /** Ends the lock-out (part 3, 25.2). */
  resetLockout: { request: { readonly authorizations: Guarded }; answer: null };
  /** TPM2_Clear (part 3, 24.6): a new storage seed, so that nothing that was sealed opens ever again. */
  clear: { request: { readonly authorizations: Guarded }; answer: null };
}

export const ownershipOperations: Handlers<OwnershipOperations> = {
  prepare: async (tpm) => {
    if (await has(tpm, 'ownerAuthSet')) {
      throw new AppError('TPM_OWNED', 'the TPM has an owner, and it is not this box');
    }
    const rootName = (await tpm.rootName()) ?? (await keepRoot(tpm));
    await asOwner(tpm, rootName, noValue, async (session) => {
      for (const area of Object.values(counters)) await prepareCounter(tpm, area, session);
    });
    return rootName;
  },

  writeFirstApproval: async (tpm, { rootName, content }) => {
    await asOwner(tpm, rootName, noValue, async (session) => {
      const index = await define(tpm, approvalIndex, session);
      const offset = 0;
      await tpm.call('NV_Write', owner, index, session, none, none, sized(content), offset);
    });
    return null;
  },

  takeOwnership: async (tpm, { authorizations }) => {
    const { rootName } = authorizations;
    const values = await unsealAuthorizations(tpm, authorizations);
    if (!(await has(tpm, 'lockoutAuthSet'))) {
      await asLockout(tpm, rootName, noValue, (session) =>
        tpm.call('HierarchyChangeAuth', lockout, session, none, none, authorizationValue(values.lockout)),
      );
    }
    await asLockout(tpm, rootName, values.lockout, (session) =>
      tpm.call(
        'DictionaryAttackParameters',
        ...([lockout, session, none, none] as const),
        failedTriesMax,
        triesForgottenAfterS,
        lockoutRecoveryS,
      ),
    );
    // Last: an owner's authorization that is set says that all this is done.
    await asOwner(tpm, rootName, noValue, (session) =>
      tpm.call('HierarchyChangeAuth', owner, session, none, none, authorizationValue(values.owner)),
    );
    return null;
  },

  owned: (tpm) => has(tpm, 'ownerAuthSet'),

  lockedOut: (tpm) => has(tpm, 'inLockout'),

  resetLockout: async (tpm, { authorizations }) => {
    const values = await unsealAuthorizations(tpm, authorizations);
    await asLockout(tpm, authorizations.rootName, values.lockout, (session) =>
      tpm.call('DictionaryAttackLockReset', lockout, session, none, none),
    );
    return null;
  },

  clear: async (tpm, { authorizations }) => {
    const values = await unsealAuthorizations(tpm, authorizations);
    await asLockout(tpm, authorizations.rootName, values.lockout, (session) =>
      tpm.call('Clear', lockout, session, none, none),
    );
    return null;
  },
};

/** The authorization of a hierarchy that nobody has taken. */
const noValue = new Uint8Array(0);

async function has(tpm: Tpm, attribute: keyof typeof permanentAttribute): Promise<boolean> {
  const [, data] = await tpm.call(
    'GetCapability',
    ...noSessions,
    capability.tpmProperties,
    property.permanent,
    1,
  );
  const permanent = parseProperties(data).get(property.permanent);
  if (permanent === undefined) throw new AppError('TPM_FAILED', 'the TPM does not tell its state');
  return (permanent & permanentAttribute[attribute]) !== 0;
}

/** Derives the storage root key and keeps it in persistent memory (part 3, 24.1 and 28.5). @returns its Name. */
async function keepRoot(tpm: Tpm): Promise<Uint8Array> {
  const [derived] = await tpm.call(
    'CreatePrimary',
    ...([owner, password, none, none] as const),
    sensitiveCreate(),
    storageRootTemplate(),
    noOutsideInfo,
    noCreationPcrs,
  );
  await tpm.flushing(derived, () =>
    tpm.call('EvictControl', owner, derived, password, none, none, storageRootHandle),
  );
  const name = await tpm.rootName();
  if (name === undefined) throw new AppError('TPM_FAILED', 'the TPM did not keep its storage root key');
  return name;
}

/** The index, defined if there is none. What else stands at its place is removed: the TPM has no other owner. */
async function define(tpm: Tpm, area: Uint8Array, session: number): Promise<number> {
  const standing = await nvStanding(tpm, area);
  if (standing.kind === 'written' || standing.kind === 'unwritten') return standing.handle;
  if (standing.kind === 'foreign')
    await tpm.call('NV_UndefineSpace', owner, standing.handle, session, none, none);
  const [handle] = await tpm.call(
    'NV_DefineSpace',
    ...([owner, session, none, none] as const),
    noAuthorization,
    unwritten(area),
  );
  return handle;
}

/** A counter has no value before its first step (part 3, 31.8). */
async function prepareCounter(tpm: Tpm, area: Uint8Array, session: number): Promise<void> {
  const { kind } = await nvStanding(tpm, area);
  const index = await define(tpm, area, session);
  if (kind !== 'written') await tpm.call('NV_Increment', owner, index, session, none, none);
}
