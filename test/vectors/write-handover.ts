/** Writes handover.json anew, after a change of the format that was meant. */
import { writeFile } from 'node:fs/promises';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { encodeHandover } from '../../firmware/src/handover/handover.ts';
import { handover, message } from '../support/handover-sample.ts';

const vector = { message: toHex(message), handover: toHex(encodeHandover(handover)) };
await writeFile(new URL('handover.json', import.meta.url), `${JSON.stringify(vector, undefined, 2)}\n`);
