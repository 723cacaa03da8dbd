/** A desk for DICOM peers that notes what it is asked to do, and examples of what the console shows of them. */
import type { Overview } from '../../firmware/src/http/contract.ts';
import type {
  CallerBody,
  CallerView,
  DestinationView,
  EchoAnswer,
  IncompleteView,
  PendingCallerView,
  QuarantinedView,
  ResendBody,
} from '../../firmware/src/http/dicom-contract.ts';
import type { By, DicomDesk, Done } from '../../firmware/src/http/dicom-desk.ts';

export interface Act {
  readonly act: keyof DicomDesk;
  readonly subject: string;
  readonly what?: unknown;
  readonly by?: string;
}

export class FakeDicomDesk implements DicomDesk {
  readonly acts: Act[] = [];
  /** Told after each act. */
  onAct: (act: Act) => void = () => undefined;

  admitCaller(caller: CallerBody, by: By): Promise<Done> {
    return this.#done({ act: 'admitCaller', subject: caller.callingAeTitle, what: caller, by: by.account });
  }

  replaceCaller(id: string, caller: CallerBody, by: By): Promise<Done> {
    return this.#done({ act: 'replaceCaller', subject: id, what: caller, by: by.account });
  }

  removeCaller(id: string, by: By): Promise<Done> {
    return this.#done({ act: 'removeCaller', subject: id, by: by.account });
  }

  dismissCaller(id: string, by: By): Promise<Done> {
    return this.#done({ act: 'dismissCaller', subject: id, by: by.account });
  }

  echoCaller(id: string): Promise<EchoAnswer | undefined> {
    return this.#echo({ act: 'echoCaller', subject: id });
  }

  releaseFromQuarantine(id: string, by: By): Promise<Done> {
    return this.#done({ act: 'releaseFromQuarantine', subject: id, by: by.account });
  }

  discardFromQuarantine(id: string, by: By): Promise<Done> {
    return this.#done({ act: 'discardFromQuarantine', subject: id, by: by.account });
  }

  acceptIncomplete(studyRef: string, by: By): Promise<Done> {
    return this.#done({ act: 'acceptIncomplete', subject: studyRef, by: by.account });
  }

  resend(destination: string, what: ResendBody, by: By): Promise<number | undefined> {
    return this.#count({ act: 'resend', subject: destination, what, by: by.account });
  }

  giveUp(destination: string, studyRef: string, by: By): Promise<number | undefined> {
    return this.#count({ act: 'giveUp', subject: destination, what: studyRef, by: by.account });
  }

  echoDestination(name: string): Promise<EchoAnswer | undefined> {
    return this.#echo({ act: 'echoDestination', subject: name });
  }

  /** What is named REFUSED is refused, what is named ABSENT is not there, what is named DEAD does not answer. */
  #done(act: Act): Promise<Done> {
    this.#note(act);
    return Promise.resolve(
      act.subject === 'REFUSED' ? { kind: 'refused', reason: 'this cannot be done' } : { kind: 'done' },
    );
  }

  #count(act: Act): Promise<number | undefined> {
    this.#note(act);
    return Promise.resolve(act.subject === 'ABSENT' ? undefined : 12);
  }

  #echo(act: Act): Promise<EchoAnswer | undefined> {
    this.#note(act);
    if (act.subject === 'ABSENT') return Promise.resolve(undefined);
    return Promise.resolve(
      act.subject === 'DEAD'
        ? { kind: 'failed', reason: 'connect ECONNREFUSED 10.1.9.9:104' }
        : { kind: 'answered', ms: 4 },
    );
  }

  #note(act: Act): void {
    this.acts.push(act);
    this.onAct(act);
  }
}

/** Nobody has called yet. */
export function noDicomTraffic(): Pick<Overview, 'access' | 'quarantine' | 'destinations'> {
  return {
    access: { pending: [], callers: [], callersCount: 0 },
    quarantine: { count: 0, bytes: 0, objects: [] },
    destinations: [],
  };
}

export function examplePending(time: number, part: Partial<PendingCallerView> = {}): PendingCallerView {
  return {
    id: 'pending1',
    callingAeTitle: 'MR_ROOM_4',
    calledAeTitle: 'HILUM_NORTH',
    remoteAddress: '10.1.4.20',
    certificate: null,
    sopClassUids: ['1.2.840.10008.1.1', '1.2.840.10008.5.1.4.1.1.4', '1.3.12.2.1107.5.9.1'],
    ground: 'unknown',
    firstAt: time - 600_000,
    lastAt: time - 20_000,
    count: 17,
    ...part,
  };
}

export function exampleCaller(time: number, part: Partial<CallerView> = {}): CallerView {
  return {
    id: 'caller1',
    callingAeTitle: 'CT_ROOM_2',
    addresses: ['10.1.2.0/24'],
    certificates: [],
    calledAeTitles: [],
    may: ['store', 'commitment'],
    mayCorrect: false,
    reachedAt: { host: '10.1.2.7', port: 104, tls: false },
    admitted: { by: 'admin', at: time - 86_400_000 },
    seen: { at: time - 45_000, count: 31, remoteAddress: '10.1.2.7', lacked: [] },
    ...part,
  };
}

export function exampleQuarantined(time: number, part: Partial<QuarantinedView> = {}): QuarantinedView {
  return {
    id: 'held1',
    at: time - 3_600_000,
    callingAeTitle: 'CT_ROOM_2',
    reason: 'The same SOP Instance UID came before with other pixels.',
    bytes: 526_000,
    patientName: 'Canary^Winifred',
    patientId: 'PX-004711',
    modality: 'CT',
    description: 'CT thorax with contrast',
    sopInstanceUid: '1.2.826.0.1.3680043.8.498.1.1.7',
    releasable: true,
    ...part,
  };
}

export function exampleIncomplete(time: number, part: Partial<IncompleteView> = {}): IncompleteView {
  return {
    studyRef: 'ab34',
    patientName: 'Canary^Winifred',
    patientId: 'PX-004711',
    studyDate: '20190704',
    description: 'MR knee',
    objects: 117,
    missing: 3,
    at: time - 900_000,
    ...part,
  };
}

export function exampleDestination(part: Partial<DestinationView> = {}): DestinationView {
  return {
    name: 'pacs',
    aeTitle: 'PACS_NORTH',
    host: '10.1.9.1',
    port: 104,
    state: 'ready',
    failing: null,
    waitingStudies: 0,
    waitingObjects: 0,
    setAsideObjects: 0,
    setAside: [],
    ...part,
  };
}
