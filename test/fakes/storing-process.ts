/**
 * A box that stores objects until it is killed: `folder boxKey seed`. Each object that is acknowledged is written to
 * standard output as one line of JSON, after the acknowledgement.
 */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';
import { randomFrom } from '../sim/random.ts';
import { StoringBox } from '../support/storing-box.ts';

const [folder = '', boxKey = '', seed = ''] = process.argv.slice(2);
const random = randomFrom(Number(seed));
const box = await StoringBox.open(folder, fromHex(boxKey));
writeSync(1, 'open\n');

/** A modality: sends object after object, most of them small, some of several segments; new studies now and then. */
async function modality(name: number): Promise<never> {
  for (let number = 0; ; number++) {
    const study = `1.2.${seed}.${name}.${number >> 3}`;
    const bytes = random.chance(0.15) ? random.below(2_500_000) : random.below(20_000);
    const acknowledged = await box.keep(study, `${study}.${number}`, randomBytes(bytes));
    writeSync(1, `${JSON.stringify(acknowledged)}\n`);
  }
}

await Promise.all([modality(1), modality(2), modality(3)]);
