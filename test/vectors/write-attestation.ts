/**
 * Captures what two TPMs say, through the TCG's tpm2-tools: run it when a format of attestation was changed on purpose.
 * The vectors differ at each run, since a TPM's signatures do; what must hold of them, test/unit/attestation-vectors says.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beginAttempt } from '../../firmware/src/attestation/challenge.ts';
import { encodeRecord } from '../../firmware/src/attestation/judge-record.ts';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import {
  encodeAttestationAnswer,
  encodeAttestationRequest,
} from '../../firmware/src/attestation/messages.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { keysMessage } from '../../firmware/src/ledger/index.ts';
import { SoftwareTpm } from '../../firmware/tpm/index.ts';
import { boxOf, bytesOf, institutionOf } from '../fakes/ledger.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { ToolsDevice, type EndorsementName } from '../support/tools-device.ts';

/** The simulator's certificates are made after this. */
const now = Date.now() + 86_400_000;
const chain = bytesOf('chain of the attestation vectors');
const random = new Uint8Array(challengeRandomBytes).map((_, at) => at);

/** The institution's record, with this device in it, certified by its identity key in the TPM. */
async function recordOf(device: ToolsDevice, institution: string): Promise<Uint8Array> {
  const record = institutionOf(boxOf(institution), 0);
  const { endorsement, attestationKey } = device.names;
  const keys = {
    ...record.keys,
    identity: device.identity,
    device: { endorsement, attestationKey },
    expiry: 4_102_444_800_000,
  };
  const certificate = await device.sign(keysMessage(institution, keys));
  return encodeRecord({ ...record, keys: { ...keys, certificate } });
}

async function capture(institution: string, endorsement: EndorsementName) {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-vectors-'));
  await mkdir(join(folder, 'checkout', 'firmware'), { recursive: true });
  for (const name of ['firmware/main.ts', 'package.json', 'package-lock.json'])
    await writeFile(join(folder, 'checkout', name), 'firmware of the attestation vectors\n');
  const stateFolder = join(folder, 'swtpm');
  const firmwareRoot = join(folder, 'checkout');
  const softwareTpm = new SoftwareTpm({ stateFolder, logger: new RecordingLogger(), firmwareRoot });
  try {
    const { tcti } = await softwareTpm.open();
    const device = await ToolsDevice.make(folder, { stateFolder, tcti, endorsement });
    const trust = { roots: [], development: true };
    const { device: claimed } = await judgeClaim(device.claim, { trust, now });
    if (claimed === undefined) throw new Error('the claim is not good');
    const question = { chain, verifier: 'west', candidate: institution };
    const { challenge, secret } = await beginAttempt(claimed, question, random);
    const evidence = await device.evidence(challenge, await recordOf(device, institution));
    return {
      claim: toHex(encodeAttestationAnswer(device.claim)),
      challenge: toHex(encodeAttestationRequest(challenge)),
      evidence: toHex(encodeAttestationAnswer(evidence)),
      secret: toHex(secret),
    };
  } finally {
    await softwareTpm.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const vectors = {
  description:
    'Two software TPMs, asked through tpm2-tools: north with a P-384 endorsement key, south with an RSA-2048 one. Bytes as hexadecimal.',
  now,
  chain: toHex(chain),
  verifier: 'west',
  random: toHex(random),
  north: await capture('north', 'ecc'),
  south: await capture('south', 'rsa'),
};
await writeFile(
  new URL('attestation/devices.json', import.meta.url),
  `${JSON.stringify(vectors, undefined, 2)}\n`,
);
