/**
 * The ledger of one box and nothing else of it: validator, logs and state on disk, libp2p, as box/membership.ts joins
 * them. Its keys are software's, so that no TPM is needed.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyEd25519, verifyP256 } from '../../firmware/src/box/signatures.ts';
import { Libp2pNetwork } from '../../firmware/src/p2p/libp2p-network.ts';
import type { Clock, HealthBoard } from '../../firmware/src/ports.ts';
import { FileAppendLog } from '../../firmware/src/store/append-log.ts';
import { FileLogFolder } from '../../firmware/src/store/file-log-folder.ts';
import { LedgerStateStore } from '../../firmware/src/store/ledger-state-store.ts';
import { LevelStore } from '../../firmware/src/store/level-store.ts';
import { voteLogAllocationBytes } from '../../firmware/src/store/limits.ts';
import { SegmentedLog } from '../../firmware/src/store/segmented-log.ts';
import { Validator } from '../../firmware/src/validator/validator.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { bytesOf, type LedgerFixture } from '../fakes/ledger.ts';
import { memberKeysOf } from '../fakes/member-keys.ts';
import { StoredStartCounter, StoredVotingKeys } from '../fakes/stored-keys.ts';

export interface LedgerBoxOptions {
  /** Its genesis document has the addresses at which the boxes are. */
  readonly fixture: LedgerFixture;
  readonly self: string;
  /** Of this box alone; begun if there is nothing in it. */
  readonly folder: string;
  /** Multiaddr. */
  readonly listen: string;
  readonly clock: Clock;
  readonly health: HealthBoard;
  /** Epochs of which the transactions are kept. */
  readonly bodiesKeptEpochs: number;
}

export class LedgerBox {
  readonly network: Libp2pNetwork;
  readonly validator: Validator;
  readonly #close: () => Promise<void>;

  private constructor(network: Libp2pNetwork, validator: Validator, close: () => Promise<void>) {
    this.network = network;
    this.validator = validator;
    this.#close = close;
  }

  /** @throws AppError where something on its disk is not as it should be. */
  static async open(options: LedgerBoxOptions): Promise<LedgerBox> {
    const { fixture, self, folder, listen, clock, health, bodiesKeptEpochs } = options;
    await mkdir(folder, { recursive: true });
    const { genesis, chain } = fixture;
    const own = fixture.box(self);
    const tpm = await LevelStore.open(join(folder, 'tpm'));
    const store = await LevelStore.open(join(folder, 'ledger'));
    const voteLog = await FileAppendLog.open(join(folder, 'votes.log'), {
      domain: 'votes',
      damageCode: 'VOTE_LOG_CORRUPT',
      allocationBytes: voteLogAllocationBytes,
      keepsSpare: true,
    });
    const logs = (name: string): Promise<FileLogFolder> =>
      FileLogFolder.open(join(folder, name), { domain: name, damageCode: 'STORE_CORRUPT' });
    const blockLog = await SegmentedLog.open(await logs('blocks'));
    const headers = await SegmentedLog.open(await logs('headers'));
    const network = new Libp2pNetwork({
      self,
      chain,
      transportSeed: bytesOf(`${self} transport`),
      listen,
      members: () => genesis.institutions,
      onMembersChange: () => () => undefined,
      clock,
      logger: silentLogger,
    });
    const validator = new Validator({
      genesis,
      self,
      keys: memberKeysOf(
        own,
        await StoredVotingKeys.open(tpm, self, own.voting),
        await StoredStartCounter.open(tpm),
      ),
      network,
      clock,
      logger: silentLogger,
      health,
      voteLog,
      blockLog,
      archive: { headers, snapshots: await logs('snapshots'), bodiesKeptEpochs },
      state: new LedgerStateStore(store),
      handovers: store,
      verify: verifyEd25519,
      verifyIdentity: verifyP256,
    });
    return new LedgerBox(network, validator, async () => {
      for (const each of [blockLog, headers, voteLog, store, tpm]) await each.close();
    });
  }

  async start(): Promise<void> {
    await this.network.start();
    await this.validator.start();
  }

  async stop(): Promise<void> {
    await this.validator.stop();
    await this.network.stop();
    await this.#close();
  }
}
