/** The console's calls to its box. */
import type {
  AccountView,
  ErrorAnswer,
  Me,
  NewAccount,
  NewAccountBody,
  TicketAnswer,
  TicketBody,
} from '../../src/http/contract.ts';
import type {
  ActedAnswer,
  AttestationAnswer,
  ConsortiumView,
  ProposeBody,
} from '../../src/http/consortium-contract.ts';
import type { CallerBody, EchoAnswer, ObjectsAnswer, ResendBody } from '../../src/http/dicom-contract.ts';

/** What the box refused or why it could not be asked: what happened, and what to do. */
export class ApiError extends Error {
  readonly code: string;
  readonly remedy: string;

  constructor({ code, message, remedy }: ErrorAnswer) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await send(method, path, body);
  if (response.status === 204) return undefined as Answer;
  const answer: unknown = await response.json();
  if (!response.ok) throw new ApiError(withWait(answer as ErrorAnswer, response));
  return answer as Answer;
}

async function send(method: string, path: string, body: unknown): Promise<Response> {
  const init: RequestInit = { method, credentials: 'same-origin' };
  if (body !== undefined) {
    init.headers = { 'content-type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(`/api/v1/${path}`, init);
  } catch (cause) {
    const error = new ApiError({
      code: 'UNREACHABLE',
      message: 'The box does not answer.',
      remedy: 'Check the network between this browser and the box.',
    });
    error.cause = cause;
    throw error;
  }
}

function withWait(answer: ErrorAnswer, response: Response): ErrorAnswer {
  const seconds = response.headers.get('retry-after');
  return seconds === null ? answer : { ...answer, remedy: `Try again in ${seconds} s.` };
}

export const api = {
  me: async () => call<Me>('GET', 'me'),
  login: async (name: string, password: string) =>
    call<{ account: AccountView }>('POST', 'login', { name, password }),
  logout: async () => call<undefined>('POST', 'logout'),
  changePassword: async (current: string, next: string) =>
    call<undefined>('POST', 'password', { current, next }),
  accounts: async () => call<readonly AccountView[]>('GET', 'accounts'),
  createAccount: async (account: NewAccountBody) => call<NewAccount>('POST', 'accounts', account),
  removeAccount: async (name: string) => call<undefined>('DELETE', `accounts/${encodeURIComponent(name)}`),
  createTicket: async (patient: TicketBody) => call<TicketAnswer>('POST', 'tickets', patient),
  admitCaller: async (caller: CallerBody) => call<undefined>('POST', 'callers', caller),
  replaceCaller: async (id: string, caller: CallerBody) =>
    call<undefined>('PUT', `callers/${encodeURIComponent(id)}`, caller),
  removeCaller: async (id: string) => call<undefined>('DELETE', `callers/${encodeURIComponent(id)}`),
  echoCaller: async (id: string) => call<EchoAnswer>('POST', `callers/${encodeURIComponent(id)}/echo`),
  dismissCaller: async (id: string) => call<undefined>('DELETE', `refused-callers/${encodeURIComponent(id)}`),
  releaseFromQuarantine: async (id: string) =>
    call<undefined>('POST', `quarantine/${encodeURIComponent(id)}/release`),
  discardFromQuarantine: async (id: string) =>
    call<undefined>('DELETE', `quarantine/${encodeURIComponent(id)}`),
  acceptIncomplete: async (studyRef: string) =>
    call<undefined>('POST', `incomplete-studies/${encodeURIComponent(studyRef)}/accept`),
  consortium: async () => call<ConsortiumView>('GET', 'consortium'),
  propose: async (proposal: ProposeBody) => call<ActedAnswer>('POST', 'proposals', proposal),
  vote: async (id: string, approve: boolean) =>
    call<ActedAnswer>('POST', `proposals/${encodeURIComponent(id)}/vote`, { approve }),
  attestCandidate: async (id: string) =>
    call<AttestationAnswer>('POST', `proposals/${encodeURIComponent(id)}/attestation`),
  bringDocument: async (document: string) => call<ActedAnswer>('POST', 'consortium/documents', { document }),
  rotateKeys: async () => call<ActedAnswer>('POST', 'keys/rotate'),
  resend: async (destination: string, what: ResendBody) =>
    call<ObjectsAnswer>('POST', `destinations/${encodeURIComponent(destination)}/resend`, what),
  giveUp: async (destination: string, studyRef: string) =>
    call<ObjectsAnswer>('POST', `destinations/${encodeURIComponent(destination)}/give-up`, { studyRef }),
  echoDestination: async (name: string) =>
    call<EchoAnswer>('POST', `destinations/${encodeURIComponent(name)}/echo`),
};
