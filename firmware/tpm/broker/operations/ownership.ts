/** Making a TPM a box's own, keeping it so, and giving it up. */
import { AppError } from '../../../src/errors.ts';
import { esysHandle } from '../../esys/functions.ts';
import { failedTriesMax, lockoutRecoveryS, triesForgottenAfterS } from '../../limits.ts';
import { decodeResponse, kindOf, TpmError } from '../../response-code.ts';
import {
  algorithm,
  capability,
  permanentAttribute,
  property,
  storageRootHandle,
} from '../../wire/constants.ts';
import { approvalIndex, nvIndexOf, unwritten } from '../../wire/nv.ts';
import {
  authorizationValue,
  noAuthorization,
  noCreationPcrs,
  noOutsideInfo,
  noPolicyDigest,
  parseProperties,
  sensitiveCreate,
  sized,
} from '../../wire/structures.ts';
import { storageRootTemplate } from '../../wire/templates.ts';
import type { Guarded } from '../guarded.ts';
import { nvStanding } from '../nv-index.ts';
import { asEndorsement, asLockout, asOwner, proveValue, unsealAuthorizations } from '../owner.ts';
import { noSessions, type Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';
import { counters, writeApproval } from './nv.ts';

const { none, password, owner, lockout, endorsement } = esysHandle;

/** How far this box, or anybody, has made the TPM his own. */
export type Ownership =
  /** The owner's authorization is empty: whatever was made under it, anybody at the machine could have used. */
  | 'nobody'
  /** The owner's is set, the lock-out hierarchy's is not. */
  | 'begun'
  | 'complete';

export interface OwnershipOperations {
  /**
   * The storage root key in persistent memory, and counters with a value, made anew whatever lay there before: what
   * somebody else put there may look the same, and be of another hierarchy or have an authorization value. May be
   * repeated after a power cut. @returns the Name of the storage root key.
   * @throws AppError TPM_OWNED if somebody took one of the hierarchies; TPM_LOCKED_OUT if he locked one.
   */
  prepare: { request: null; answer: Uint8Array };
  /** The first approval (34 bytes), while nobody owns the TPM. */
  writeFirstApproval: {
    request: { readonly rootName: Uint8Array; readonly content: Uint8Array };
    answer: null;
  };
  /**
   * Sets both authorizations to the sealed values where they are not set, the limits of tries, and writes the approval
   * again; no policy authorizes any hierarchy afterwards. May be repeated after a power cut.
   * @throws AppError TPM_OWNED if somebody else took one of the hierarchies meanwhile.
   */
  takeOwnership: {
    request: {
      readonly authorizations: Guarded;
      /** What the approval index is to hold, 34 bytes. */
      readonly content: Uint8Array;
    };
    answer: null;
  };
  ownership: { request: null; answer: Ownership };
  /** True while the TPM is in dictionary-attack lock-out (part 1, 19.8). */
  lockedOut: { request: null; answer: boolean };
  /** Ends the lock-out (part 3, 25.2). */
  resetLockout: { request: { readonly authorizations: Guarded }; answer: null };
  /** TPM2_Clear (part 3, 24.6): a new storage seed, so that nothing that was sealed opens ever again. */
  clear: { request: { readonly authorizations: Guarded }; answer: null };
}

export const ownershipOperations: Handlers<OwnershipOperations> = {
  prepare: async (tpm) => {
    for (const [attribute, hierarchy] of Object.entries(takenBy)) {
      if (await has(tpm, attribute as keyof typeof takenBy)) throw ownedByOthers(hierarchy);
    }
    await refuseKeptFromClearing(tpm);
    const rootName = await keepRoot(tpm);
    await refuseLockedLockout(tpm, rootName);
    await asOwner(tpm, rootName, noValue, async (session) => {
      for (const area of Object.values(counters)) {
        const index = await define(tpm, area, session);
        // A counter has no value before its first step (part 3, 31.8).
        await tpm.call('NV_Increment', owner, index, session, none, none);
      }
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

  takeOwnership: async (tpm, { authorizations, content }) => {
    const { rootName } = authorizations;
    const values = await unsealAuthorizations(tpm, authorizations);
    await takingOver('owner', async () => {
      await take(tpm, asOwner, { rootName, hierarchy: owner, value: values.owner });
      await writeApproval(tpm, rootName, values.owner, content);
    });
    await takingOver('endorsement', () =>
      withoutPolicy(tpm, asEndorsement, { rootName, hierarchy: endorsement, value: noValue }),
    );
    // Last: a lock-out authorization that is set says that all this is done.
    await takingOver('lock-out', async () => {
      if (!(await has(tpm, 'lockoutAuthSet'))) {
        await asLockout(tpm, rootName, noValue, (session) =>
          tpm.call(
            'DictionaryAttackParameters',
            ...([lockout, session, none, none] as const),
            failedTriesMax,
            triesForgottenAfterS,
            lockoutRecoveryS,
          ),
        );
      }
      await take(tpm, asLockout, { rootName, hierarchy: lockout, value: values.lockout });
    });
    // Whoever had the empty value could have disabled it since `prepare`; from now on nobody can.
    await refuseKeptFromClearing(tpm);
    return null;
  },

  ownership: async (tpm) => {
    if (!(await has(tpm, 'ownerAuthSet'))) return 'nobody';
    return (await has(tpm, 'lockoutAuthSet')) ? 'complete' : 'begun';
  },

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
    await refuseKeptFromClearing(tpm);
    // Taking the TPM ends with the lock-out hierarchy: a power cut may have come before.
    const value = (await has(tpm, 'lockoutAuthSet')) ? values.lockout : noValue;
    await asLockout(tpm, authorizations.rootName, value, (session) =>
      tpm.call('Clear', lockout, session, none, none),
    );
    tpm.forgetOwned();
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

/** Those whose authorization must be empty in a TPM that belongs to nobody, by what says that it is not. */
const takenBy = {
  ownerAuthSet: 'owner',
  endorsementAuthSet: 'endorsement',
  lockoutAuthSet: 'lock-out',
} as const satisfies Partial<Record<keyof typeof permanentAttribute, string>>;
type HierarchyName = (typeof takenBy)[keyof typeof takenBy];

/**
 * TPM2_ClearControl (part 3, 24.7), by anybody while the lock-out authorization is empty, disables TPM2_Clear; only the
 * platform, which is the machine's firmware, enables it again. A box whose TPM cannot be cleared cannot be decommissioned.
 */
async function refuseKeptFromClearing(tpm: Tpm): Promise<void> {
  if (!(await has(tpm, 'disableClear'))) return;
  throw new AppError(
    'TPM_OWNED',
    "TPM2_Clear of the TPM was disabled, and not by this box: clearing the TPM in the machine's firmware setup enables it",
  );
}

/**
 * Whoever has the empty value can set that a wrong try keeps the lock-out hierarchy from being used for as long as he likes
 * (part 1, 19.8.6), and try. The TPM could not be taken then, but only after the recovery code is with its custodians.
 */
async function refuseLockedLockout(tpm: Tpm, rootName: Uint8Array): Promise<void> {
  try {
    await proveValue(tpm, asLockout, { rootName, hierarchy: lockout, value: noValue });
  } catch (cause) {
    if (!(cause instanceof TpmError) || kindOf(cause.code) !== 'locked-out') throw cause;
    const what = 'the lock-out hierarchy of the TPM is locked by a failed try, and not by this box';
    throw new AppError(
      'TPM_LOCKED_OUT',
      `${what}: clearing the TPM in the machine's firmware setup ends it`,
      {
        cause,
      },
    );
  }
}

function ownedByOthers(hierarchy: HierarchyName, cause?: TpmError): AppError {
  const message = `the TPM has an owner, and it is not this box: its ${hierarchy} authorization was set`;
  return new AppError('TPM_OWNED', message, { cause });
}

/** Runs the body; a value that the hierarchy does not take is somebody else's. */
async function takingOver(hierarchy: HierarchyName, body: () => Promise<unknown>): Promise<void> {
  try {
    await body();
  } catch (failure) {
    if (failure instanceof TpmError && badValues.includes(decodeResponse(failure.code).name ?? ''))
      throw ownedByOthers(hierarchy, failure);
    throw failure;
  }
}

/** Of a hierarchy, and of one that dictionary-attack protection guards. */
const badValues = ['TPM_RC_BAD_AUTH', 'TPM_RC_AUTH_FAIL'];

interface Taking {
  readonly rootName: Uint8Array;
  readonly hierarchy: number;
  /** Its authorization value. */
  readonly value: Uint8Array;
}

/**
 * Sets the hierarchy's authorization value where it is empty. A policy that somebody set before would authorize like the
 * value, so it goes: before the value is set, since a power cut must not leave it with the value; and afterwards once
 * more, since anybody could set it in between.
 */
async function take(tpm: Tpm, as: typeof asOwner, { rootName, hierarchy, value }: Taking): Promise<void> {
  const attribute = hierarchy === owner ? 'ownerAuthSet' : 'lockoutAuthSet';
  if (!(await has(tpm, attribute))) {
    await withoutPolicy(tpm, as, { rootName, hierarchy, value: noValue });
    await as(tpm, rootName, noValue, (session) =>
      tpm.call('HierarchyChangeAuth', hierarchy, session, none, none, authorizationValue(value)),
    );
  }
  await withoutPolicy(tpm, as, { rootName, hierarchy, value });
}

/** TPM2_SetPrimaryPolicy (part 3, 24.3): from now on the value alone authorizes. */
async function withoutPolicy(
  tpm: Tpm,
  as: typeof asOwner,
  { rootName, hierarchy, value }: Taking,
): Promise<void> {
  await as(tpm, rootName, value, (session) =>
    tpm.call('SetPrimaryPolicy', hierarchy, session, none, none, noPolicyDigest, algorithm.null),
  );
}

/**
 * Derives the storage root key and keeps it in persistent memory (part 3, 24.1 and 28.5), in the place of any other: one
 * of the endorsement hierarchy has the same public area and outlives TPM2_Clear. @returns its Name.
 */
async function keepRoot(tpm: Tpm): Promise<Uint8Array> {
  const found = await tpm.handles(storageRootHandle, 1);
  if (found.includes(storageRootHandle)) {
    const [before] = await tpm.call('TR_FromTPMPublic', storageRootHandle, ...noSessions);
    await tpm.call('EvictControl', owner, before, password, none, none, storageRootHandle);
  }
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

/**
 * Defines the index, in the place of any other. One that somebody else defined may have the same Name and an
 * authorization value all the same. A counter never counts backwards through this (part 3, 31.8).
 */
async function define(tpm: Tpm, area: Uint8Array, session: number): Promise<number> {
  tpm.forgetIndex(nvIndexOf(area));
  const standing = await nvStanding(tpm, area);
  if (standing.kind !== 'absent')
    await tpm.call('NV_UndefineSpace', owner, standing.handle, session, none, none);
  const [handle] = await tpm.call(
    'NV_DefineSpace',
    ...([owner, session, none, none] as const),
    noAuthorization,
    unwritten(area),
  );
  return handle;
}
