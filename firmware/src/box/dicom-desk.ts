/** What administrators do about DICOM peers, done by the rooms. */
import type { Changed } from '../access/access-list.ts';
import type { ResendRequest } from '../forwarding/forwarding.ts';
import type { ResendBody } from '../http/dicom-contract.ts';
import type { DicomDesk, Done } from '../http/dicom-desk.ts';
import type { Keeper } from '../ingest/keeper.ts';
import { peerNamed } from './destinations.ts';
import { callBackOf } from './dicom-tls.ts';
import { echo } from './echo.ts';
import type { PeerSources } from './peers-overview.ts';
import type { Sidecar } from './sidecar.ts';

export interface DeskSources extends PeerSources {
  readonly keeper: Keeper;
  readonly sidecar: Sidecar | undefined;
}

export function dicomDesk(sources: DeskSources): DicomDesk {
  const { config, access, forwarding, quarantine, keeper, sidecar, clock, certificates } = sources;
  return {
    admitCaller: async (caller, by) => done(await access.admit(caller, by.account)),
    replaceCaller: async (id, caller, by) => done(await access.replace(id, caller, by.account)),
    removeCaller: async (id, by) => done(await access.remove(id, by.account)),
    dismissCaller: (id, by) => Promise.resolve(done(access.dismiss(id, by.account))),
    echoCaller: async (id, signal) => {
      const caller = access.callers().find((one) => one.id === id)?.caller;
      if (caller === undefined || caller.reachedAt === null) return undefined;
      const { callingAeTitle: calledAeTitle, reachedAt } = caller;
      const aeTitles = { callingAeTitle: config.dicom.aeTitle, calledAeTitle };
      return echo(() => ({ ...callBackOf(reachedAt, certificates), ...aeTitles, clock }), signal);
    },
    releaseFromQuarantine: (id, by) =>
      quarantine.release(id, by.account, (entry, dataSet) => keeper.readmit(entry, dataSet)),
    discardFromQuarantine: (id, by) => quarantine.discard(id, by.account),
    acceptIncomplete: async (studyRef, by) =>
      (await sidecar?.acceptIncomplete(studyRef, by.account)) ?? noSidecar,
    resend: (destination, what) => Promise.resolve(forwarding.resend(destination, resendRequest(what))),
    giveUp: (destination, studyRef) => Promise.resolve(forwarding.dropSetAside(destination, studyRef)),
    echoDestination: async (name, signal) => {
      const peer = peerNamed(name, sources);
      return peer && echo(() => peer, signal);
    },
  };
}

const noSidecar: Done = { kind: 'refused', reason: 'This box is no side-car of an archive.' };

function done(changed: Changed): Done {
  return changed.kind === 'changed' ? { kind: 'done' } : changed;
}

function resendRequest(body: ResendBody): ResendRequest {
  if (body.what === 'since') return { kind: 'since', since: body.since };
  return { kind: 'set aside', ...(body.studyRef !== undefined && { studyRef: body.studyRef }) };
}
