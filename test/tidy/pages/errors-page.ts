/** docs/errors.md, written from the error table. */
import { errorTable } from '../../../firmware/src/errors.ts';

const head = `# Errors

Every fault that Hilum reports has a code. It stands in square brackets behind the sentence that names the thing, in the log as \`code\`, and in the console's health list beside what to do. This page is firmware/src/errors.ts in prose, written by test/tidy/write-docs.ts; a test compares the two.

- **HTTP** and **DIMSE** are the status with which a browser or a modality hears of it (PS3.7 annex C, PS3.4 B.2.3).
- **Peer** is how the other side is treated when it is the cause: *reject* disconnects it, *ignore* drops the message and goes on, *none* means that no peer is at fault.
- A refusal (no grant, unknown AE title) is not a fault and has no code here, but for the one answer that a source gives to every request that it does not serve: NOT_RELEASED.
- No message holds patient data.
`;

const hex = (status: number): string => `0x${status.toString(16).toUpperCase().padStart(4, '0')}`;

/** Paths in the remedies become links; the page itself lies in docs/. */
const linked = (remedy: string): string =>
  remedy.replaceAll(/\bdocs\/([a-z0-9/-]+\.md)/g, (path, target: string) => `[${path}](${target})`);

export function errorsPage(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { http, dimse, peer, remedy }]) =>
      `| \`${code}\` | ${http} | ${hex(dimse)} | ${peer} | ${linked(remedy)} |`,
  );
  return `${head}\n| Code | HTTP | DIMSE | Peer | What to do |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}
