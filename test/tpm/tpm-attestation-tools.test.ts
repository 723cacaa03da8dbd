/** Attestation between Hilum and the TCG's own tools, both ways: quotes and credentials. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { concatBytes, toHex, u16 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { isSignedBy, readQuote } from '../../firmware/src/attestation/attest.ts';
import { makeCredential } from '../../firmware/src/attestation/credential.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { BrokerClient, nameOf } from '../../firmware/tpm/index.ts';
import { WireReader } from '../../firmware/tpm/wire/reader.ts';
import { parseSigningPoint, pcrSelection, sized } from '../../firmware/tpm/wire/structures.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

const run = promisify(execFile);
const registers = [7, 11];
const selection = 'sha256:7,11';

/** TPMT_SIGNATURE of ECDSA with SHA-256, from r ‖ s. */
function wireSignature(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const ecdsaSha256 = [u16(0x0018), u16(0x000b)];
  return concatBytes(...ecdsaSha256, sized(signature.slice(0, half)), sized(signature.slice(half)));
}

/** r ‖ s, from a TPMT_SIGNATURE. */
function plainSignature(wire: Uint8Array): Uint8Array {
  const reader = new WireReader(wire);
  reader.bytes(4);
  const pad = (number: Uint8Array): Uint8Array => concatBytes(new Uint8Array(32 - number.length), number);
  return concatBytes(pad(reader.sized()), pad(reader.sized()));
}

interface Scene {
  readonly broker: BrokerClient;
  readonly rootName: Uint8Array;
  readonly file: (name: string) => string;
  readonly read: (name: string) => Promise<Uint8Array>;
  readonly write: (name: string, bytes: Uint8Array | string) => Promise<void>;
  /** One command of tpm2-tools; what it leaves in the TPM is flushed, for which there is no resource manager. */
  readonly tool: (name: string, ...args: string[]) => Promise<string>;
}

async function scene(t: TestContext): Promise<Scene> {
  const tpm = await FreshTpm.make(t);
  const broker = new BrokerClient({ endpoint: tpm.softwareTpm, logger: tpm.logger });
  t.after(() => broker.close());
  const rootName = await broker.call('prepare', null);
  const env = { ...process.env, TPM2TOOLS_TCTI: await tpm.tcti() };
  const file = (name: string): string => join(tpm.folder, name);
  return {
    broker,
    rootName,
    file,
    read: async (name) => new Uint8Array(await readFile(file(name))),
    write: (name, bytes) => writeFile(file(name), bytes),
    tool: async (name, ...args) => {
      const { stdout } = await run(`tpm2_${name}`, args, { env });
      await run('tpm2_flushcontext', ['-t'], { env });
      return stdout;
    },
  };
}

test('tpm2_checkquote takes our quote, and refuses another nonce, other registers and another key', async (t) => {
  const { broker, rootName, file, write, tool } = await scene(t);
  const attestationKey = await broker.call('createAttestationKey', { rootName });
  const other = await broker.call('createAttestationKey', { rootName });
  const nonce = randomBytes(32);
  const { attested, signature } = await broker.call('quote', { attestationKey, rootName, nonce, registers });
  await write('key', attestationKey.publicArea);
  await write('attested', attested);
  await write('signature', wireSignature(signature));
  // What the registers hold, in the form in which the tool writes it.
  await tool('pcrread', selection, '-o', file('registers'), '-F', 'serialized');
  const check = (key: string, qualification: Uint8Array, values: string): Promise<string> =>
    tool(
      'checkquote',
      ...['-u', file(key), '-m', file('attested'), '-s', file('signature'), '-g', 'sha256'],
      ...['-f', file(values), '-q', toHex(qualification)],
    );
  await check('key', nonce, 'registers');
  await assert.rejects(check('key', randomBytes(32), 'registers'));
  await tool('pcrread', 'sha256:0,11', '-o', file('others'), '-F', 'serialized');
  await assert.rejects(check('key', nonce, 'others'));
  await write('other-key', other.publicArea);
  await assert.rejects(check('other-key', nonce, 'registers'));
});

test('we take the quote of tpm2_quote by a key of tpm2_create, and refuse what was altered', async (t) => {
  const { broker, file, read, tool } = await scene(t);
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda';
  await tool(
    ...(['create', '-C', '0x81000001', '-G', 'ecc256:ecdsa-sha256:null', '-a', attributes] as const),
    ...['-u', file('key'), '-r', file('private')],
  );
  const parts = ['-u', file('key'), '-r', file('private'), '-c', file('key.ctx')];
  await tool('load', '-C', '0x81000001', ...parts);
  const nonce = randomBytes(32);
  await tool(
    ...(['quote', '-c', file('key.ctx'), '-l', selection, '-q', toHex(nonce), '-g', 'sha256'] as const),
    ...['-m', file('attested'), '-s', file('signature')],
  );
  const point = parseSigningPoint(await read('key'));
  const attested = await read('attested');
  const signature = plainSignature(await read('signature'));
  assert.ok(isSignedBy(point, attested, signature));
  const said = readQuote(attested);
  assert.equal(toHex(said.extraData), toHex(nonce));
  assert.equal(toHex(said.selection), toHex(pcrSelection(registers)));
  assert.equal(
    toHex(said.digest),
    toHex(sha256(concatBytes(...(await broker.call('readPcrs', { registers }))))),
  );
  assert.ok(!isSignedBy(point, attested.with(attested.length - 1, (attested.at(-1) ?? 0) ^ 1), signature));
});

test('a restricted key of ours signs no attest that was made outside of the TPM', async (t) => {
  const { broker, rootName, file, write, tool } = await scene(t);
  const { publicArea, privateArea } = await broker.call('createAttestationKey', { rootName });
  await write('public', publicArea);
  await write('private', privateArea);
  const parts = ['-u', file('public'), '-r', file('private'), '-c', file('key.ctx')];
  await tool('load', '-C', '0x81000001', ...parts);
  // TPM_GENERATED, TPM_ST_ATTEST_QUOTE, and whatever the forger likes. The TPM gives no ticket for it (part 3, 15.4).
  await write('forged', concatBytes(Uint8Array.of(0xff, 0x54, 0x43, 0x47, 0x80, 0x18), new Uint8Array(80)));
  await tool('hash', '-C', 'o', '-g', 'sha256', '-t', file('ticket'), '-o', file('digest'), file('forged'));
  const sign = [
    'sign',
    '-c',
    file('key.ctx'),
    '-g',
    'sha256',
    '-s',
    'ecdsa',
    '-o',
    file('signature'),
  ] as const;
  await assert.rejects(tool(...sign, '-d', '-t', file('ticket'), file('digest')), /0x3E0|ticket/i);
  await write('plain', 'nothing that looks like an attest');
  await tool('hash', '-C', 'o', '-g', 'sha256', '-t', file('ticket'), '-o', file('digest'), file('plain'));
  await tool(...sign, '-d', '-t', file('ticket'), file('digest'));
});

/** A credential as tpm2-tools keep it: magic, version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
const credentialHead = Uint8Array.of(0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1);

test('tpm2_activatecredential opens what we make', async (t) => {
  const { broker, rootName, file, read, write, tool } = await scene(t);
  const { publicArea, privateArea } = await broker.call('createAttestationKey', { rootName });
  const endorsement = await broker.call('readEndorsement', { kind: 'ecc-p384-high' });
  const secret = randomBytes(32);
  const made = await makeCredential(
    readEndorsementKey(endorsement.publicArea),
    nameOf(publicArea),
    secret,
    randomBytes(challengeRandomBytes),
  );
  await broker.close();
  await write('public', publicArea);
  await write('private', privateArea);
  await write('credential', concatBytes(credentialHead, sized(made.blob), sized(made.seed)));
  const parts = ['-u', file('public'), '-r', file('private'), '-c', file('key.ctx')];
  await tool('load', '-C', '0x81000001', ...parts);
  // swtpm's own endorsement key, at the place where its set-up made it persistent.
  await tool(
    ...(['activatecredential', '-c', file('key.ctx'), '-C', '0x81010016'] as const),
    ...['-i', file('credential'), '-o', file('secret')],
  );
  assert.equal(toHex(await read('secret')), toHex(secret));
});

for (const kind of ['ecc-p384-high', 'rsa-2048'] as const) {
  test(`we open what tpm2_makecredential makes for ${kind}`, async (t) => {
    const { broker, rootName, file, read, write, tool } = await scene(t);
    const attestationKey = await broker.call('createAttestationKey', { rootName });
    const { publicArea } = await broker.call('readEndorsement', { kind });
    const secret = randomBytes(32);
    await write('endorsement', publicArea);
    await write('secret', secret);
    await tool(
      ...(['makecredential', '-u', file('endorsement'), '-s', file('secret')] as const),
      ...['-n', toHex(nameOf(attestationKey.publicArea)), '-o', file('credential')],
    );
    const reader = new WireReader(await read('credential'));
    assert.equal(toHex(reader.bytes(credentialHead.length)), toHex(credentialHead));
    const [credential, encryptedSecret] = [reader.sized(), reader.sized()];
    const request = { attestationKey, rootName, kind, credential, encryptedSecret };
    assert.equal(toHex(await broker.call('activateCredential', request)), toHex(secret));
  });
}
