/** A member's console judges a candidate in Debian's Chromium, without Node and without a TPM. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { inBrowser } from '../support/browser-program.ts';

/** Runs in the page; what it returns is compared here. Bytes come as hexadecimal. */
const program = `
import { fromHex, toHex } from './firmware/src/encoding/bytes.ts';
import { beginAttempt } from './firmware/src/attestation/challenge.ts';
import { judgeClaim } from './firmware/src/attestation/judge-claim.ts';
import { judgeEvidence } from './firmware/src/attestation/judge-evidence.ts';
import { decodeRecord } from './firmware/src/attestation/judge-record.ts';
import { decodeAttestationAnswer, decodeAttestationRequest } from './firmware/src/attestation/messages.ts';
import { verdictOf } from './firmware/src/attestation/verdict.ts';

const failed = ({ checks }) => checks.filter(({ passed }) => !passed).map(({ name }) => name);

export async function judge({ vectors, name, development }) {
  const { claim, challenge, evidence, secret } = vectors[name];
  const shown = decodeAttestationAnswer(fromHex(evidence));
  const expectation = {
    chain: fromHex(vectors.chain),
    verifier: vectors.verifier,
    candidate: name,
    trust: { roots: [], development },
    record: decodeRecord(shown.record),
    proposed: false,
    evadedSince: undefined,
    provenTpms: [],
    bootAuthorities: [],
    releases: [],
    former: { bootAuthorities: [], releases: [] },
    now: vectors.now,
  };
  const judged = await judgeClaim(decodeAttestationAnswer(fromHex(claim)), expectation);
  if (judged.device === undefined) return { failed: failed(judged) };
  // Makes a challenge of its own, as a console does, and judges by the one that the TPM answered.
  const own = await beginAttempt(judged.device, expectation, crypto.getRandomValues(new Uint8Array(136)));
  const attempt = {
    device: judged.device,
    challenge: decodeAttestationRequest(fromHex(challenge)),
    secret: fromHex(secret),
  };
  const told = (by) => {
    const { checks, registers } = judgeEvidence(shown, by, expectation);
    return failed(verdictOf([...judged.checks, ...checks], { development, registers }));
  };
  return { failed: told(attempt), fresh: told(own), blob: toHex(own.challenge.blob).length / 2 };
}
`;

test('a browser judges as Node does', async () => {
  const vectors: unknown = JSON.parse(
    await readFile(new URL('../vectors/attestation/devices.json', import.meta.url), 'utf8'),
  );
  await inBrowser(program, async (run) => {
    const judge = (name: string, development: boolean): Promise<unknown> =>
      run('judge', { vectors, name, development });
    // Another challenge than the one that the TPM answered: neither nonce nor secret are its.
    const fresh = ['nonce', 'credential'];
    assert.deepEqual(await judge('north', true), { failed: [], fresh, blob: 84 });
    assert.deepEqual(await judge('south', true), { failed: [], fresh, blob: 68 });
    assert.deepEqual(await judge('north', false), { failed: ['endorsement-chain', 'endorsement-key'] });
  });
});
