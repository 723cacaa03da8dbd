/** What TPMs said to tpm2-tools, judged; and whatever is bent in it, refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { beginAttempt, type Attempt } from '../../firmware/src/attestation/challenge.ts';
import { readEventLog, replay } from '../../firmware/src/attestation/event-log.ts';
import { noFormerOrigins, type Expectation } from '../../firmware/src/attestation/expectation.ts';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { judgeEvidence } from '../../firmware/src/attestation/judge-evidence.ts';
import { decodeRecord } from '../../firmware/src/attestation/judge-record.ts';
import {
  decodeAttestationAnswer,
  decodeAttestationRequest,
  encodeAttestationAnswer,
  encodeAttestationRequest,
  type Claim,
  type Evidence,
} from '../../firmware/src/attestation/messages.ts';
import { readEndorsementKey, readSigningKey } from '../../firmware/src/attestation/public-area.ts';
import { verdictOf, type Check } from '../../firmware/src/attestation/verdict.ts';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';

interface CapturedDevice {
  readonly claim: string;
  readonly challenge: string;
  readonly evidence: string;
  readonly secret: string;
}

interface Vectors {
  readonly now: number;
  readonly chain: string;
  readonly verifier: string;
  readonly random: string;
  readonly north: CapturedDevice;
  readonly south: CapturedDevice;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/attestation/devices.json', import.meta.url), 'utf8'),
) as Vectors;

function claimOf(name: 'north' | 'south'): Claim {
  const claim = decodeAttestationAnswer(fromHex(vectors[name].claim));
  return claim?.type === 'claim' ? claim : assert.fail('no claim');
}

function evidenceOf(name: 'north' | 'south'): Evidence {
  const evidence = decodeAttestationAnswer(fromHex(vectors[name].evidence));
  return evidence?.type === 'evidence' ? evidence : assert.fail('no evidence');
}

function expecting(name: 'north' | 'south', change: Partial<Expectation> = {}): Expectation {
  return {
    chain: fromHex(vectors.chain),
    verifier: vectors.verifier,
    candidate: name,
    trust: { roots: [], development: true },
    record: decodeRecord(evidenceOf(name).record),
    proposed: false,
    former: noFormerOrigins,
    evadedSince: undefined,
    provenTpms: [],
    bootAuthorities: [],
    releases: [],
    now: vectors.now,
    ...change,
  };
}

/** The challenge as it was then: for an RSA key it cannot be made again, since OAEP draws its own randomness. */
async function attemptOf(name: 'north' | 'south'): Promise<Attempt> {
  const { device, checks } = await judgeClaim(claimOf(name), expecting(name));
  assert.ok(device, JSON.stringify(checks));
  const challenge = decodeAttestationRequest(fromHex(vectors[name].challenge));
  assert.ok(challenge?.type === 'challenge');
  return { device, challenge, secret: fromHex(vectors[name].secret) };
}

const failures = (checks: readonly Check[]): string[] =>
  checks.filter(({ passed }) => !passed).map(({ name }) => name);

for (const name of ['north', 'south'] as const) {
  test(`${name}: what a TPM said to tpm2-tools passes, in a development consortium`, async () => {
    const { checks } = await judgeClaim(claimOf(name), expecting(name));
    const { checks: found, ...proved } = judgeEvidence(
      evidenceOf(name),
      await attemptOf(name),
      expecting(name),
    );
    const verdict = verdictOf([...checks, ...found], { development: true, ...proved });
    assert.deepEqual(failures(verdict.checks), []);
    assert.equal(verdict.registers?.length, 2);
  });

  test(`${name}: messages have one form`, () => {
    const { claim, challenge, evidence } = vectors[name];
    assert.equal(toHex(encodeAttestationAnswer(claimOf(name))), claim);
    assert.equal(toHex(encodeAttestationAnswer(evidenceOf(name))), evidence);
    const request = decodeAttestationRequest(fromHex(challenge));
    assert.ok(request);
    assert.equal(toHex(encodeAttestationRequest(request)), challenge);
  });

  test(`${name}: no simulator passes in production`, async () => {
    const { checks } = await judgeClaim(
      claimOf(name),
      expecting(name, { trust: { roots: [], development: false } }),
    );
    assert.deepEqual(failures(checks), ['endorsement-chain', 'endorsement-key']);
  });
}

test('MakeCredential for an elliptic-curve key makes the bytes that the TPM opened', async () => {
  const { device, challenge } = await attemptOf('north');
  const again = await beginAttempt(device, expecting('north'), fromHex(vectors.random));
  assert.deepEqual(again.challenge, challenge);
  assert.equal(toHex(again.secret), vectors.north.secret);
});

test('evidence of one device is none of another', async () => {
  const checks = judgeEvidence(evidenceOf('south'), await attemptOf('north'), expecting('north')).checks;
  assert.deepEqual(failures(checks), ['quote-signature']);
});

test('keys of the two kinds are read, and no bent area breaks the reader', () => {
  const { endorsementKey, attestationKey } = claimOf('north');
  const rsa = readEndorsementKey(claimOf('south').endorsementKey);
  assert.equal(rsa.kind === 'rsa' && rsa.modulus.length, 256);
  const ecc = readEndorsementKey(endorsementKey);
  assert.deepEqual([ecc.kind === 'ecc' && ecc.curve, ecc.hash, ecc.aesBits], ['P-384', 'SHA-384', 256]);
  for (const [area, read] of [
    [endorsementKey, readEndorsementKey],
    [attestationKey, readSigningKey],
  ] as const)
    fc.assert(
      fc.property(fc.nat(area.length - 1), fc.nat(255), fc.nat(area.length), (at, byte, length) => {
        const bent = area.slice(0, length);
        bent[at] = byte;
        try {
          read(bent);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }),
      { seed: 11, numRuns: 500 },
    );
});

test('an event log makes its registers; one that is bent is refused or makes others', () => {
  const { eventLog, registers } = evidenceOf('north');
  const made = (log: Uint8Array) => [7, 11].map((register) => toHex(replay(readEventLog(log), register)));
  assert.deepEqual(made(eventLog), registers.map(toHex));
  fc.assert(
    fc.property(fc.nat(eventLog.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3), (at, flip, cut) => {
      const bent = eventLog.slice(0, eventLog.length - cut);
      bent[at] = (bent[at] ?? 0) ^ flip;
      try {
        readEventLog(bent);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { seed: 13, numRuns: 1_000 },
  );
});

test('no bit of the evidence can be turned', async () => {
  const attempt = await attemptOf('north');
  const evidence = evidenceOf('north');
  fc.assert(
    fc.property(
      fc.constantFrom('attest', 'signature', 'record', 'proof'),
      fc.nat(100_000),
      fc.nat(7),
      (part, place, bit) => {
        const bytes = evidence[part].slice();
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const { checks } = judgeEvidence({ ...evidence, [part]: bytes }, attempt, expecting('north'));
        assert.notDeepEqual(failures(checks), [], `${part} ${at}`);
      },
    ),
    { seed: 17, numRuns: 150 },
  );
});

test('whatever bytes come, the decoders answer', () => {
  const message = fromHex(vectors.north.evidence);
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.nat(255), fc.nat(message.length), (at, byte, length) => {
      const bent = message.slice(0, length);
      bent[at] = byte;
      const decoded = decodeAttestationAnswer(bent);
      if (decoded !== undefined)
        assert.deepEqual(encodeAttestationAnswer(decoded), bent.slice(0, bent.length));
      decodeAttestationRequest(bent);
    }),
    { seed: 19, numRuns: 1_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeAttestationAnswer(bytes);
      decodeAttestationRequest(bytes);
    }),
    { seed: 23, numRuns: 1_000 },
  );
});
