/** Our side of the comparison: the objects on which all sides work, and the operations as a box makes them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BrokerClient,
  type Guarded,
  type ObjectBlob,
  type SoftwareTpm,
} from '../../../firmware/tpm/index.ts';
import {
  approvalContent,
  boundRegisters,
  devicePolicyDigest,
  deviceSteps,
  type Approval,
} from '../../../firmware/tpm/keys/device-policy.ts';
import { counterOperand, type PolicyStep } from '../../../firmware/tpm/wire/policy.ts';
import type { Logger } from '../../../firmware/src/ports.ts';
import type { Operation } from './operation.ts';

const secret = new Uint8Array(32).fill(0x5a);
const digest = new Uint8Array(32);

export interface Objects {
  readonly rootName: Uint8Array;
  /** The device policy of a box without an offline rescue key, and what satisfies it. */
  readonly policy: Uint8Array;
  readonly steps: readonly PolicyStep[];
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
    const values = await broker.call('readPcrs', { registers: boundRegisters });
    const rootName = await broker.call('prepare', null);
    const countMax = await broker.call('readCounter', { counter: 'firmware', rootName });
    const approval: Approval = [{ values, countMax }];
    await broker.call('writeFirstApproval', { rootName, content: approvalContent(approval) });
    const policy = devicePolicyDigest(undefined);
    const creation = { rootName, policy, registers: boundRegisters };
    const { blob: identity } = await broker.call('createIdentity', creation);
    return {
      rootName,
      policy,
      steps: deviceSteps(approval[0], approval, undefined),
      sealed: await broker.call('seal', { rootName, policy, secret }),
      identity,
      attestation: await broker.call('createAttestationKey', { rootName }),
    };
  }

  async run(
    operation: Operation,
    { rootName, policy, steps, sealed, identity, attestation }: Objects,
  ): Promise<void> {
    const guarded = (blob: ObjectBlob): Guarded => ({ blob, rootName, policy: steps });
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
        await this.#broker.call('quote', {
          attestationKey: attestation,
          rootName,
          nonce: digest,
          registers: boundRegisters,
        });
    }
  }
}

/** What the steps of the policy take: the counter's operand, and the branch that stands twice in each PolicyOR. */
function policyFiles(steps: readonly PolicyStep[]): Readonly<Record<string, Uint8Array>> {
  const [approved, device] = steps.flatMap((step) => (step.kind === 'or' ? [step.branches] : []));
  const [count] = steps.flatMap((step) => (step.kind === 'counter' ? [step.valueMax] : []));
  assert.ok(approved?.[0] && device?.[0] && count !== undefined);
  return { count: counterOperand(count), 'approved.branch': approved[0], 'device.branch': device[0] };
}

/** Lays the objects out as the other sides read them. */
export async function writeObjects(folder: string, objects: Objects): Promise<void> {
  await writeFile(join(folder, 'policy'), objects.policy);
  await writeFile(join(folder, 'secret'), secret);
  for (const [name, bytes] of Object.entries(policyFiles(objects.steps)))
    await writeFile(join(folder, name), bytes);
  await writeFile(join(folder, 'digest'), digest);
  for (const name of ['sealed', 'identity', 'attestation'] as const) {
    await writeFile(join(folder, `${name}.public`), objects[name].publicArea);
    await writeFile(join(folder, `${name}.private`), objects[name].privateArea);
  }
}
