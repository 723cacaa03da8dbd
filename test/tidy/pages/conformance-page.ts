/** docs/conformance-statement.md, in the form of PS3.2 annex N: prose from here, every table from the code. */
import { communication } from './conformance/communication.ts';
import { configuration } from './conformance/configuration.ts';
import { contentsMark, overview } from './conformance/overview.ts';
import { expected } from './conformance/expectations.ts';
import { peers } from './conformance/peers.ts';
import { security } from './conformance/security.ts';
import { services } from './conformance/services.ts';
import { statusCodes } from './conformance/statuses.ts';

const head = `# DICOM conformance statement

Hilum, version 0.1, in the form of PS3.2 annex N.
`;

export async function conformancePage(): Promise<string> {
  const page = [
    head,
    overview(),
    services(),
    configuration(),
    await communication(),
    statusCodes(),
    security(),
    peers(),
    expected(),
  ].join('\n');
  return page.replace(contentsMark, contentsOf(page));
}

/** A line for each section, and below it one for each of its parts. */
function contentsOf(page: string): string {
  const headings = [...page.matchAll(/^(##|###) (.+)$/gm)];
  return headings
    .map(([, level = '', title = '']) => `${level === '##' ? '' : '  '}- [${title}](#${anchorOf(title)})`)
    .join('\n');
}

/** As Markdown renderers make it of a heading: small letters, digits, dashes for spaces, and nothing else. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
