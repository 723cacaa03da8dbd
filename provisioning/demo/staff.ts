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

async function replaceOneTimePassword(
  box: HospitalProcess,
  name: string,
  oneTimePassword: string,
): Promise<Login> {
  const client = new ConsoleClient(box.origin, box.certificateSha256);
  await client.logIn(name, oneTimePassword);
  const password = newPassword();
  await client.changePassword(oneTimePassword, password);
  return { name, password };
}

/** Uses the one-time password that the box printed, and makes the other accounts. */
async function hire(box: HospitalProcess, first: FirstLogin): Promise<readonly Login[]> {
  const admin = await replaceOneTimePassword(box, first.name, first.password);
  const client = await logIn(box, [admin], administrator);
  const logins: Login[] = [admin];
  for (const role of furtherStaff) {
    const { account, oneTimePassword } = await client.createAccount(role, role);
    logins.push(await replaceOneTimePassword(box, account.name, oneTimePassword));
  }
  return logins;
}

export async function hireStaff(
  consortium: Consortium,
  firstLogins: ReadonlyMap<string, FirstLogin>,
): Promise<Logins> {
  const known = await consortium.readLogins();
  const hired = await Promise.all(
    [...firstLogins].map(async ([id, first]) => [id, await hire(consortium.box(id), first)] as const),
  );
  const logins = { ...known, ...Object.fromEntries(hired) };
  await consortium.writeLogins(logins);
  return logins;
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
