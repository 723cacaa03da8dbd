/**
 * A device whose keys were made, and whose TPM is used, by the TCG's own tpm2-tools: nothing of what it claims and proves
 * passes through the code that verifies it. It stands on a swtpm that was measured into.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { X509Certificate } from 'node:crypto';
import {
  attestationProof,
  attestationBinding,
  type DeviceNames,
} from '../../firmware/src/attestation/binding.ts';
import {
  attestedRegisters,
  type Challenge,
  type Claim,
  type Evidence,
} from '../../firmware/src/attestation/messages.ts';
import { concatBytes, toHex, u32 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { withLowS } from '../../firmware/tpm/keys/low-s.ts';
import { originStatement } from '../../firmware/tpm/wire/key-origin.ts';
import {
  nameOf,
  parseEcdsaSignature,
  parseSigningPoint,
  sized,
  unsized,
} from '../../firmware/tpm/wire/structures.ts';

const run = promisify(execFile);

/** Where swtpm_setup keeps endorsement keys and their certificates. */
export const endorsements = {
  ecc: { key: '0x81010016', certificate: '0x01c00016' },
  rsa: { key: '0x81010001', certificate: '0x01c00002' },
} as const;
export type EndorsementName = keyof typeof endorsements;

/** `TCG_MAGIC` and version of a credential file of tpm2-tools. */
const credentialFileHead = concatBytes(u32(0xbadc_c0de), u32(1));

/** Of the decision records: which firmware opens the keys is what this index holds. */
const approvalIndex = '0x0180684c';
/** TPM_ALG_SHA256, before the digest that the index holds. */
const approvalHead = Uint8Array.of(0x00, 0x0b);

const bound = 'fixedtpm|fixedparent|sensitivedataorigin|noda';
const selection = `sha256:${attestedRegisters.join(',')}`;

export class ToolsDevice {
  readonly #folder: string;
  readonly #stateFolder: string;
  readonly #tcti: string;
  readonly #endorsement: EndorsementName;
  #claim: Claim | undefined;

  private constructor(folder: string, stateFolder: string, tcti: string, endorsement: EndorsementName) {
    this.#folder = folder;
    this.#stateFolder = stateFolder;
    this.#tcti = tcti;
    this.#endorsement = endorsement;
  }

  /**
   * @param folder for the tools' files.
   * @param stateFolder of the swtpm, which runs under this TCTI.
   */
  static async make(
    folder: string,
    {
      stateFolder,
      tcti,
      endorsement = 'ecc',
    }: { stateFolder: string; tcti: string; endorsement?: EndorsementName },
  ): Promise<ToolsDevice> {
    const device = new ToolsDevice(folder, stateFolder, tcti, endorsement);
    await device.#makeKeys();
    return device;
  }

  get claim(): Claim {
    if (this.#claim === undefined) throw new Error('the keys are not made yet');
    return this.#claim;
  }

  get names(): DeviceNames {
    const { certificates, attestationKey, identityKey } = this.claim;
    return {
      endorsement: sha256(certificates[0] as Uint8Array),
      attestationKey: nameOf(attestationKey),
      identityKey: nameOf(identityKey),
    };
  }

  /** Uncompressed point, 65 bytes. */
  get identity(): Uint8Array {
    return parseSigningPoint(this.claim.identityKey);
  }

  /** ECDSA by the identity key, whose policy the registers meet: r ‖ s, s in the low half. */
  async sign(message: Uint8Array): Promise<Uint8Array> {
    await writeFile(this.#file('message'), message);
    await this.#inPolicy(async (session) => {
      const how = ['-g', 'sha256', '-s', 'ecdsa', '-f', 'tss'];
      await this.#tool(
        'sign',
        '-c',
        this.#file('identity.ctx'),
        ...how,
        '-o',
        this.#file('signature'),
        '-p',
        session,
        this.#file('message'),
      );
    });
    return withLowS(parseEcdsaSignature(await this.#read('signature')));
  }

  /** What the TPM gives out for a credential. Rejects if it was not made for its keys. */
  async activate(blob: Uint8Array, seed: Uint8Array): Promise<Uint8Array> {
    await writeFile(this.#file('credential'), concatBytes(credentialFileHead, sized(blob), sized(seed)));
    await this.#tool('startauthsession', '--policy-session', '-S', this.#file('session.ctx'));
    try {
      await this.#tool('policysecret', '-S', this.#file('session.ctx'), '-c', 'e');
      const keys = ['-c', this.#file('attestation.ctx'), '-C', endorsements[this.#endorsement].key];
      const authorization = this.#endorsement === 'rsa' ? ['-P', `session:${this.#file('session.ctx')}`] : [];
      await this.#tool(
        'activatecredential',
        ...keys,
        ...authorization,
        '-i',
        this.#file('credential'),
        '-o',
        this.#file('secret'),
      );
    } finally {
      await this.#tool('flushcontext', this.#file('session.ctx'));
    }
    return this.#read('secret');
  }

  /** A quote over these bytes. */
  async quote(
    qualifying: Uint8Array,
    key: 'attestation' | 'stranger' = 'attestation',
  ): Promise<{ readonly attest: Uint8Array; readonly signature: Uint8Array }> {
    const outputs = ['-m', this.#file('attest'), '-s', this.#file('signature'), '-f', 'tss', '-g', 'sha256'];
    await this.#tool(
      'quote',
      '-c',
      this.#file(`${key}.ctx`),
      '-l',
      selection,
      '-q',
      toHex(qualifying),
      ...outputs,
    );
    return {
      attest: await this.#read('attest'),
      signature: parseEcdsaSignature(await this.#read('signature')),
    };
  }

  async registers(): Promise<readonly Uint8Array[]> {
    await this.#tool('pcrread', selection, '-o', this.#file('registers'));
    const values = await this.#read('registers');
    return attestedRegisters.map((_, at) => values.slice(32 * at, 32 * at + 32));
  }

  eventLog(): Promise<Uint8Array> {
    return this.#readAt(join(this.#stateFolder, 'event-log.bin'));
  }

  async evidence(challenge: Challenge, record: Uint8Array): Promise<Evidence> {
    const secret = await this.activate(challenge.blob, challenge.seed);
    const binding = attestationBinding(challenge, this.names, record);
    const { attest, signature } = await this.quote(binding);
    return {
      type: 'evidence',
      attest,
      signature,
      registers: await this.registers(),
      eventLog: await this.eventLog(),
      record,
      proof: attestationProof(secret, binding, attest),
    };
  }

  /** Another restricted key, by its own name, that is none of the claim's. */
  async makeStranger(): Promise<void> {
    await this.#create('stranger', [], `${bound}|userwithauth|restricted|sign`);
  }

  async #makeKeys(): Promise<void> {
    await this.#tool('createprimary', '-C', 'o', '-G', 'ecc256:aes128cfb', '-c', this.#file('root.ctx'));
    await this.#create('attestation', [], `${bound}|userwithauth|restricted|sign`);
    await this.#approve();
    const recorded = ['-l', selection, '--creation-data', this.#file('creation')];
    const noted = ['-t', this.#file('ticket'), '-d', this.#file('creation.hash')];
    await this.#create('identity', ['-L', this.#file('policy'), ...recorded, ...noted], `${bound}|sign`);
    const keys = ['-c', this.#file('identity.ctx'), '-C', this.#file('attestation.ctx')];
    const outputs = ['-o', this.#file('signature'), '--attestation', this.#file('attest'), '-f', 'tss'];
    await this.#tool('certifycreation', ...keys, ...noted, ...outputs, '-g', 'sha256', '-s', 'ecdsa');
    const certification = await this.#read('attest');
    const signature = parseEcdsaSignature(await this.#read('signature'));
    const [identityKey, attestationKey] = [
      await this.#read('identity.pub'),
      await this.#read('attestation.pub'),
    ];
    const taken = await this.quote(originStatement(nameOf(identityKey), nameOf(attestationKey)));
    const { key, certificate } = endorsements[this.#endorsement];
    await this.#tool('readpublic', '-c', key, '-f', 'tss', '-o', this.#file('endorsement.pub'));
    await this.#tool('nvread', '-C', 'o', certificate, '-o', this.#file('endorsement.der'));
    this.#claim = {
      type: 'claim',
      certificates: [await this.#read('endorsement.der'), ...(await this.#authorities())],
      endorsementKey: await this.#read('endorsement.pub'),
      attestationKey,
      identityKey,
      certification,
      signature,
      creation: unsized(await this.#read('creation')),
      originRegisters: await this.registers(),
      taken: taken.attest,
      takenSignature: taken.signature,
      rescueKey: new Uint8Array(0),
      rescueLock: new Uint8Array(0),
    };
  }

  /** Has the index approve what runs, and works out the policy that asks the index. */
  async #approve(): Promise<void> {
    await this.#tool('createpolicy', '--policy-pcr', '-l', selection, '-L', this.#file('approved'));
    const attributes = 'ownerwrite|authread|no_da|writeall';
    await this.#tool('nvdefine', approvalIndex, '-C', 'o', '-s', '34', '-a', attributes);
    await writeFile(this.#file('content'), concatBytes(approvalHead, await this.#read('approved')));
    await this.#tool('nvwrite', approvalIndex, '-C', 'o', '-i', this.#file('content'));
    const session = this.#file('trial.ctx');
    await this.#tool('startauthsession', '-S', session);
    try {
      await this.#tool('policyauthorizenv', '-S', session, approvalIndex, '-L', this.#file('branch'));
      await this.#tool('policyor', '-S', session, '-l', this.#branches, '-L', this.#file('policy'));
    } finally {
      await this.#tool('flushcontext', session);
    }
  }

  /** Without a rescue the first branch stands twice. */
  get #branches(): string {
    return `sha256:${this.#file('branch')},${this.#file('branch')}`;
  }

  /** The certificates that swtpm_localca made for itself. */
  async #authorities(): Promise<readonly Uint8Array[]> {
    const files = ['issuer-certificate.pem', 'swtpm-localca-rootca-cert.pem'];
    return Promise.all(
      files.map(
        async (name) =>
          new Uint8Array(new X509Certificate(await readFile(join(this.#stateFolder, 'ca', name))).raw),
      ),
    );
  }

  async #create(name: string, policy: readonly string[], attributes: string): Promise<void> {
    const parts = ['-u', this.#file(`${name}.pub`), '-r', this.#file(`${name}.priv`)];
    const parent = ['-C', this.#file('root.ctx')];
    await this.#tool(
      'create',
      ...parent,
      '-G',
      'ecc256:ecdsa-sha256:null',
      '-a',
      attributes,
      ...policy,
      ...parts,
    );
    await this.#tool('load', ...parent, ...parts, '-c', this.#file(`${name}.ctx`));
  }

  async #inPolicy(use: (session: string) => Promise<void>): Promise<void> {
    const session = this.#file('session.ctx');
    await this.#tool('startauthsession', '--policy-session', '-S', session);
    try {
      await this.#tool('policypcr', '-S', session, '-l', selection);
      await this.#tool('policyauthorizenv', '-S', session, approvalIndex);
      await this.#tool('policyor', '-S', session, '-l', this.#branches);
      await use(`session:${session}`);
    } finally {
      await this.#tool('flushcontext', session);
    }
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #read(name: string): Promise<Uint8Array> {
    return this.#readAt(this.#file(name));
  }

  async #readAt(path: string): Promise<Uint8Array> {
    return new Uint8Array(await readFile(path));
  }

  async #tool(name: string, ...args: readonly string[]): Promise<void> {
    await run(`tpm2_${name}`, ['-T', this.#tcti, ...args]);
    // The tools leave what they load, objects and sessions, to a resource manager, which swtpm has not.
    for (const kind of ['-t', '-l']) await run('tpm2_flushcontext', ['-T', this.#tcti, kind]);
  }
}
