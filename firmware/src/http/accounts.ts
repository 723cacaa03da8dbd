/** Named accounts with one role each. Every act of a person on the box is by one of them. */
import { Type, type Static } from 'typebox';
import type { Clock, KeyValueStore } from '../ports.ts';
import { AppError } from '../errors.ts';
import { accountNameSchema, roleSchema, type AccountView, type Role } from './contract.ts';
import { accountsMax } from './limits.ts';
import { makeOneTimePassword, passwordHashSchema, type PasswordHasher } from './password-hash.ts';
import { encodeRecord, listRecords } from './stored-record.ts';

const accountRecordSchema = Type.Object({
  name: accountNameSchema,
  role: roleSchema,
  password: passwordHashSchema,
  /** The password was made by the box; with it one can do nothing but set another. */
  oneTime: Type.Boolean(),
  createdAt: Type.Number(),
  /** The account that made it; null for the first administrator. */
  createdBy: Type.Union([Type.String(), Type.Null()]),
  lastLoginAt: Type.Union([Type.Number(), Type.Null()]),
});
type AccountRecord = Static<typeof accountRecordSchema>;

const prefix = 'account/';
const firstAdministrator = 'admin';

export interface IssuedAccount {
  readonly account: AccountView;
  readonly oneTimePassword: string;
}

export type PasswordChanged = 'changed' | 'wrong-password' | 'same-password' | 'contains-name';

export class Accounts {
  readonly #store: KeyValueStore;
  readonly #clock: Clock;
  readonly #hasher: PasswordHasher;
  readonly #records = new Map<string, AccountRecord>();
  /** Changes are made one after the other, so that none is based on what another is just replacing. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: KeyValueStore, clock: Clock, hasher: PasswordHasher) {
    this.#store = store;
    this.#clock = clock;
    this.#hasher = hasher;
  }

  /** Reads the accounts. @throws AppError STORE_CORRUPT. */
  async open(): Promise<void> {
    for (const record of await listRecords(this.#store, accountRecordSchema, prefix)) {
      this.#records.set(record.name, record);
    }
  }

  /**
   * The first administrator with a fresh one-time password: at the first start, and at each later one for as long as
   * nobody has set a password of their own. So a lost print-out locks nobody out, and the password printed before
   * it is worth nothing any more. Otherwise undefined.
   */
  async issueFirst(): Promise<IssuedAccount | undefined> {
    return this.#inTurn(async () => {
      const [only, ...others] = this.#records.values();
      if (only === undefined) return this.#issue(firstAdministrator, 'administrator', null);
      if (others.length > 0 || only.name !== firstAdministrator || !only.oneTime) return undefined;
      const oneTimePassword = makeOneTimePassword();
      await this.#put({ ...only, password: await this.#hasher.hash(oneTimePassword) });
      return { account: view(only), oneTimePassword };
    });
  }

  list(): readonly AccountView[] {
    return [...this.#records.values()].map(view).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): AccountView | undefined {
    const record = this.#records.get(name);
    return record === undefined ? undefined : view(record);
  }

  /** @throws AppError ACCOUNT_EXISTS, ACCOUNTS_FULL, BUSY. */
  async create(name: string, role: Role, by: string): Promise<IssuedAccount> {
    return this.#inTurn(() => {
      if (this.#records.has(name))
        throw new AppError('ACCOUNT_EXISTS', `there is an account ${name} already`);
      if (this.#records.size >= accountsMax) {
        throw new AppError('ACCOUNTS_FULL', `the box has ${accountsMax} accounts, and takes no more`);
      }
      return this.#issue(name, role, by);
    });
  }

  /** The account, or undefined if there is none or the password is wrong: both take equally long. */
  async authenticate(name: string, password: string): Promise<AccountView | undefined> {
    const record = this.#records.get(name);
    if (!(await this.#hasher.matches(password, record?.password)) || record === undefined) return undefined;
    return this.#inTurn(async () => {
      const current = this.#records.get(name);
      // The password was changed while this login was computing: it has lost.
      if (current === undefined || current.password !== record.password) return undefined;
      const loggedIn = { ...current, lastLoginAt: this.#clock.now() };
      await this.#put(loggedIn);
      return view(loggedIn);
    });
  }

  async changePassword(name: string, current: string, next: string): Promise<PasswordChanged> {
    return this.#inTurn(async () => {
      const record = this.#records.get(name);
      if (record === undefined || !(await this.#hasher.matches(current, record.password)))
        return 'wrong-password';
      if (next.normalize('NFKC') === current.normalize('NFKC')) return 'same-password';
      if (next.toLowerCase().includes(name)) return 'contains-name';
      await this.#put({ ...record, password: await this.#hasher.hash(next), oneTime: false });
      return 'changed';
    });
  }

  /**
   * Nobody removes the own account, and who was removed in the meantime removes nobody: so one administrator always
   * stays. @throws AppError NOT_FOUND, NOT_AUTHORISED.
   */
  async remove(name: string, by: string): Promise<void> {
    return this.#inTurn(async () => {
      if (name === by || !this.#records.has(by)) {
        throw new AppError('NOT_AUTHORISED', 'nobody can remove the own account');
      }
      if (!this.#records.has(name)) throw new AppError('NOT_FOUND', 'there is no such account');
      await this.#store.write([{ delete: `${prefix}${name}` }]);
      this.#records.delete(name);
    });
  }

  async #issue(name: string, role: Role, createdBy: string | null): Promise<IssuedAccount> {
    const oneTimePassword = makeOneTimePassword();
    const record: AccountRecord = {
      name,
      role,
      password: await this.#hasher.hash(oneTimePassword),
      oneTime: true,
      createdAt: this.#clock.now(),
      createdBy,
      lastLoginAt: null,
    };
    await this.#put(record);
    return { account: view(record), oneTimePassword };
  }

  async #put(record: AccountRecord): Promise<void> {
    await this.#store.write([{ put: `${prefix}${record.name}`, value: encodeRecord(record) }]);
    this.#records.set(record.name, record);
  }

  async #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(act, act);
    this.#last = turn;
    return turn;
  }
}

function view(record: AccountRecord): AccountView {
  return {
    name: record.name,
    role: record.role,
    mustChangePassword: record.oneTime,
    createdAt: record.createdAt,
    lastLoginAt: record.lastLoginAt,
  };
}
