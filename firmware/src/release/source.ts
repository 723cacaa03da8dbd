/**
 * The source's side of a release. It answers a member's request for a receipt, and streams under a receipt that is
 * final. Every refusal is one answer after one time; its ground stands in this box's own disclosures.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import { idBytes, openId, toBasisId, toOpenId, toStudyId } from '../ledger/ids.ts';
import { encodeTransaction, signingMessage } from '../ledger/transactions.ts';
import type { AccessClose, AccessOpen, OpenId, StudyId } from '../ledger/types.ts';
import type {
  Clock,
  HealthBoard,
  InstitutionId,
  Ledger,
  Logger,
  Network,
  Service,
  Signer,
  VerifySignature,
} from '../ports.ts';
import { closingDigest, isGrantee } from '../protocol/grants.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import {
  admitOpen,
  basisPermits,
  type LedgerSnapshot,
  type RefusalGround,
  validityGround,
} from './admission.ts';
import { basisInWords } from './basis-words.ts';
import type { Disclosure, Disclosures } from './disclosures.ts';
import { refusalAnswerMs, releaseRequestBytesMax } from './limits.ts';
import {
  decodeReceiptRequest,
  decodeStreamRequest,
  encodeReleaseAnswer,
  heldDigest,
  releaseProtocol,
  streamMessage,
  type ReceiptRequest,
  type StreamRequest,
} from './messages.ts';
import type { OpenShares } from './open-shares.ts';
import type { OpenSession, OpenSessions } from './open-sessions.ts';
import { sizeBucketOf } from './size-bucket.ts';
import { streamObjects } from './stream.ts';

export interface SourceOptions {
  readonly self: InstitutionId;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly catalogue: Catalogue;
  readonly sessions: OpenSessions;
  readonly shares: OpenShares;
  /** Members to which the consortium's rule on attestation lets nothing be released now. */
  readonly suspends: (member: InstitutionId) => boolean;
  readonly disclosures: Disclosures;
  readonly signer: Signer;
  readonly verify: VerifySignature;
  readonly health: HealthBoard;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A request on the TLS plane, from a member whose transport key was compared with the ledger's. */
export interface PlaneCall {
  readonly institution: InstitutionId;
  /** Keying material exported from this very connection (RFC 8446, 7.5). */
  readonly exporter: Uint8Array;
  readonly body: Uint8Array;
  /** Ends the connection at once, whatever is still buffered in it. */
  readonly cut: () => void;
}

/** What the grantee holds need not be sent, if it is the beginning of what is released. */
function heldAlready({ skip, held }: StreamRequest, objects: readonly ObjectKept[]): number {
  if (skip > objects.length) return 0;
  const first = objects.slice(0, skip).map(({ instanceKey }) => instanceKey);
  return equalBytes(heldDigest(first), held) ? skip : 0;
}

type Decision =
  | { readonly kind: 'recorded' }
  | { readonly kind: 'refused'; readonly ground: RefusalGround; readonly studyId: StudyId | null };

export class ReleaseSource implements Service {
  readonly #options: SourceOptions;
  #unhandle: (() => void) | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    this.#unhandle = this.#options.network.handle(releaseProtocol, (asker, body, signal) =>
      this.#answer(asker, body, signal),
    );
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#unhandle?.();
    return Promise.resolve();
  }

  async #answer(asker: InstitutionId, bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const decision = await this.#decideBy(this.#options.clock.now() + refusalAnswerMs, asker, bytes, signal);
    if (decision.kind === 'refused') await this.#tell(asker, decision.studyId, decision.ground);
    return encodeReleaseAnswer({ kind: decision.kind });
  }

  /**
   * Refuses at that time (UTC milliseconds) and not before, and decides anew with each block until then: an asker whom
   * a final grant has reached before it reached this box asks at once.
   */
  async #decideBy(
    deadline: number,
    asker: InstitutionId,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<Decision> {
    for (;;) {
      const { height } = this.#options.ledger.head();
      const decision = await this.#decide(asker, bytes, signal);
      if (decision.kind === 'recorded' || !(await this.#blockAfter(height, deadline, signal)))
        return decision;
    }
  }

  /** True as soon as there is a final block above this height; false when that time has come. */
  async #blockAfter(height: number, deadline: number, signal: AbortSignal): Promise<boolean> {
    const { clock, ledger } = this.#options;
    if (clock.now() >= deadline) return false;
    if (ledger.head().height > height) return true;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const timer = clock.setTimer(deadline - clock.now(), () => resolve(false));
    const unsubscribe = ledger.onFinal(() => resolve(true));
    const hangUp = () => reject(new AppError('PEER_UNREACHABLE', 'the asker hung up'));
    signal.addEventListener('abort', hangUp, { once: true });
    try {
      signal.throwIfAborted();
      return await promise;
    } finally {
      timer.cancel();
      unsubscribe();
      signal.removeEventListener('abort', hangUp);
    }
  }

  /** The true ground of a refusal, to this box's own console. */
  async #tell(asker: InstitutionId, studyId: StudyId | null, ground: RefusalGround): Promise<void> {
    const { disclosures, logger } = this.#options;
    logger.info({ asker, ground }, 'release refused');
    await disclosures.record({
      direction: 'out',
      institution: asker,
      studyId,
      outcome: 'refused',
      reason: ground,
      objects: 0,
      bytes: 0,
    });
  }

  async #decide(asker: InstitutionId, bytes: Uint8Array, signal: AbortSignal): Promise<Decision> {
    const request = bytes.length > releaseRequestBytesMax ? undefined : decodeReceiptRequest(bytes);
    if (request === undefined) return { kind: 'refused', ground: 'the request is malformed', studyId: null };
    const { body } = request;
    const ground =
      body.type === 'access.open'
        ? await this.#open(asker, { ...request, body }, signal)
        : await this.#close(asker, { ...request, body }, signal);
    return ground === undefined
      ? { kind: 'recorded' }
      : { kind: 'refused', ground, studyId: toStudyId(body.studyId) };
  }

  async #open(
    asker: InstitutionId,
    request: ReceiptRequest<AccessOpen>,
    signal: AbortSignal,
  ): Promise<RefusalGround | undefined> {
    const { body, signature, tweak } = request;
    const { self, verify, sessions, ledger } = this.#options;
    const id = openId(body);
    const earlier = sessions.get(id);
    // Asked again because the answer was lost: the receipt stands, the stream checks everything anew.
    if (earlier?.institution === asker && ledger.state().openById(id) !== undefined) return undefined;
    const admission = admitOpen(this.#snapshot(), self, asker, body, tweak);
    if (admission.kind === 'refused') return admission.ground;
    if (!verify(admission.basis.granteeKey, signingMessage(body), signature)) return 'the signature is wrong';
    if (this.#objectsUnder(toStudyId(body.studyId), body.head) === undefined) return 'no such study here';
    if (this.#isAnotherUnderWay(body, id)) return 'another receipt of its grant is under way';
    const isCounted = admission.basis.emergency === null;
    if (isCounted && !this.#options.shares.take(asker, ledger.state().epoch().number))
      return 'the institution has opened too much in this epoch';
    await sessions.keep({
      openId: idBytes(id),
      grantId: body.basisId,
      studyId: toStudyId(body.studyId),
      institution: asker,
      granteeKey: admission.basis.granteeKey,
      head: body.head,
      validUntil: body.validUntil,
      streamed: false,
    });
    const ground = await this.#record(body, signature, signal);
    // The ledger's refusal is its last word. Where nobody waited for it, the watch drops what came to nothing.
    if (ground !== undefined && ledger.state().openById(id) === undefined) await sessions.delete(id);
    return ground;
  }

  /**
   * One receipt at a time may become final under a basis: a member that asks for one after the other, each valid a moment
   * longer, and hangs up would have a session for each.
   */
  #isAnotherUnderWay({ basisId }: AccessOpen, id: OpenId): boolean {
    const { sessions, ledger } = this.#options;
    const last = sessions.lastOf(toBasisId(basisId));
    if (last === undefined) return false;
    const lastId = toOpenId(last.openId);
    if (lastId === id || ledger.state().openById(lastId) !== undefined) return false;
    return last.validUntil > ledger.head().time;
  }

  /** What the ledger holds of the open says all; so it can be closed whatever has become of its session. */
  async #close(
    asker: InstitutionId,
    request: ReceiptRequest<AccessClose>,
    signal: AbortSignal,
  ): Promise<RefusalGround | undefined> {
    const { body, signature, tweak } = request;
    const { self, sessions, verify, ledger } = this.#options;
    const state = ledger.state();
    const id = toOpenId(body.openId);
    const record = state.openById(id);
    const basis = record && state.basis(toBasisId(record.basisId));
    if (!equalBytes(body.chain, state.chain)) return 'the request is malformed';
    if (record === undefined || basis === undefined) return 'no open receipt';
    if (body.source !== self || !equalBytes(body.studyId, basis.studyId)) return 'no open receipt';
    if (!verify(basis.granteeKey, signingMessage(body), signature)) return 'the signature is wrong';
    const member = state.institution(asker);
    if (member === undefined || !isGrantee(member.account.spend, tweak, basis.granteeKey))
      return 'the grant is addressed to another institution';
    if (!equalBytes(body.digest, closingDigest(tweak, body.openId, record.head)))
      return 'the digest is not of what was sent';
    if (record.closed === null) {
      const objects = this.#objectsUnder(toStudyId(basis.studyId), record.head);
      // What is here no more cannot be counted; that it was received stays true.
      if (objects !== undefined && body.sizeBucket !== sizeBucketOf(objects))
        return 'the size is not of what was sent';
      const ground = validityGround(body, this.#snapshot()) ?? (await this.#record(body, signature, signal));
      if (ground !== undefined) return ground;
    }
    if (sessions.get(id) !== undefined) await sessions.delete(id);
    return undefined;
  }

  /** Signs as the source and waits until the receipt is final. */
  async #record(
    body: AccessOpen | AccessClose,
    granteeSignature: Uint8Array,
    signal: AbortSignal,
  ): Promise<RefusalGround | undefined> {
    const { signer, ledger, logger } = this.#options;
    const signatures = [granteeSignature, signer.sign(signingMessage(body))];
    const submitted = await ledger.submit(encodeTransaction({ body, signatures }), signal);
    if (submitted.kind === 'final') return undefined;
    logger.warn({ type: body.type, reason: submitted.reason }, 'the ledger refused a receipt');
    return 'the ledger refused the receipt';
  }

  /**
   * The frames of a stream, or undefined if nothing may be streamed. Ends with an error when the ledger stops
   * permitting it: the plane then cuts the connection.
   */
  async serve(call: PlaneCall): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { sessions, verify, ledger, disclosures } = this.#options;
    const request = decodeStreamRequest(call.body);
    const session = request && sessions.get(toOpenId(request.openId));
    if (request === undefined || session?.institution !== call.institution) return undefined;
    if (!verify(session.granteeKey, streamMessage(session.openId, call.exporter), request.signature))
      return undefined;
    const record = ledger.state().openById(toOpenId(session.openId));
    if (record === undefined || record.closed !== null) return undefined;
    const objects = this.#objectsUnder(session.studyId, session.head);
    const ground = objects === undefined ? 'no such study here' : this.#groundAgainst(session);
    if (ground !== undefined) await this.#tell(call.institution, session.studyId, ground);
    if (ground !== undefined || objects === undefined) return undefined;
    // On disk before the first byte leaves: the watch goes by it, also after a power cut.
    if (!session.streamed) await sessions.keep({ ...session, streamed: true });
    const disclosure = await disclosures.record({
      direction: 'out',
      institution: call.institution,
      studyId: session.studyId,
      outcome: 'running',
      reason: basisInWords(ledger.state(), toBasisId(session.grantId)),
      objects: 0,
      bytes: 0,
    });
    return this.#stream(session, disclosure, objects, heldAlready(request, objects), call.cut);
  }

  async *#stream(
    session: OpenSession,
    disclosure: Disclosure,
    objects: readonly ObjectKept[],
    skip: number,
    cut: () => void,
  ): AsyncIterable<Uint8Array> {
    const { catalogue, clock, disclosures, health } = this.#options;
    const study = catalogue.byStudyId(session.studyId);
    if (study === undefined) throw new Error('a session is of a kept study');
    let sentBytes = 0;
    let sentObjects = 0;
    let outcome: Pick<Disclosure, 'outcome' | 'reason'> = {
      outcome: 'failed',
      reason: 'the connection broke',
    };
    try {
      for await (const frame of streamObjects({
        study,
        objects,
        skip,
        clock,
        groundAgainst: () => this.#groundAgainst(session),
        cut: (ground) => {
          outcome = { outcome: 'failed', reason: `cut: ${ground}` };
          cut();
        },
        onObjectSent: () => (sentObjects += 1),
      })) {
        sentBytes += frame.length;
        yield frame;
      }
      outcome = { outcome: 'released', reason: disclosure.reason };
    } catch (error) {
      if (error instanceof AppError && error.code === 'STORE_CORRUPT') {
        outcome = { outcome: 'failed', reason: 'an object of the study is damaged here' };
        health.raise('STORE_CORRUPT', `study ${study.ref}`, error.message);
      }
      throw error;
    } finally {
      await disclosures.update(disclosure, { ...outcome, objects: sentObjects, bytes: sentBytes });
    }
  }

  #groundAgainst(session: OpenSession): RefusalGround | undefined {
    const permitted = basisPermits(this.#snapshot(), session.institution, session.grantId);
    return permitted.kind === 'refused' ? permitted.ground : undefined;
  }

  #objectsUnder(studyId: StudyId, head: Uint8Array): readonly ObjectKept[] | undefined {
    const study = this.#options.catalogue.byStudyId(studyId);
    const objects = study?.objectsUnder((commitment) => equalBytes(commitment, head));
    return objects === undefined ? undefined : study?.newestOf(objects);
  }

  #snapshot(): LedgerSnapshot {
    const { ledger, clock, suspends } = this.#options;
    return { head: ledger.head(), state: ledger.state(), now: clock.now(), suspends };
  }
}
