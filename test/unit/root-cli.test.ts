/** Offline keys: made, kept encrypted, and signing the replacement of a dead box that the ledger then takes. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { formatInstitution } from '../../firmware/src/ledger/index.ts';
import { parseDocument } from '../../provisioning/root/document.ts';
import { runRoot } from '../../provisioning/root/cli.ts';
import { verifyOffline } from '../../provisioning/root/key-file.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { decodeRestartOrder, restartMessage } from '../../firmware/src/restart/restart-order.ts';
import { candidate, certifiedKeys } from '../fakes/ledger-consortium.ts';
import { genesisTime, LedgerFixture } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hilum-root-'));
});
after(() => rm(folder, { recursive: true }));

const passphrase = 'seven quiet words in a row';

/** Each answer is given to one question, in order. */
async function run(args: readonly string[], ...answers: readonly string[]) {
  const lines: string[] = [];
  const waiting = [...answers];
  const answer = (): Promise<string> => Promise.resolve(waiting.shift() ?? '');
  const status = await runRoot(args, {
    out: (line) => lines.push(line),
    error: (line) => lines.push(line),
    askSecret: answer,
    ask: answer,
    now: () => genesisTime,
  });
  assert.deepEqual(waiting, [], 'nothing was asked for in vain');
  return { status, text: lines.join('\n') };
}

const at = (name: string): string => join(folder, name);

/** The public key of a new custodian. */
async function custodian(name: string): Promise<string> {
  const { status, text } = await run(['key', '--out', at(`${name}.key`)], passphrase, passphrase);
  assert.equal(status, 0);
  assert.equal((await stat(at(`${name}.key`))).mode & 0o777, 0o600);
  return text.slice(-64);
}

test('two of three custodians put a new box in the place of a dead one', async () => {
  const keys = [await custodian('anna'), await custodian('bela'), await custodian('cleo')];
  const root = { keys: keys.map(fromHex), threshold: 2 };
  const plain = new LedgerFixture();
  const institutions = plain.genesis.institutions.map((member) =>
    member.id === 'south' ? { ...member, root } : member,
  );
  const fixture = new LedgerFixture(undefined, { institutions });
  const { chain } = fixture;
  const record = {
    ...candidate(chain, 'south'),
    keys: certifiedKeys(chain, 'south', 'the new box', { identityName: 'identity of the new box' }),
    root,
  };
  await writeFile(at('enrolment.json'), formatInstitution(record));
  const common = ['--record', at('enrolment.json'), '--chain', toHex(chain), '--version', '1'];
  const few = await run(['replace', ...common, '--signers', '1', '--out', at('few.json')]);
  assert.equal(few.status, 1);
  assert.match(few.text, /asks for 2 signers.*\[DOCUMENT_INVALID\]/);
  const made = await run(['replace', ...common, '--signers', '2,0', '--out', at('document.json')]);
  assert.equal(made.status, 0);
  assert.match(made.text, /Replaces the box of south; its record on the ledger is then number 2/);

  const sign = (name: string, from: string, out: string, ...answers: readonly string[]) =>
    run(['sign', at(from), '--key', at(`${name}.key`), '--out', at(out)], ...answers);
  assert.match((await sign('anna', 'document.json', 'no.json', 'north')).text, /Nothing was signed/);
  assert.match(
    (await sign('anna', 'document.json', 'no.json', 'south', 'another passphrase')).text,
    /passphrase does not open the key.*\[OFFLINE_KEY_UNREADABLE\]/,
  );
  assert.match((await sign('bela', 'document.json', 'no.json', 'south', passphrase)).text, /not among those/);
  assert.equal((await sign('anna', 'document.json', 'by-anna.json', 'south', passphrase)).status, 0);
  assert.equal((await sign('cleo', 'document.json', 'by-cleo.json', 'south', passphrase)).status, 0);
  const early = await run(['combine', at('by-anna.json'), '--out', at('early.hex')]);
  assert.match(early.text, new RegExp(`Not signed yet by ${keys[2] ?? ''}`));
  assert.match((await run(['show', at('by-anna.json')])).text, /has signed\nSigner 2, .*: has not signed/);
  const copies = [at('by-anna.json'), at('by-cleo.json')];
  assert.equal((await run(['combine', ...copies, '--out', at('complete.hex')])).status, 0);

  const ledger = new FinalLedger(fixture.genesis, new ManualClock(genesisTime + 1_000));
  const transaction = fromHex((await readFile(at('complete.hex'), 'utf8')).trim());
  assert.equal(ledger.finalise(transaction).kind, 'final');
  assert.deepEqual(ledger.state().institution('south')?.keys, record.keys);
  assert.equal(ledger.finalise(transaction).kind, 'refused', 'once');
});

test('a key file that was bent, a weak passphrase, a file in the way: nothing is done', async () => {
  assert.match((await run(['key', '--out', at('weak.key')], 'short')).text, /shorter than 16/);
  assert.match(
    (await run(['key', '--out', at('typo.key')], passphrase, `${passphrase}s`)).text,
    /two different/,
  );
  await custodian('dora');
  const taken = await run(['key', '--out', at('dora.key')], passphrase, passphrase);
  assert.match(taken.text, /is there already/);
  const key = JSON.parse(await readFile(at('dora.key'), 'utf8')) as Record<string, unknown>;
  assert.ok(!JSON.stringify(key).includes('302e0201'), 'no private key in clear');
  await writeFile(at('bent.key'), JSON.stringify({ ...key, publicKey: 'ab'.repeat(32) }));
  const bent = ['sign', at('document.json'), '--key', at('bent.key'), '--out', at('x.json')];
  assert.match((await run(bent, 'south', passphrase)).text, /OFFLINE_KEY_UNREADABLE/);
});

test('a document with a wrong signature, or another one’s, is refused', async () => {
  const good = JSON.parse(await readFile(at('by-anna.json'), 'utf8')) as { transaction: string };
  const bend = (text: string): string => text.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  await writeFile(at('bent.json'), JSON.stringify({ ...good, transaction: bend(good.transaction) }));
  assert.match((await run(['show', at('bent.json')])).text, /DOCUMENT_INVALID/);
  const other = ['--record', at('enrolment.json'), '--chain', 'cd'.repeat(32), '--version', '1'];
  await run(['replace', ...other, '--signers', '0,2', '--out', at('other.json')]);
  const mixed = await run(['combine', at('by-anna.json'), at('other.json'), '--out', at('mixed.hex')]);
  assert.match(mixed.text, /not copies of one document/);
  assert.equal((await run(['show', at('enrolment.json')])).status, 1);
  assert.equal(parseDocument(await readFile(at('by-anna.json'), 'utf8')).body.institution, 'south');
});

test('custodians of several hospitals sign one restart order', async () => {
  const keys = [await custodian('north'), await custodian('south')];
  const block = ['--epoch', '3', '--height', '812', '--digest', 'ab'.repeat(32), '--view', '40'];
  const reached = ['--reached', '3000040'];
  const made = [
    'restart',
    '--chain',
    'cd'.repeat(32),
    ...block,
    ...reached,
    '--abstaining',
    'west=4,east=17',
  ];
  assert.match(
    (await run([...made, '--out', at('order')])).text,
    /forgotten their votes: east \(start 17\), west \(start 4\)/,
  );
  const copies: string[] = [];
  for (const [index, name] of ['north', 'south'].entries()) {
    const out = at(`order-${name}`);
    const files = ['--key', at(`${name}.key`), '--out', out];
    const args = ['sign-restart', at('order'), '--institution', name, '--index', String(index), ...files];
    assert.match((await run(args, 'nobody')).text, /Nothing was signed/);
    assert.equal((await run(args, name, passphrase)).status, 0);
    copies.push(out);
  }
  assert.equal((await run(['combine-restart', ...copies, '--out', at('complete')])).status, 0);
  const { order, signatures } = decodeRestartOrder(await readFile(at('complete')));
  assert.deepEqual(order.abstaining, [
    { institution: 'east', start: 17 },
    { institution: 'west', start: 4 },
  ]);
  assert.equal(order.view, 40);
  const twice = [...made, '--out', at('twice')].map((word) =>
    word === 'west=4,east=17' ? 'west=4,west=5' : word,
  );
  assert.notEqual((await run(twice)).status, 0);
  // As it is after an earlier order: nobody can have voted so far above what any box tells.
  assert.ok(order.floor >= 3_000_040 + 1_048_576);
  const early = [...made, '--out', at('early')].map((word) => (word === '3000040' ? '41' : word));
  assert.equal((await run(early)).status, 0);
  assert.ok(decodeRestartOrder(await readFile(at('early'))).order.floor >= 41 + 1_048_576);
  assert.deepEqual(
    signatures.map(({ institution, key }) => [institution, key]),
    [
      ['north', 0],
      ['south', 1],
    ],
  );
  for (const { key, signature } of signatures)
    assert.ok(verifyOffline(fromHex(keys[key] ?? ''), restartMessage(order), signature));
  await run([...made, '--out', at('other-order')].map((word) => (word === '812' ? '813' : word)));
  const mixed = await run(['combine-restart', at('order'), at('other-order'), '--out', at('mixed')]);
  assert.match(mixed.text, /not copies of one order/);
  assert.match((await run(['show-restart', at('anna.key')])).text, /DOCUMENT_INVALID/);
});
