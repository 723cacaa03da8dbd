/** The commands of tpm2-tools with which an administrator does the same. Each is a program of its own. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Operation, Runner } from './operation.ts';

const run = promisify(execFile);
const rootAttributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt';

/** TPMS_ECC_POINT as tpm2_createprimary reads it: two coordinates, each u16 (host order) and TPM2_MAX_ECC_KEY_BYTES. */
function zeroPoint(): Buffer {
  const coordinate = Buffer.alloc(2 + 128);
  coordinate.writeUInt16LE(32);
  return Buffer.concat([coordinate, coordinate]);
}

/** Nobody else may use the TPM meanwhile: the tools leave what they load to a resource manager, which swtpm has not. */
export async function openTools(folder: string, tcti: string): Promise<Runner> {
  const file = (name: string): string => join(folder, name);
  const env = { ...process.env, TPM2TOOLS_TCTI: tcti, TSS2_LOG: 'all+none' };
  const tool = async (name: string, ...args: string[]): Promise<void> => {
    await run(`tpm2_${name}`, ['-Q', ...args], { env });
  };
  const flush = (): Promise<void> => tool('flushcontext', '-t');
  const session = file('session');
  const salted = async (kind: '--policy-session' | '--hmac-session', crypt: string): Promise<void> => {
    await tool('startauthsession', kind, '-S', session, '-c', file('root.ctx'));
    await tool('sessionconfig', session, crypt);
    await flush();
  };
  const load = async (name: string): Promise<void> => {
    const parts = ['-u', file(`${name}.public`), '-r', file(`${name}.private`), '-c', file('object.ctx')];
    await tool('load', '-C', file('root.ctx'), ...parts);
    await flush();
  };
  const twice = (name: string): string => `sha256:${file(name)},${file(name)}`;
  const usePolicy = async (name: string): Promise<void> => {
    await load(name);
    await salted('--policy-session', '--enable-encrypt');
    await tool('policypcr', '-S', session, '-l', 'sha256:7,11');
    await tool('policynv', '-S', session, '-i', file('count'), '0x0180684a', 'ule');
    await tool('policyor', '-S', session, '-l', twice('approved.branch'));
    await tool('policyauthorizenv', '-S', session, '0x0180684c');
    await tool('policyor', '-S', session, '-l', twice('device.branch'));
  };
  const asSession = `session:${session}`;
  const works: Record<Operation, () => Promise<void>> = {
    seal: async () => {
      await salted('--hmac-session', '--enable-decrypt');
      const made = ['-u', file('made.public'), '-r', file('made.private')];
      const what = ['-a', 'fixedtpm|fixedparent|noda', '-L', file('policy'), '-i', file('secret')];
      await tool('create', '-C', file('root.ctx'), '-P', asSession, ...what, ...made);
      await tool('flushcontext', session);
    },
    unseal: async () => {
      await usePolicy('sealed');
      await tool('unseal', '-c', file('object.ctx'), '-p', asSession, '-o', file('unsealed'));
      await tool('flushcontext', session);
    },
    sign: async () => {
      await usePolicy('identity');
      const what = ['-g', 'sha256', '-s', 'ecdsa', '-d', '-o', file('signature')];
      await tool('sign', '-c', file('object.ctx'), '-p', asSession, ...what, file('digest'));
      await tool('flushcontext', session);
    },
    quote: async () => {
      await load('attestation');
      const what = ['-l', 'sha256:7,11', '-q', '00'.repeat(32), '-g', 'sha256'];
      await tool('quote', '-c', file('object.ctx'), ...what, '-m', file('attested'), '-s', file('signature'));
    },
  };

  await writeFile(file('unique'), zeroPoint());
  const algorithms = ['-g', 'sha256', '-G', 'ecc256:null:aes128cfb', '-a', rootAttributes];
  await tool('createprimary', '-C', 'o', ...algorithms, '-u', file('unique'), '-c', file('root.ctx'));
  await flush();

  return async (operation, count) => {
    const times: number[] = [];
    for (let left = count; left > 0; left--) {
      const begun = performance.now();
      await works[operation]();
      times.push(performance.now() - begun);
      await flush();
    }
    return times;
  };
}
