/** What a measured boot would have put into the PCRs, for a box that is a folder. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { concatBytes, lengthPrefixed, u8, utf8 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { digestBytes } from '../wire/constants.ts';
import { eventType, type BootEvent } from './event-log.ts';

/** Register of the authority that vouches for the boot chain (TCG PC Client Platform Firmware Profile, 3.3.4). */
const authorityRegister = 7;
/** Register of the operating system's image, as systemd-stub uses it. */
const firmwareRegister = 11;

/** Nobody vouches for a development box: its authority is a constant that no production boot chain measures. */
const developmentAuthority = 'Hilum development boot authority';

/** The folder that holds firmware/, package.json and package-lock.json of the program that runs. */
export const ownFirmwareRoot = fileURLToPath(new URL('../../..', import.meta.url));

/** Built from what is measured, and different on each machine. */
const builtFolder = join('firmware', 'console', 'dist');

const fileKind = { file: 0, link: 1 } as const;

/** All files and links below the folder, relative to the root. */
async function entriesBelow(root: string, folder: string): Promise<{ path: string; isLink: boolean }[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => ({
      path: relative(root, join(entry.parentPath, entry.name)),
      isLink: entry.isSymbolicLink(),
    }))
    .filter(({ path }) => !path.startsWith(`${builtFolder}/`));
}

async function contentDigest(file: string): Promise<Uint8Array> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(file)) digest.update(chunk as Uint8Array);
  return digest.digest();
}

/**
 * One digest over Hilum's own files: firmware/ without the built console, package.json, which says what its imports
 * mean, and package-lock.json, which pins every dependency. For each path in ascending order: its length and bytes, its kind, and the SHA-256 of its content or of
 * its link's target.
 */
export async function firmwareDigest(root: string): Promise<Uint8Array> {
  const entries = await entriesBelow(root, 'firmware');
  for (const path of ['package.json', 'package-lock.json']) entries.push({ path, isLink: false });
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const digest = createHash('sha256');
  for (const { path, isLink } of entries) {
    const file = join(root, path);
    digest.update(lengthPrefixed(utf8(path)));
    digest.update(u8(isLink ? fileKind.link : fileKind.file));
    digest.update(isLink ? sha256(utf8(await readlink(file))) : await contentDigest(file));
  }
  return new Uint8Array(digest.digest());
}

/** What these events leave in the registers, which begin with zeros: 32 bytes each (part 1, section 17). */
export function registersAfter(
  boot: readonly Pick<BootEvent, 'register' | 'digest'>[],
  registers: readonly number[],
): Uint8Array[] {
  return registers.map((wanted) =>
    boot
      .filter(({ register }) => register === wanted)
      .reduce<Uint8Array>(
        (value, { digest }) => sha256(concatBytes(value, digest)),
        new Uint8Array(digestBytes),
      ),
  );
}

/** The events of a development boot, in the order in which they are measured. */
export async function developmentBoot(root: string): Promise<readonly BootEvent[]> {
  const authority = utf8(developmentAuthority);
  return [
    {
      register: authorityRegister,
      type: eventType.efiAction,
      digest: sha256(authority),
      data: authority,
    },
    {
      register: firmwareRegister,
      type: eventType.initialProgramLoader,
      digest: await firmwareDigest(root),
      data: utf8('Hilum firmware\0'),
    },
  ];
}

/** What these registers hold when the program that asks is started on a software TPM, 32 bytes each. */
export async function ownDevelopmentRegisters(registers: readonly number[]): Promise<Uint8Array[]> {
  return registersAfter(await developmentBoot(ownFirmwareRoot), registers);
}
