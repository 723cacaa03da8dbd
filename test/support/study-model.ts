/**
 * What the ledger should make of a study, told once more in plain words: no hashes, no keys, no bytes. Property tests
 * play the same acts against this and against the ledger.
 */

export interface ModelBasis {
  readonly kind: 'grant' | 'referral' | 'emergency';
  readonly owner: number;
  readonly seq: number;
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxOpens: number;
  readonly amendments: boolean;
  readonly madeAtVersion: number;
  readonly confirmBy: number;
  confirmed: boolean;
  revoked: boolean;
  opens: number;
}

export interface ModelWindows {
  readonly objectionMs: number;
  readonly emergencyMs: number;
  readonly confirmMs: number;
  readonly emergencyOpensMax: number;
  readonly emergenciesInWindowMax: number;
}

export class StudyModel {
  /** Of the one member that declares any here. */
  #emergencies = { since: -Infinity, count: 0 };
  readonly #windows: ModelWindows;
  status: 'open' | 'frozen' | 'rescinded' | 'erased' = 'open';
  owner = 0;
  version = 1;
  acts = 0;
  grants = 0;
  referrals = 0;
  revokedUpTo = 0;
  opens = 0;
  reassignment: { readonly number: number; readonly effectiveFrom: number } | null = null;
  readonly bases: ModelBasis[] = [];

  constructor(windows: ModelWindows) {
    this.#windows = windows;
  }

  /** For grants and opens: while it is to be reassigned it is nobody's to open. */
  get #isOpen(): boolean {
    return this.status === 'open' && this.reassignment === null;
  }

  get #ended(): boolean {
    return this.status === 'rescinded' || this.status === 'erased';
  }

  amend(version: number): boolean {
    if (this.#ended || version !== this.version + 1) return false;
    this.version = version;
    return true;
  }

  /** A source's act on the standing of the study. */
  act(kind: 'freeze' | 'unfreeze' | 'rescind' | 'erase', number: number): boolean {
    if (number !== this.acts + 1) return false;
    if (kind === 'freeze' && this.status !== 'open') return false;
    if (kind === 'unfreeze' && this.status !== 'frozen') return false;
    if (kind === 'rescind' && this.#ended) return false;
    if (kind === 'erase' && this.status === 'erased') return false;
    this.acts = number;
    this.status = ({ freeze: 'frozen', unfreeze: 'open', rescind: 'rescinded', erase: 'erased' } as const)[
      kind
    ];
    if (this.#ended) this.reassignment = null;
    return true;
  }

  transfer(owner: number, version: number): boolean {
    if (this.status !== 'open' || owner !== this.owner || version !== this.version) return false;
    this.owner += 1;
    this.reassignment = null;
    return true;
  }

  reassign(number: number, time: number): boolean {
    if (number !== this.acts + 1 || this.#ended || this.reassignment !== null) return false;
    this.acts = number;
    this.reassignment = { number, effectiveFrom: time + this.#windows.objectionMs };
    return true;
  }

  object(reassignment: number): boolean {
    if (this.reassignment?.number !== reassignment) return false;
    this.reassignment = null;
    return true;
  }

  complete(reassignment: number, number: number, version: number, time: number): boolean {
    if (number !== this.acts + 1 || this.reassignment?.number !== reassignment) return false;
    if (version !== this.version || time < this.reassignment.effectiveFrom) return false;
    this.acts = number;
    this.owner += 1;
    this.reassignment = null;
    return true;
  }

  grant(
    kind: 'grant' | 'referral',
    wish: Omit<ModelBasis, 'kind' | 'opens' | 'confirmed' | 'revoked' | 'madeAtVersion' | 'confirmBy'>,
    revokedAhead: boolean,
    time: number,
  ): boolean {
    const last = kind === 'grant' ? this.grants : this.referrals;
    if (!this.#isOpen || wish.owner !== this.owner || wish.seq !== last + 1) return false;
    if (revokedAhead || wish.expiry <= time) return false;
    if (kind === 'grant') this.grants = wish.seq;
    else this.referrals = wish.seq;
    this.bases.push({
      ...wish,
      kind,
      madeAtVersion: this.version,
      confirmBy: Infinity,
      confirmed: false,
      revoked: false,
      opens: 0,
    });
    return true;
  }

  emergency(time: number): boolean {
    if (!this.#isOpen) return false;
    const { emergencyMs, confirmMs, emergencyOpensMax, emergenciesInWindowMax } = this.#windows;
    if (time >= this.#emergencies.since + emergencyMs) this.#emergencies = { since: time, count: 0 };
    if (this.#emergencies.count >= emergenciesInWindowMax) return false;
    this.#emergencies.count += 1;
    this.bases.push({
      kind: 'emergency',
      owner: this.owner,
      seq: 0,
      notBefore: time,
      expiry: time + emergencyMs,
      maxOpens: emergencyOpensMax,
      amendments: true,
      madeAtVersion: this.version,
      confirmBy: time + confirmMs,
      confirmed: false,
      revoked: false,
      opens: 0,
    });
    return true;
  }

  confirm(basis: ModelBasis, time: number): boolean {
    if (basis.kind !== 'emergency' || basis.confirmed || time >= basis.confirmBy) return false;
    basis.confirmed = true;
    return true;
  }

  /** Whether the basis still holds, time and status aside. */
  holds(basis: ModelBasis): boolean {
    if (basis.kind === 'emergency') return true;
    if (basis.kind === 'grant' && basis.seq <= this.revokedUpTo) return false;
    return !basis.revoked && basis.owner === this.owner;
  }

  revokeOne(basis: ModelBasis, owner: number): boolean {
    if (owner !== this.owner || basis.kind === 'emergency' || !this.holds(basis)) return false;
    basis.revoked = true;
    return true;
  }

  revokeUpTo(seq: number, owner: number): boolean {
    if (owner !== this.owner || seq <= this.revokedUpTo || seq > this.grants + 1024) return false;
    this.revokedUpTo = seq;
    this.grants = Math.max(this.grants, seq);
    return true;
  }

  open(basis: ModelBasis, number: number, version: number, time: number): boolean {
    if (!this.#isOpen || !this.holds(basis)) return false;
    if (time < basis.notBefore || time >= basis.expiry) return false;
    if (basis.kind === 'emergency' && !basis.confirmed && time >= basis.confirmBy) return false;
    if (basis.opens >= basis.maxOpens || number !== basis.opens + 1) return false;
    if (version !== (basis.amendments ? this.version : basis.madeAtVersion)) return false;
    basis.opens += 1;
    this.opens += 1;
    return true;
  }
}
