import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { nobody } from '../../firmware/src/ledger/index.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import type { Logger, Unsubscribe } from '../../firmware/src/ports.ts';

/** A logger that keeps nothing. */
export const silentLogger: Logger = {
  child: () => silentLogger,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** An Ed25519 seed that follows from a name, so that tests need no key files. */
export function seedOf(name: string): Uint8Array {
  return createHash('sha256').update(`test transport seed ${name}`).digest();
}

/** RFC 8410: PKCS#8 of an Ed25519 private key is this prefix and the seed. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}

/** An institution with a real transport key; its other keys are placeholders that no transport looks at. */
export function institutionOf(id: string, endpoints: Partial<Institution['endpoints']> = {}): Institution {
  const unused = new Uint8Array(32);
  return {
    id,
    name: `Hospital ${id}`,
    keys: {
      voting: unused,
      transaction: unused,
      transport: publicKeyOf(seedOf(id)),
      identity: new Uint8Array(65),
      device: { attestationKey: new Uint8Array(34), endorsement: new Uint8Array(32) },
      certificate: new Uint8Array(64),
      possession: {
        voting: new Uint8Array(64),
        transaction: new Uint8Array(64),
        transport: new Uint8Array(64),
      },
      expiry: 4_102_444_800_000,
    },
    account: { spend: unused, view: unused },
    endpoints: {
      p2p: '/ip4/127.0.0.1/tcp/9',
      plane: '127.0.0.1:9',
      https: 'https://127.0.0.1:9',
      ...endpoints,
    },
    root: nobody,
  };
}

/** The member set of a ledger, as the transports see it. */
export class MemberSet {
  #members: Institution[];
  readonly #listeners = new Set<() => void>();

  constructor(members: readonly Institution[] = []) {
    this.#members = [...members];
  }

  readonly members = (): readonly Institution[] => this.#members;

  readonly onMembersChange = (listener: () => void): Unsubscribe => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  replace(members: readonly Institution[]): void {
    this.#members = [...members];
    for (const listener of this.#listeners) listener();
  }

  remove(id: string): void {
    this.replace(this.#members.filter((member) => member.id !== id));
  }
}
