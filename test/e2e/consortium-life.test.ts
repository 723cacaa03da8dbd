/**
 * Four real boxes over their life: keys are rotated while they work, a dead box is replaced by its offline root, a member
 * is removed by vote and put out of service.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { defaultParameters } from '../../firmware/src/ledger/index.ts';
import type { ConsortiumView } from '../../firmware/src/http/consortium-contract.ts';
import type { ConsoleClient } from '../../provisioning/demo/console-client.ts';
import type { Consortium, Logins } from '../../provisioning/demo/consortium.ts';
import { writeCtPhantom } from '../../provisioning/demo/ct-phantom.ts';
import type { HospitalProcess } from '../../provisioning/demo/hospital-process.ts';
import { boxConfig } from '../../provisioning/demo/hospitals.ts';
import { sendStudy } from '../../provisioning/demo/modality.ts';
import { patientAtSource } from '../../provisioning/demo/patient.ts';
import { hireStaff, logIn } from '../../provisioning/demo/staff.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { runRoot } from '../../provisioning/root/cli.ts';
import { makeKeyFile } from '../../provisioning/root/key-file.ts';
import { makeConsortium, testTiming } from '../support/demo-consortium.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { runProgram } from '../support/lone-box.ts';

const passphrase = 'seven quiet words in a row';
/** The box that dies, and the one that leaves. */
const dead = 'tarn-valley';
const leaving = 'porto-celeste';

let consortium: Consortium;
let logins: Logins;
let rootKeys: readonly { readonly text: string; readonly publicKey: Uint8Array }[];

function box(id: string): HospitalProcess {
  return consortium.box(id);
}

async function configure({ folder, hospital }: HospitalProcess): Promise<void> {
  await mkdir(folder, { recursive: true });
  const config = boxConfig(hospital, testTiming) as { readonly institution: object };
  const root = { keys: rootKeys.map(({ publicKey }) => toHex(publicKey)), threshold: 2 };
  const institution = { ...config.institution, root };
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, institution }));
}

const admin = (id: string): Promise<ConsoleClient> => logIn(box(id), logins[id], 'admin');

const view = (client: ConsoleClient): Promise<ConsortiumView> => client.call('GET', '/api/v1/consortium');

/** All of these boxes are connected with each other. */
async function allConnected(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const client = await admin(id);
    await waitFor(`${id} to be connected`, 90, async () => {
      const { peers } = await client.overview();
      const others = peers.filter(({ institution }) => ids.includes(institution));
      return others.length === ids.length - 1 && others.every(({ connected }) => connected)
        ? true
        : undefined;
    });
  }
}

before(async () => {
  consortium = await makeConsortium(fileCleanups);
  rootKeys = [makeKeyFile(passphrase), makeKeyFile(passphrase), makeKeyFile(passphrase)];
  const institutions = [];
  for (const each of consortium.boxes) {
    await configure(each);
    institutions.push(await each.enrol());
  }
  const genesis = {
    name: 'Four hospitals',
    time: Date.now(),
    validators: consortium.boxes.map(({ hospital }) => hospital.id),
    institutions,
    parameters: defaultParameters,
    vendor: { keys: [], threshold: 0 },
    development: true,
  };
  await writeFile(join(consortium.folder, 'genesis.json'), JSON.stringify(genesis));
  logins = await hireStaff(consortium, await consortium.start());
});

/** Done, or on its way: on a slow machine a block takes longer than a person is made to wait. What it does is waited for. */
function assertTaken(answer: unknown): void {
  const kind = answer !== null && typeof answer === 'object' && 'kind' in answer ? answer.kind : answer;
  assert.ok(kind === 'done' || kind === 'waiting', JSON.stringify(answer));
}

const every = ['harrowmere', 'lindqvist', leaving, dead];

test('keys are rotated while a box works: the others follow, and what it does goes on', async () => {
  await allConnected(every);
  const client = await admin('harrowmere');
  const before = (await view(client)).members.find(({ isSelf }) => isSelf);
  assertTaken(await client.call('POST', '/api/v1/keys/rotate'));
  const after = await waitFor('the rotated keys on the ledger', 60, async () => {
    const own = (await view(client)).members.find(({ isSelf }) => isSelf);
    return own?.version === before?.version ? undefined : own;
  });
  assert.equal(after?.version, (before?.version ?? 0) + 1);
  assert.equal(after?.identity, before?.identity);

  // At once: the study is taken and registered while the connections change over.
  const folder = join(consortium.folder, 'ct');
  const study = await writeCtPhantom(folder, patientAtSource, 3);
  await sendStudy(study, box('harrowmere').hospital.ports.dicom, 'CT1', true);
  await waitFor('the study on the ledger', 60, async () => {
    const { studies } = await client.overview();
    return studies.some(({ ledger }) => ledger.kind === 'final') ? true : undefined;
  });
  await allConnected(every);
  // A second one, by the other identity of all that was made.
  assertTaken(await client.call('POST', '/api/v1/keys/rotate'));
  await allConnected(every);
});

test('a dead box is replaced by its hospital’s offline root, and takes part again', async () => {
  await box(dead).stop();
  await rm(join(box(dead).folder, 'data'), { recursive: true });
  await configure(box(dead));
  await box(dead).enrol();
  const client = await admin('harrowmere');
  const { chain, members } = await view(client);
  const version = members.find(({ id }) => id === dead)?.version ?? 0;

  const at = (name: string): string => join(consortium.folder, name);
  const run = async (args: readonly string[], ...answers: readonly string[]): Promise<void> => {
    const waiting = [...answers];
    const ask = (): Promise<string> => Promise.resolve(waiting.shift() ?? '');
    const words: string[] = [];
    const note = (line: string): void => void words.push(line);
    const status = await runRoot(args, {
      out: note,
      error: note,
      ask,
      askSecret: ask,
      now: () => Date.now(),
    });
    assert.equal(status, 0, words.join('\n'));
  };
  const record = join(box(dead).folder, 'data', 'enrolment.json');
  const given = ['--record', record, '--chain', chain, '--version', String(version)];
  await run(['replace', ...given, '--signers', '0,2', '--out', at('document.json')]);
  for (const index of [0, 2]) {
    await writeFile(at(`${index}.key`), rootKeys[index]?.text ?? '');
    const files = ['--key', at(`${index}.key`), '--out', at(`${index}.json`)];
    await run(['sign', at('document.json'), ...files], dead, passphrase);
  }
  await run(['combine', at('0.json'), at('2.json'), '--out', at('document.hex')]);
  const document = (await readFile(at('document.hex'), 'utf8')).trim();
  assertTaken(await client.call('POST', '/api/v1/consortium/documents', { document }));

  const first = await box(dead).start();
  assert.ok(first, 'it has no accounts of before');
  logins = { ...logins, ...(await hireStaff(consortium, new Map([[dead, first]]))) };
  const fresh = await admin(dead);
  await waitFor('the new box to stand on the ledger', 90, async () => {
    const { health, ledger } = await fresh.overview();
    const isNamed = !health.some(({ code }) => code === 'BOX_NOT_ON_LEDGER');
    return isNamed && ledger.height > 0 && !ledger.stale ? true : undefined;
  });
  await allConnected(every);
});

test('a member is removed by vote, and its box is put out of service with a record', async () => {
  const proposer = await admin('harrowmere');
  const removal = { kind: 'remove', institution: leaving };
  assertTaken(await proposer.call('POST', '/api/v1/proposals', removal));
  const proposal = await waitFor('the proposal on the ledger', 60, async () => {
    return (await view(proposer)).proposals[0];
  });
  const gone = box(leaving);
  const command = ['decommission', '--config', join(gone.folder, 'config.json')];
  const record = join(consortium.folder, 'decommissioned.txt');
  for (const voter of ['lindqvist', dead]) {
    const client = await admin(voter);
    await waitFor(`the proposal at ${voter}`, 60, async () =>
      (await client.overview()).consortium?.waiting === 1 ? true : undefined,
    );
    await client.call('POST', `/api/v1/proposals/${proposal.id}/vote`, { approve: true });
  }
  // The vote is final where it was cast; the proposer's box may hear of it a moment later.
  await waitFor('the removal at the proposer', 60, async () =>
    (await view(proposer)).proposals[0]?.state === 'passed' ? true : undefined,
  );
  assert.equal((await view(proposer)).members.length, 3);
  await waitFor('its connections to be cut', 60, async () =>
    (await proposer.overview()).peers.some(({ institution }) => institution === leaving) ? undefined : true,
  );
  await gone.stop();

  const wrong = await runProgram([...command, '--confirm', 'harrowmere', '--record', record]);
  assert.match(wrong.words.join('\n'), /this is the box of porto-celeste.*\[DECOMMISSION_REFUSED\]/);
  // It has not seen the vote that removed it, perhaps: then it asks for a word more.
  const done = await runProgram([...command, '--confirm', leaving, '--record', record, '--while-member']);
  assert.equal(done.status, 0, done.words.join('\n'));
  assert.match(done.stdout, /HILUM: A BOX IS PUT OUT OF SERVICE\nHospital: porto-celeste/);
  const genesis = ['--genesis', join(consortium.folder, 'genesis.json')];
  const checked = await runProgram(['check-record', record, ...genesis, '--ask', box('harrowmere').origin]);
  assert.match(checked.stdout, /Nothing was changed since it was signed. Hospital: porto-celeste/);
  assert.match(checked.stdout, /this box was its last: its membership is withdrawn. Proved by https:/);
  assert.equal(checked.status, 0);
  // Withdrawn it is, but nobody says that the keys are dead.
  const begun = join(consortium.folder, 'begun.txt');
  const [signed = ''] = (await readFile(record, 'utf8')).split('\nDone: ');
  await writeFile(begun, signed);
  const unended = await runProgram(['check-record', begun, ...genesis, '--ask', box('harrowmere').origin]);
  assert.match(unended.stdout, /begun and not ended(.|\n)*its membership is withdrawn/);
  assert.equal(unended.status, 1);
  const again = await runProgram(['run', '--config', join(gone.folder, 'config.json')]);
  assert.match(again.words.join('\n'), /STORE_CORRUPT/);
});
