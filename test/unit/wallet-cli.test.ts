/** The command-line wallet: its file, its words, its JSON and its exit status. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { runWallet } from '../../provisioning/wallet/cli.ts';
import { FileStore } from '../../provisioning/wallet/file-store.ts';
import {
  formatDate,
  formatSizeBucket,
  formatTable,
  formatTime,
} from '../../provisioning/wallet/text-tables.ts';
import { WalletConsortium } from '../fakes/wallet-consortium.ts';
import { serveWallets, type WalletServer } from '../support/wallet-server.ts';
import { withCode } from '../support/wallet-set-up.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hilum-wallet-'));
});
after(() => rm(folder, { recursive: true }));

async function run(file: string, ...args: readonly string[]) {
  const out: string[] = [];
  const error: string[] = [];
  const status = await runWallet(['--file', join(folder, file), ...args], {
    out: (line) => out.push(line),
    error: (line) => error.push(line),
  });
  return { status, out: out.join('\n'), error: error.join('\n') };
}

/** A consortium whose clock is the wallet's, with one of its boxes behind a real port. */
async function realBox(institution: string): Promise<{ consortium: WalletConsortium; server: WalletServer }> {
  const consortium = new WalletConsortium();
  consortium.now = Date.now();
  // The genesis document is from long ago: the ticket vouches for the epoch that begins now.
  consortium.endEpoch();
  consortium.heartbeat();
  const endpoint = consortium.endpoint(institution);
  const server = await serveWallets((request) => consortium.request(endpoint, request));
  return { consortium, server };
}

test('from a new wallet to a history, in words and in JSON', async () => {
  const { consortium, server } = await realBox('north');
  await using _closed = server;
  const { origin, certificateSha256 } = server;
  const ticket = consortium.ticket('north', { origin, certificateSha256 });

  assert.equal((await run('patient', 'new')).status, 0);
  const bound = await run('patient', 'bind', ticket);
  assert.deepEqual([bound.status, bound.out], [0, 'Bound at north.']);
  const study = await consortium.register('north', 'Thorax \u001b[2J nativ');

  const studies = await run('patient', 'studies');
  assert.equal(studies.status, 0);
  assert.match(studies.out, /2026-01-02 +CT +Thorax/);
  assert.ok(!studies.out.includes('\u001b'), 'what a modality wrote cannot rewrite the screen');
  const listed = JSON.parse((await run('patient', '--json', 'studies')).out) as {
    studies: { studyId: string; note: { instances: number } }[];
  };
  assert.deepEqual(
    listed.studies.map((item) => [item.studyId, item.note.instances]),
    [[study, 200]],
  );

  const grant = ['grant', study.slice(0, 12), '--to', 'south', '--purpose', 'Second opinion', '--days', '7'];
  const granted = await run('patient', '--json', ...grant);
  assert.equal(granted.status, 0, granted.out + granted.error);
  const { kind, grantId, expiry } = JSON.parse(granted.out) as {
    kind: string;
    grantId: string;
    expiry: number;
  };
  assert.equal(kind, 'granted');
  assert.equal(expiry, consortium.lastGrant.expiry);
  await consortium.close('south', consortium.lastGrant, await consortium.open('south', consortium.lastGrant));

  const history = await run('patient', 'history', study.slice(0, 12));
  assert.equal(history.status, 0);
  assert.match(history.out, /south +Second opinion .* active/);
  assert.match(history.out, /1 +south +Second opinion .* up to 128 MiB/);
  assert.match(history.out, /Complete as of block \d+, .* by proof\./);

  const revoked = await run('patient', 'revoke', study, grantId.slice(0, 8));
  assert.deepEqual([revoked.status, revoked.out], [0, 'Revoked.']);
  const json = JSON.parse((await run('patient', '--json', 'history', study)).out) as {
    grants: { status: string }[];
  };
  assert.deepEqual(
    json.grants.map((item) => item.status),
    ['revoked'],
  );
  assert.match((await run('patient', 'history', study)).out, /revoked/);
});

test('what is not done ends with status 1 and one line that says why', async () => {
  const refused = await run('nobody', 'studies');
  assert.equal(refused.status, 1);
  assert.match(refused.error, /^There is no wallet yet\. \[WALLET_UNREADABLE\] .*--file/);
  assert.equal((await run('second', 'new')).status, 0);
  const again = await run('second', 'new');
  assert.equal(again.status, 1);
  assert.match(again.error, /WALLET_EXISTS/);
  const ticket = await run('second', 'bind', 'no ticket');
  assert.deepEqual([ticket.status, ticket.out], [1, '']);
  assert.match(ticket.error, /no ticket/);
  const json = await run('second', '--json', 'bind', 'no ticket');
  assert.deepEqual(JSON.parse(json.out), { kind: 'refused', by: 'wallet', reason: 'ticket-malformed' });
  const failed = await run('nobody', '--json', 'studies');
  assert.equal((JSON.parse(failed.out) as { code: string }).code, 'WALLET_UNREADABLE');
});

test('wrong usage is explained and does nothing', async () => {
  for (const args of [
    ['grant', '12345678', '--to', 'south'],
    ['grant', '12345678', '--to', 'south', '--purpose', 'x', '--days', '1.5'],
    ['grant', '12345678', '--to', 'south', '--purpose', 'x', '--days', '-3'],
    ['unknown'],
    ['revoke'],
    ['studies', '--verbose'],
  ]) {
    const { status, error } = await run('third', ...args);
    assert.equal(status, 1, args.join(' '));
    assert.match(error, /error: /);
  }
  assert.equal((await run('third', '--help')).status, 0);
  assert.ok(!(await readdir(folder)).includes('third'));
});

test('the file is its owner’s alone, whole or not there, and never overwritten unseen', async () => {
  const path = join(folder, 'store');
  const store = new FileStore(path);
  assert.equal(await store.load(), undefined);
  await store.save(Uint8Array.of(1));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await store.save(Uint8Array.of(1, 2));
  assert.deepEqual([...(await readFile(path))], [1, 2]);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('store')),
    ['store'],
  );

  await writeFile(path, Uint8Array.of(9));
  await assert.rejects(store.save(Uint8Array.of(3)), withCode('WALLET_NOT_SAVED'));
  assert.deepEqual([...(await readFile(path))], [9]);
  await rm(path);
  await assert.rejects(store.save(Uint8Array.of(3)), withCode('WALLET_NOT_SAVED'));

  await writeFile(path, Uint8Array.of(9));
  await chmod(path, 0o640);
  await assert.rejects(new FileStore(path).load(), withCode('WALLET_UNREADABLE'));
  await assert.rejects(
    new FileStore(join(folder, 'no such folder', 'wallet')).save(Uint8Array.of(1)),
    withCode('WALLET_NOT_SAVED'),
  );
  await assert.rejects(new FileStore(folder).load(), withCode('WALLET_UNREADABLE'));
});

test('tables, times, dates and sizes as people read them', () => {
  assert.equal(
    formatTable(
      ['a', 'bb'],
      [
        ['ccc', 'd'],
        ['e', ''],
      ],
    ),
    'a    bb\nccc  d\ne',
  );
  assert.equal(formatTable(['x'], [['a\nb\u0007\u202e']]), 'x\na b  '.trimEnd());
  assert.equal(formatTime(0), '1970-01-01 00:00:00 UTC');
  assert.equal(formatDate('20240309'), '2024-03-09');
  assert.equal(formatDate('2024'), '2024');
  assert.deepEqual([0, 9, 10, 27, 41, 55].map(formatSizeBucket), [
    'up to 1 B',
    'up to 512 B',
    'up to 1 KiB',
    'up to 128 MiB',
    'up to 2 TiB',
    'up to 32768 TiB',
  ]);
});
