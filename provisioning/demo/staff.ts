/** Who works at the consoles of the demonstration: an administrator everywhere, reception and a clinician. */
import { randomBytes } from 'node:crypto';
import type { Role } from '../../firmware/src/http/contract.ts';
import { ConsoleClient } from './console-client.ts';
import type { Consortium, Login, Logins } from './consortium.ts';
import type { FirstLogin, HospitalProcess } from './hospital-process.ts';

const administrator = 'admin';
const furtherStaff = ['reception', 'clinician'] as const satisfies readonly Role[];

function newPassword(): string {
  return randomBytes(12).toString('base64url');
}

/**
 * The logins of all boxes and their file. A password stands in the file before its box learns it, so that an
 * interrupt between the two locks nobody out: what the box says of the account tells which one counts.
 */
class LoginBook {
  readonly #consortium: Consortium;
  readonly #logins: Map<string, readonly Login[]>;
  /** Written one after the other: the boxes' staff log in at the same time. */
  #written: Promise<void> = Promise.resolve();

  constructor(consortium: Consortium, known: Logins) {
    this.#consortium = consortium;
    this.#logins = new Map(Object.entries(known));
  }

  get logins(): Logins {
    return Object.fromEntries(this.#logins);
  }

  of(id: string): readonly Login[] {
    return this.#logins.get(id) ?? [];
  }

  /** Resolves when it is in the file. */
  async note(id: string, login: Login): Promise<void> {
    this.#logins.set(id, [...this.of(id).filter(({ name }) => name !== login.name), login]);
    this.#written = this.#written.then(() => this.#consortium.writeLogins(this.logins));
    return this.#written;
  }
}

async function replaceOneTimePassword(
  box: HospitalProcess,
  book: LoginBook,
  name: string,
  oneTimePassword: string,
): Promise<void> {
  const client = new ConsoleClient(box.origin, box.certificateSha256);
  await client.logIn(name, oneTimePassword);
  const password = newPassword();
  await book.note(box.hospital.id, { name, password });
  await client.changePassword(oneTimePassword, password);
}

/** Uses the one-time password if the box printed one, and makes the other accounts as far as they are not made. */
async function hire(box: HospitalProcess, book: LoginBook, first: FirstLogin | undefined): Promise<void> {
  if (first !== undefined) await replaceOneTimePassword(box, book, first.name, first.password);
  const client = await logIn(box, book.of(box.hospital.id), administrator);
  const accounts = await client.accounts();
  for (const role of furtherStaff) {
    const known = accounts.find(({ name }) => name === role);
    if (known?.mustChangePassword === false) continue;
    // An earlier start was interrupted: the one-time password of this account is lost.
    if (known !== undefined) await client.removeAccount(role);
    const { account, oneTimePassword } = await client.createAccount(role, role);
    await replaceOneTimePassword(box, book, account.name, oneTimePassword);
  }
}

/** Everybody who is not yet at work gets an account; `firstLogins` are what the boxes printed at this start. */
export async function hireStaff(
  consortium: Consortium,
  firstLogins: ReadonlyMap<string, FirstLogin>,
): Promise<Logins> {
  const book = new LoginBook(consortium, await consortium.readLogins());
  await Promise.all(consortium.boxes.map((box) => hire(box, book, firstLogins.get(box.hospital.id))));
  return book.logins;
}

export async function logIn(
  box: HospitalProcess,
  logins: readonly Login[] | undefined,
  name: 'admin' | (typeof furtherStaff)[number],
): Promise<ConsoleClient> {
  const login = logins?.find((candidate) => candidate.name === name);
  if (login === undefined)
    throw new Error(`no login of ${name} at ${box.hospital.id} is known; begin anew with --fresh`);
  const client = new ConsoleClient(box.origin, box.certificateSha256);
  await client.logIn(login.name, login.password);
  return client;
}
