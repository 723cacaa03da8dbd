/**
 * The rules of certificates and handovers are synchronous, the platform's verification of signatures is not: a rule is
 * asked once to name every signature that it relies on, and then again with the platform's verdicts.
 */
import { toHex } from '../src/encoding/bytes.ts';
import { byIdentityRule, type VerifyIdentity } from '../src/ledger/index.ts';
import { verifyEd25519 } from '../src/protocol/webcrypto-ed25519.ts';
import { verifyP256 } from '../src/protocol/webcrypto-p256.ts';

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
type PlatformVerify = (...signed: Parameters<Verify>) => Promise<boolean>;

export interface Verifiers {
  /** Ed25519. */
  readonly verify: Verify;
  readonly verifyIdentity: VerifyIdentity;
}

/** Verdicts of one kind of signature: first none is known and each is asked for, then each is as the platform said. */
class Verdicts {
  readonly #platform: PlatformVerify;
  readonly #asked = new Map<string, Promise<boolean>>();
  readonly #valid = new Set<string>();

  constructor(platform: PlatformVerify) {
    this.#platform = platform;
  }

  readonly ask: Verify = (...signed) => {
    const name = signed.map(toHex).join();
    if (!this.#asked.has(name)) this.#asked.set(name, this.#platform(...signed));
    return true;
  };

  /** False of what was never asked for. */
  readonly answer: Verify = (...signed) => this.#valid.has(signed.map(toHex).join());

  async settle(): Promise<void> {
    for (const [name, verdict] of this.#asked) if (await verdict) this.#valid.add(name);
  }
}

/** What the rule says when signatures are judged by the platform. The rule must depend on nothing but its verifiers. */
export async function withPlatformVerdicts<T>(rule: (verifiers: Verifiers) => T): Promise<T> {
  const ed25519 = new Verdicts(verifyEd25519);
  const p256 = new Verdicts(verifyP256);
  rule({ verify: ed25519.ask, verifyIdentity: byIdentityRule(p256.ask) });
  await Promise.all([ed25519.settle(), p256.settle()]);
  return rule({ verify: ed25519.answer, verifyIdentity: byIdentityRule(p256.answer) });
}
