import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeConfig, readConfig } from '../../firmware/src/config.ts';
import { AppError } from '../../firmware/src/errors.ts';

const least = { institution: { id: 'north', name: 'North Hospital' }, dataDir: 'data' };

function refusal(raw: unknown): string {
  try {
    decodeConfig(raw, '/etc/hilum');
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'CONFIG_INVALID');
    return error.message;
  }
  assert.fail('it was accepted');
}

test('the least configuration has safe defaults', () => {
  const config = decodeConfig(least, '/etc/hilum');
  assert.equal(config.tpm.kind, 'device');
  assert.equal(config.dicom.port, 11112);
  assert.deepEqual(config.dicom.callingAeTitles, [], 'nobody may send unless listed');
  assert.equal(config.study.quietMs, 60_000);
  assert.equal(config.pacs, undefined);
  assert.equal(config.console.host, '127.0.0.1');
});

test('relative paths start at the configuration file', () => {
  const config = decodeConfig({ ...least, genesisFile: '../genesis.json' }, '/etc/hilum');
  assert.equal(config.dataDir, '/etc/hilum/data');
  assert.equal(config.genesisFile, '/etc/genesis.json');
  assert.equal(config.tpm.swtpmDir, '/etc/hilum/data/swtpm');
});

test('the files of certificates start at the configuration file too, and none is done without', () => {
  const files = { certificateFile: 'tls/box.pem', keyFile: 'tls/box.key', caFiles: ['/etc/ssl/ca.pem'] };
  assert.deepEqual(decodeConfig({ ...least, dicom: { tls: files } }, '/etc/hilum').dicom.tls, {
    port: 2762,
    certificateFile: '/etc/hilum/tls/box.pem',
    keyFile: '/etc/hilum/tls/box.key',
    caFiles: ['/etc/ssl/ca.pem'],
  });
  assert.equal(decodeConfig(least, '/').dicom.tls, undefined);
  assert.match(refusal({ ...least, dicom: { tls: { ...files, caFiles: [] } } }), /dicom\.tls\.caFiles/);
  assert.match(
    refusal({ ...least, dicom: { tls: { port: 2762 } } }),
    /missing key "dicom\.tls\.certificateFile"/,
  );
});

test('the origins of the console are named whole, or not at all', () => {
  const named = decodeConfig({ ...least, console: { origins: ['https://hilum.example:8443'] } }, '/');
  assert.deepEqual(named.console.origins, ['https://hilum.example:8443']);
  assert.equal(decodeConfig(least, '/').console.origins, undefined);
  assert.match(refusal({ ...least, console: { origins: ['http://hilum.example'] } }), /console\.origins/);
  assert.match(refusal({ ...least, console: { origins: [] } }), /console\.origins/);
});

test('a caller needs but its AE title, and may then send', () => {
  const { callers } = decodeConfig({ ...least, dicom: { callers: [{ aeTitle: 'CT1' }] } }, '/').dicom;
  const none = { addresses: [], certificates: [], calledAeTitles: [] };
  assert.deepEqual(callers, [{ aeTitle: 'CT1', ...none, may: ['store'], mayCorrect: false }]);
  assert.match(
    refusal({ ...least, dicom: { callers: [{ aeTitle: 'CT1', may: ['all'] }] } }),
    /callers\.0\.may/,
  );
  assert.match(
    refusal({ ...least, dicom: { callers: [{ aeTitle: 'CT1', address: '10.1.2.3' }] } }),
    /unknown key "dicom\.callers\.0\.address"/,
  );
});

test('a decoded configuration is frozen', () => {
  const config = decodeConfig(least, '/etc/hilum');
  assert.throws(() => ((config.dicom as { port: number }).port = 1), TypeError);
});

test('a fault names the key', () => {
  assert.match(refusal({ ...least, colour: 'red' }), /unknown key "colour"/);
  assert.match(refusal({ ...least, dicom: { prt: 104 } }), /unknown key "dicom\.prt"/);
  assert.match(refusal({ ...least, dicom: { port: '104' } }), /key "dicom\.port"/);
  assert.match(refusal({ ...least, dicom: { aeTitle: 'BACK\\SLASH' } }), /key "dicom\.aeTitle"/);
  assert.match(refusal({ ...least, study: { quietMs: 0 } }), /key "study\.quietMs"/);
  assert.match(refusal({ dataDir: 'data' }), /missing key "institution\.id"/);
  assert.match(refusal({ ...least, pacs: { port: 104 } }), /missing key "pacs\.aeTitle"/);
  assert.match(refusal([]), /must be object/);
});

test('a file that is missing or no JSON is told by its path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-config-'));
  try {
    const path = join(folder, 'config.json');
    assert.throws(() => readConfig(path), { code: 'CONFIG_UNREADABLE', message: new RegExp(path) });
    await writeFile(path, '{');
    assert.throws(() => readConfig(path), { code: 'CONFIG_INVALID', message: /is not JSON/ });
    await writeFile(path, JSON.stringify(least));
    assert.equal(readConfig(path).dataDir, join(folder, 'data'));
  } finally {
    await rm(folder, { recursive: true });
  }
});
