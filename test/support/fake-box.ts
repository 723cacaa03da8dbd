/** A box of which the console sees what a test says, and a wallet service with known answers. */
import type { BoxView, TicketCreated } from '../../firmware/src/http/box-view.ts';
import type {
  Overview,
  RequestAnswer,
  RequestBody,
  StudyView,
  TicketBody,
} from '../../firmware/src/http/contract.ts';
import { FakeConsortiumDesk } from './fake-consortium-desk.ts';
import { FakeDicomDesk, noDicomTraffic } from './fake-dicom-desk.ts';
import type { MailboxAnswer, MailboxProof, WalletService } from '../../firmware/src/http/wallet-service.ts';
import type { Submitted, Unsubscribe } from '../../firmware/src/ports.ts';

export class FakeBox implements BoxView {
  readonly institution = { id: 'north', name: 'Northgate Hospital' };
  readonly tickets: { readonly patient: TicketBody; readonly by: string }[] = [];
  readonly requests: (RequestBody & { readonly by: string })[] = [];
  readonly dicom = new FakeDicomDesk();
  readonly consortium = new FakeConsortiumDesk();
  readonly #listeners = new Set<() => void>();
  #overview: Overview;
  /** A snapshot fails with this, as a bug would. */
  failure: Error | undefined;

  constructor(overview: Overview) {
    this.#overview = overview;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  overview(): Overview {
    if (this.failure !== undefined) throw this.failure;
    return this.#overview;
  }

  change(part: Partial<Overview>): void {
    this.#overview = { ...this.#overview, ...part };
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async createTicket(patient: TicketBody, by: { readonly account: string }): Promise<TicketCreated> {
    this.tickets.push({ patient, by: by.account });
    if (patient.patientId === 'UNKNOWN') {
      return Promise.resolve({
        kind: 'refused',
        reason: 'the details contradict what is held under this patient ID',
      });
    }
    return Promise.resolve({
      kind: 'created',
      ticket: {
        institution: 'north',
        origin: 'https://127.0.0.1:4003',
        code: 'Zm9yLXRlc3RzLW9ubHktYWE',
        nonce: new Uint8Array(16).fill(7),
        genesis: new Uint8Array(32).fill(9),
        checkpoint: { epoch: 3, height: 25_920, digest: new Uint8Array(32).fill(8) },
        expiresAt: this.#overview.time + 900_000,
      },
    });
  }

  requestStudy(request: RequestBody, by: { readonly account: string }): Promise<RequestAnswer> {
    this.requests.push({ ...request, by: by.account });
    return Promise.resolve({ kind: 'refused' });
  }
}

export class FakeWallet implements WalletService {
  readonly submitted: Uint8Array[] = [];
  /** Left open: a submitted transaction waits until its signal says otherwise. */
  answer: Submitted | undefined = { kind: 'final', height: 12, time: 1_767_600_000_000 };

  /** Told when a submitted transaction is waited for no longer. */
  onAbort: (reason: unknown) => void = () => undefined;

  handover(epoch: number): Promise<Uint8Array | undefined> {
    return Promise.resolve(epoch === 2 ? Uint8Array.of(0xa0) : undefined);
  }

  genesis(): Uint8Array {
    return Uint8Array.of(0xa0);
  }

  head() {
    return { header: Uint8Array.of(1, 2), certificate: Uint8Array.of(3) };
  }

  proofs(keys: readonly string[]) {
    const proofs = keys.map((key) => ({
      key,
      value: null,
      siblings: [new Uint8Array(32).fill(5)],
      otherLeaf: null,
    }));
    return { ...this.head(), proofs };
  }

  async submit(transaction: Uint8Array, signal: AbortSignal): Promise<Submitted> {
    this.submitted.push(transaction);
    if (this.answer !== undefined) return Promise.resolve(this.answer);
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        this.onAbort(signal.reason);
        reject(signal.reason as Error);
      });
    });
  }

  async challenge(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(16).fill(4));
  }

  async mailbox(proof: MailboxProof): Promise<MailboxAnswer> {
    if (proof.signature[0] !== 1) return Promise.resolve({ kind: 'refused' });
    const entry = {
      studyId: new Uint8Array(32).fill(1),
      index: 0,
      ephemeral: new Uint8Array(32).fill(2),
      tag: 3,
      note: new Uint8Array(528).fill(4),
      leaf: null,
    };
    return Promise.resolve({ kind: 'entries', entries: proof.spend[0] === 1 ? [entry] : [] });
  }

  async bind({ ticket }: { readonly ticket: string }) {
    return Promise.resolve({ kind: ticket === 'known-ticket' ? ('bound' as const) : ('refused' as const) });
  }
}

/** A box on its first morning: everything works, nothing has arrived. */
export function quietOverview(time: number): Overview {
  return {
    time,
    box: {
      institution: { id: 'north', name: 'Northgate Hospital' },
      version: '0.1.0',
      startedAt: time - 7_200_000,
      development: true,
      tpm: 'ready',
      dicom: {
        aeTitles: ['HILUM_NORTH'],
        aeTitle: 'HILUM_NORTH',
        host: '127.0.0.1',
        port: 11112,
        tls: null,
      },
      storage: {
        usedBytes: 0,
        freeBytes: 412_000_000_000,
        alarmFreeBytes: 5_000_000_000,
        refuseFreeBytes: 2_000_000_000,
        studies: 0,
        objects: 0,
      },
    },
    sidecar: null,
    workflow: { commitments: 0, procedureSteps: 0 },
    health: [],
    ledger: {
      height: 4_211,
      lastBlockAt: time - 3_000,
      stale: false,
      validator: true,
      validators: 4,
      bytes: 734_003_200,
      catchingUp: null,
    },
    peers: ['St. Brannoc Infirmary', 'Harbour Imaging Centre', 'University Clinic Velden'].map(
      (name, index) => ({
        institution: ['brannoc', 'harbour', 'velden'][index] as string,
        name,
        validator: true,
        connected: true,
        since: time - 7_100_000,
        attestation: {
          result: 'passed' as const,
          since: time - 7_000_000,
          heardAt: time - 1_800_000,
          finding: null,
          development: false,
        },
      }),
    ),
    consortium: { waiting: 0, revision: 0 },
    studies: [],
    releases: [],
    ...noDicomTraffic(),
  };
}

export function exampleStudy(time: number, part: Partial<StudyView> = {}): StudyView {
  return {
    studyInstanceUid: '1.2.826.0.1.3680043.8.498.1',
    patientName: 'Canary^Winifred',
    patientId: 'PX-004711',
    modality: 'CT',
    description: 'CT thorax with contrast',
    studyDate: '20260105',
    objects: 200,
    bytes: 105_000_000,
    receivedAt: time - 90_000,
    updatedAt: time - 40_000,
    state: 'complete',
    ledger: { kind: 'final', at: time - 38_000, version: 2, closed: true },
    origin: { kind: 'received', aeTitle: 'CT_ROOM_2' },
    owner: 'wallet',
    deliveries: [],
    ...part,
  };
}
