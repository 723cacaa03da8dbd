/**
 * The services of one accepted association: which of them performs a request, its data set gathered and decoded, and
 * the one operation that runs (PS3.7 clauses 9 and 10).
 */
import type { Permission } from '../src/access/permissions.ts';
import type { StoreOutcome } from '../src/ports.ts';
import { type Command, commandField } from './command.ts';
import { decodeLongDataSet, type DecodedDataSet } from './data-set.ts';
import { GatheredIdentifier, type HeldIdentifiers } from './held-identifiers.ts';
import { operationCost } from './limits.ts';
import { type AcceptedContext, serviceFor } from './negotiation.ts';
import { type OperationLink, RunningOperation } from './running-operation.ts';
import type { DimseService } from './service.ts';
import { status } from './status.ts';
import type { WorkAccount } from './turns.ts';

/** What it needs of its association. */
export interface DispatchLink extends OperationLink {
  readonly services: readonly DimseService[];
  readonly identifiers: HeldIdentifiers;
  /** Data sets that are decoded, and operations, are charged to it. */
  readonly account: WorkAccount;
  /** What the caller is permitted to do. */
  may(permission: Permission): boolean;
  /** What was answered to SOP Class Extended Negotiation. */
  extendedNegotiation(sopClassUid: string): Uint8Array | undefined;
  /** A request that reached no service is answered. */
  respond(contextId: number, request: Command, outcome: StoreOutcome): void;
  /** An operation has ended with this status. */
  performed(command: Command, status: number): void;
}

/** A request with the context it came on and the service that performs it. */
export interface Dispatched {
  readonly contextId: number;
  readonly context: AcceptedContext;
  readonly command: Command;
  readonly service: DimseService;
}

/** A data set that came with a request, which holds its room. */
interface CameDataSet {
  readonly gathered: GatheredIdentifier;
  readonly bytes: Uint8Array;
  readonly decoded: DecodedDataSet;
}

export class ServiceDispatch {
  readonly #link: DispatchLink;
  /** A data set that still arrives. */
  #gathering: GatheredIdentifier | undefined;
  #running: { readonly operation: RunningOperation; readonly finished: Promise<void> } | undefined;
  #ended = false;

  constructor(link: DispatchLink) {
    this.#link = link;
  }

  /** The operation that runs. */
  get running(): RunningOperation | undefined {
    return this.#running?.operation;
  }

  /** Resolves when it has been answered or given up; undefined if none runs. */
  get finished(): Promise<void> | undefined {
    return this.#running?.finished;
  }

  /** Undefined for C-ECHO and C-STORE, and where no service takes the request. */
  find(contextId: number, context: AcceptedContext, command: Command): Dispatched | undefined {
    const { commandField: field } = command;
    if (field === commandField.echoRequest || field === commandField.storeRequest) return undefined;
    const role = field === commandField.eventReportRequest ? 'scp' : 'scu';
    const service = serviceFor(this.#link.services, context.abstractSyntax, role);
    return service && { contextId, context, command, service };
  }

  /** Takes the data set of a request, which is then performed. */
  gather(dispatched: Dispatched): GatheredIdentifier {
    const { contextId, command } = dispatched;
    const { transferSyntax } = dispatched.context;
    const gathered = new GatheredIdentifier(this.#link.identifiers, (bytes) => {
      // Its room is taken until it is decoded, also if the association ends meanwhile: else peers that send and leave
      // would have more decoded at a time than there is room for.
      this.#gathering = undefined;
      if (bytes === undefined) {
        this.#link.respond(contextId, command, { status: tooLong(command), comment: 'data set too long' });
        return undefined;
      }
      const perform = (decoded: DecodedDataSet): void => {
        this.#perform(dispatched, { gathered, bytes, decoded });
      };
      // Nothing more is read from this peer meanwhile, so that its next message finds the operation running.
      return decodeLongDataSet(bytes, transferSyntax, this.#link.account).then(perform);
    });
    this.#gathering = gathered;
    return gathered;
  }

  /** Performs a request without data set. */
  perform(dispatched: Dispatched): void {
    this.#perform(dispatched, undefined);
  }

  /** The association has ended. */
  end(reason: Error): void {
    this.#ended = true;
    this.#gathering?.release();
    this.#gathering = undefined;
    this.#running?.operation.end(reason);
  }

  #perform({ contextId, context, command, service }: Dispatched, came: CameDataSet | undefined): void {
    this.#link.account.charge(operationCost);
    const { abstractSyntax, transferSyntax } = context;
    const refusal = this.#ended ? undefined : this.#refusal(command, service, came);
    if (refusal !== undefined || this.#ended) {
      came?.gathered.release();
      if (refusal !== undefined) this.#link.respond(contextId, command, refusal);
      return;
    }
    const operation = new RunningOperation(this.#link, {
      contextId,
      command,
      abstractSyntax,
      transferSyntaxUid: transferSyntax,
      extendedNegotiation: this.#link.extendedNegotiation(abstractSyntax),
      dataSet: came?.decoded.kind === 'data-set' ? came.decoded.dataSet : undefined,
      dataSetBytes: came?.bytes,
    });
    this.#running = { operation, finished: this.#run(operation, service, came?.gathered) };
  }

  /** Why it is not performed. If it is, room is taken for what its data set is decoded. */
  #refusal(command: Command, service: DimseService, came: CameDataSet | undefined): StoreOutcome | undefined {
    if (!this.#link.may(service.permission)) return { status: status.notAuthorized };
    if (came === undefined) return undefined;
    const { gathered, decoded } = came;
    if (decoded.kind === 'malformed') return { status: malformed(command), comment: decoded.reason };
    if (gathered.takeDecoded(decoded.memoryBytes)) return undefined;
    return { status: tooLong(command), comment: 'no room for the data set' };
  }

  async #run(
    operation: RunningOperation,
    service: DimseService,
    gathered: GatheredIdentifier | undefined,
  ): Promise<void> {
    // Not before `#running` stands.
    await Promise.resolve();
    let code: number | undefined;
    try {
      code = await operation.run(service);
    } catch (error) {
      // Not even its failure could be answered.
      this.#link.failed(error);
      this.#link.giveUp('an operation could not be answered');
    }
    this.#running = undefined;
    gathered?.release();
    if (code !== undefined) this.#link.performed(operation.command, code);
  }
}

const isComposite = ({ commandField: field }: Command): boolean =>
  field === commandField.findRequest ||
  field === commandField.getRequest ||
  field === commandField.moveRequest;

/** No room for a data set: Out of Resources (PS3.4 C.4); Resource Limitation of the N-services (PS3.7 10.1). */
const tooLong = (command: Command): number =>
  isComposite(command) ? status.outOfResources : status.resourceLimitation;

/** A data set that cannot be read: Unable to Process (PS3.4 C.4); Processing Failure (PS3.7 10.1). */
const malformed = (command: Command): number =>
  isComposite(command) ? status.cannotUnderstand : status.processingFailure;
