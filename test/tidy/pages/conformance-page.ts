/** docs/conformance-statement.md, in the form of PS3.2 annex N: prose from here, every table from the code. */
import { communication } from './conformance/communication.ts';
import { overview } from './conformance/overview.ts';
import { expected, security } from './conformance/security.ts';
import { services } from './conformance/services.ts';

const head = `# DICOM conformance statement

Hilum, version 0.1, in the form of PS3.2 annex N.
`;

export async function conformancePage(): Promise<string> {
  return [head, overview(), services(), await communication(), security(), expected()].join('\n');
}
