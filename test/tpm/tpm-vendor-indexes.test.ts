/** The NV indexes of a TPM's maker: what the box takes from them, and from whom it takes nothing. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { concatBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { BrokerClient } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { TpmVendor } from '../support/tpm-vendor.ts';

const run = promisify(execFile);

/** Of the strongest kind: asked for before all others. */
const strongestIndex = '0x01c00016';

/** Who has the platform's authorization, as the maker, and who has the owner's, which is empty until a box takes it. */
type Hierarchy = 'platform' | 'owner';

async function store(
  tpm: FreshTpm,
  tcti: string,
  by: Hierarchy,
  index: string,
  content: Uint8Array,
): Promise<void> {
  const file = join(tpm.folder, 'content');
  await writeFile(file, content);
  const writes = by === 'platform' ? 'ppwrite|platformcreate' : 'ownerwrite';
  const to = ['-T', tcti, index, '-C', by];
  const size = String(content.length);
  await run('tpm2_nvdefine', [...to, '-s', size, '-a', `ownerread|authread|no_da|${writes}`]);
  await run('tpm2_nvwrite', [...to, '-i', file]);
}

/** Where the TPM is made: switched on without the machine's firmware, which takes the platform's authorization. */
async function inFactory(tpm: FreshTpm, act: (tcti: string) => Promise<void>): Promise<void> {
  await tpm.tcti();
  await tpm.powerOff();
  const path = join(tpm.folder, 'factory.sock');
  const swtpm = spawn('swtpm', [
    ...['socket', '--tpm2', '--flags', 'not-need-init,startup-clear'],
    ...['--tpmstate', `dir=${tpm.stateFolder}`, '--server', `type=unixio,path=${path}`],
    ...['--ctrl', `type=unixio,path=${path}.ctrl`],
  ]);
  try {
    while (!existsSync(path)) await delay(10);
    await act(`swtpm:path=${path}`);
  } finally {
    swtpm.kill();
    await once(swtpm, 'close');
  }
}

async function readEndorsement(t: TestContext, tpm: FreshTpm): Promise<{ kind: string; chain: string[] }> {
  const broker = new BrokerClient({ endpoint: tpm.softwareTpm, logger: tpm.logger });
  t.after(() => broker.close());
  const { kind, chain } = await broker.call('readEndorsement', {});
  return { kind, chain: chain.map(toHex) };
}

test("the maker's authorities are found in one index or several, and without what fills these up", async (t) => {
  const tpm = await FreshTpm.make(t);
  const vendor = await TpmVendor.make({ from: Date.UTC(2026, 0, 1) });
  const [authority = new Uint8Array(), root = new Uint8Array()] = vendor.authorities;
  const split = root.length / 2;
  await inFactory(tpm, async (tcti) => {
    // One and a half certificates, the other half, and what no certificate is.
    await store(tpm, tcti, 'platform', '0x01c00100', concatBytes(authority, root.subarray(0, split)));
    const rest = concatBytes(root.subarray(split), new Uint8Array(40).fill(0xff));
    await store(tpm, tcti, 'platform', '0x01c00101', rest);
  });
  assert.deepEqual((await readEndorsement(t, tpm)).chain, [authority, root].map(toHex));
});

test("certificates that an owner put where the maker's would be are not looked at", async (t) => {
  const tpm = await FreshTpm.make(t);
  const vendor = await TpmVendor.make({ from: Date.UTC(2026, 0, 1) });
  const [certificate = new Uint8Array()] = vendor.authorities;
  await inFactory(tpm, async (tcti) => {
    await run('tpm2_nvundefine', ['-T', tcti, strongestIndex, '-C', 'platform']);
  });
  const made = { kind: 'rsa-2048', chain: [] };
  assert.deepEqual(await readEndorsement(t, tpm), made);
  const tcti = await tpm.tcti();
  await store(tpm, tcti, 'owner', strongestIndex, certificate);
  await store(tpm, tcti, 'owner', '0x01c00100', certificate);
  await store(tpm, tcti, 'owner', '0x01c00101', new Uint8Array(40).fill(0x30));
  assert.deepEqual(await readEndorsement(t, tpm), made);
});
