/** A real box with its software TPM is asked to attest by somebody who is no member: over its HTTPS port, as a candidate is. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { noFormerOrigins, type Expectation } from '../../firmware/src/attestation/expectation.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { attest, type Attestation } from '../../firmware/src/attestation/verify.ts';
import { askOverHttps } from '../../firmware/src/http/attestation-client.ts';
import { parseInstitution } from '../../firmware/src/ledger/index.ts';
import { LoneBox } from '../support/lone-box.ts';

test('a stranger sees which TPM the box has, and that it is a simulator', async (t) => {
  const box = await LoneBox.make(t, 'north');
  const handedIn = parseInstitution(JSON.stringify(await box.process.enrol()));
  assert.ok(handedIn.kind === 'read');
  const { institution } = handedIn;
  await box.startFirst();
  const ask = askOverHttps(institution.endpoints.https, t.signal);
  const examine = (change: Partial<Expectation> = {}): Promise<Attestation> =>
    attest(
      {
        chain: new Uint8Array(32).fill(7),
        verifier: 'examiner',
        candidate: institution.id,
        trust: { roots: [], development: true },
        record: institution,
        proposed: false,
        former: noFormerOrigins,
        evadedSince: undefined,
        provenTpms: [],
        bootAuthorities: [],
        releases: [],
        now: Date.now(),
        ...change,
      },
      ask,
      new Uint8Array(randomBytes(challengeRandomBytes)),
    );
  const attested = await examine();
  assert.ok(attested.kind === 'judged');
  assert.deepEqual(
    attested.verdict.checks.filter(({ passed }) => !passed),
    [],
  );
  assert.equal(attested.verdict.development, true);

  // Where simulators do not count, the TPM is not even asked.
  const production = await examine({ trust: { roots: [], development: false } });
  assert.ok(production.kind === 'judged');
  assert.equal(production.verdict.passed, false);
  assert.deepEqual(await examine({ candidate: 'another' }), { kind: 'refused', reason: 'not-me' });
});
