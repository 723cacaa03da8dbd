/** A process that opens a box's keys in the folder that it is told, says so, and waits to be killed. */
import { join } from 'node:path';
import { openDeviceKeys, SoftwareTpm } from '../../firmware/tpm/index.ts';
import { RecordingLogger } from './recording-logger.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('which folder?');
const logger = new RecordingLogger();
const softwareTpm = new SoftwareTpm({
  stateFolder: join(folder, 'swtpm'),
  logger,
  firmwareRoot: join(folder, 'checkout'),
});
const keysFile = join(folder, 'device-keys.json');
const keys = await openDeviceKeys({
  endpoint: softwareTpm,
  keysFile,
  institutionId: 'north',
  logger,
  onRecoveryCode: () => undefined,
});
const { simulator } = await softwareTpm.open();
process.send?.({ swtpm: simulator?.pid, boxKey: Buffer.from(keys.boxKey).toString('hex') });
