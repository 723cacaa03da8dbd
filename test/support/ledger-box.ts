/**
 * The ledger of one box and nothing else of it: validator, logs and state on disk, libp2p, as box/membership.ts joins
 * them. Its keys are software's, so that no TPM is needed.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openLedgerDisks } from '../../firmware/src/box/ledger-disks.ts';
import { verifyEd25519, verifyP256 } from '../../firmware/src/box/signatures.ts';
import { Undo } from '../../firmware/src/box/undo.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { Libp2pNetwork } from '../../firmware/src/p2p/libp2p-network.ts';
import type {
  Clock,
  HealthBoard,
  PrunableLog,
  StartCounter,
  Unsubscribe,
  VotingKeys,
} from '../../firmware/src/ports.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { LedgerStateStore } from '../../firmware/src/store/ledger-state-store.ts';
import { LevelStore } from '../../firmware/src/store/level-store.ts';
import { voteLogAllocationBytes } from '../../firmware/src/store/limits.ts';
import { Validator } from '../../firmware/src/validator/validator.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { bytesOf, type LedgerFixture } from '../fakes/ledger.ts';
import { memberKeysOf } from '../fakes/member-keys.ts';

export interface LedgerBoxOptions {
  readonly fixture: LedgerFixture;
  readonly self: string;
  /** Of this box alone; begun if there is nothing in it. */
  readonly folder: string;
  /** Multiaddr. */
  readonly listen: string;
  /** With the addresses at which their boxes are. */
  readonly members: () => readonly Institution[];
  readonly onMembersChange: (listener: () => void) => Unsubscribe;
  readonly voting: VotingKeys;
  readonly starts: StartCounter;
  readonly clock: Clock;
  readonly health: HealthBoard;
  /** Epochs of which the transactions are kept. */
  readonly bodiesKeptEpochs: number;
}

/** What runs is started by who opened it, the network first. */
export class LedgerBox {
  readonly network: Libp2pNetwork;
  readonly validator: Validator;
  readonly blockLog: PrunableLog;
  readonly #undo: Undo;

  private constructor(network: Libp2pNetwork, validator: Validator, blockLog: PrunableLog, undo: Undo) {
    this.network = network;
    this.validator = validator;
    this.blockLog = blockLog;
    this.#undo = undo;
  }

  /** @throws AppError where something on its disk is not as it should be. */
  static async open(options: LedgerBoxOptions): Promise<LedgerBox> {
    const { fixture, self, folder, listen, members, onMembersChange, clock, health } = options;
    const { voting, starts, bodiesKeptEpochs } = options;
    await mkdir(folder, { recursive: true });
    const undo = new Undo();
    const voteLog = await FileAppendLog.open(join(folder, 'votes.log'), {
      domain: 'votes',
      damageCode: 'VOTE_LOG_CORRUPT',
      allocationBytes: voteLogAllocationBytes,
      keepsSpare: true,
    });
    undo.later(() => voteLog.close());
    const { blockLog, archive } = await openLedgerDisks(
      { config: { dataDir: folder, ledger: { bodiesKeptEpochs } }, logger: silentLogger },
      undo,
    );
    const store = await LevelStore.open(join(folder, 'ledger'));
    undo.later(() => store.close());
    const network = new Libp2pNetwork({
      self,
      chain: fixture.chain,
      transportSeed: bytesOf(`${self} transport`),
      listen,
      members,
      onMembersChange,
      clock,
      logger: silentLogger,
    });
    undo.later(() => network.stop());
    const validator = new Validator({
      genesis: fixture.genesis,
      self,
      keys: memberKeysOf(fixture.box(self), voting, starts),
      network,
      clock,
      logger: silentLogger,
      health,
      voteLog,
      blockLog,
      archive,
      state: new LedgerStateStore(store),
      handovers: store,
      verify: verifyEd25519,
      verifyIdentity: verifyP256,
    });
    undo.later(() => validator.stop());
    return new LedgerBox(network, validator, blockLog, undo);
  }

  async stop(): Promise<void> {
    await this.#undo.run();
  }
}
