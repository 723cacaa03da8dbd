/** Our side of the comparison: the objects on which all sides work, and the operations as a box makes them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BrokerClient,
  pcrPolicyDigest,
  type Guarded,
  type ObjectBlob,
  type PcrPolicy,
  type SoftwareTpm,
} from '../../../firmware/tpm/index.ts';
import type { Logger } from '../../../firmware/src/ports.ts';
import type { Operation } from './operation.ts';

const registers = [7, 11];
const secret = new Uint8Array(32).fill(0x5a);
const digest = new Uint8Array(32);

export interface Objects {
  readonly rootName: Uint8Array;
  readonly pcrs: PcrPolicy;
  readonly policy: Uint8Array;
  readonly sealed: ObjectBlob;
  readonly identity: ObjectBlob;
  readonly attestation: ObjectBlob;
}

export class OwnClient {
  readonly #tpm: SoftwareTpm;
  readonly #logger: Logger;
  #opened: BrokerClient | undefined;

  constructor(tpm: SoftwareTpm, logger: Logger) {
    this.#tpm = tpm;
    this.#logger = logger;
  }

  get #broker(): BrokerClient {
    assert.ok(this.#opened, 'open comes first');
    return this.#opened;
  }

  /** The broker is forked by the first operation. */
  open(): void {
    this.#opened = new BrokerClient({ endpoint: this.#tpm, logger: this.#logger });
  }

  /** Ends the broker, so that the TPM has no user. */
  async close(): Promise<void> {
    await this.#broker.close();
    this.#opened = undefined;
  }

  async make(): Promise<Objects> {
    const broker = this.#broker;
    const values = await broker.call('readPcrs', { registers });
    const pcrs = { registers, values };
    const policy = pcrPolicyDigest(pcrs);
    const rootName = await broker.call('prepare', null);
    const { blob: identity } = await broker.call('createIdentity', { rootName, policy, registers });
    return {
      rootName,
      pcrs,
      policy,
      sealed: await broker.call('seal', { rootName, policy, secret }),
      identity,
      attestation: await broker.call('createAttestationKey', { rootName }),
    };
  }

  async run(
    operation: Operation,
    { rootName, pcrs, policy, sealed, identity, attestation }: Objects,
  ): Promise<void> {
    const guarded = (blob: ObjectBlob): Guarded => ({
      blob,
      rootName,
      policy: [{ kind: 'pcr', pcrs }],
    });
    switch (operation) {
      case 'seal':
        await this.#broker.call('seal', { rootName, policy, secret });
        return;
      case 'unseal':
        await this.#broker.call('unseal', guarded(sealed));
        return;
      case 'sign':
        await this.#broker.call('sign', { ...guarded(identity), digest });
        return;
      case 'quote':
        await this.#broker.call('quote', { attestationKey: attestation, rootName, nonce: digest, registers });
    }
  }
}

/** Lays the objects out as the other sides read them. */
export async function writeObjects(folder: string, objects: Objects): Promise<void> {
  await writeFile(join(folder, 'policy'), objects.policy);
  await writeFile(join(folder, 'secret'), secret);
  await writeFile(join(folder, 'digest'), digest);
  for (const name of ['sealed', 'identity', 'attestation'] as const) {
    await writeFile(join(folder, `${name}.public`), objects[name].publicArea);
    await writeFile(join(folder, `${name}.private`), objects[name].privateArea);
  }
}
