/**
 * A process that opens a box's keys in the folder that it is told, says so, and waits to be killed. Told `restore` and a
 * recovery code in hexadecimal, it restores them before; told `rescue`, a code and the offline key's secret, it has them
 * rescued. Told `changes`, it rotates keys, renews the box key, and approves and confirms firmware without end, and says each change that is done.
 */
import { join } from 'node:path';
import { openDeviceKeys, rescueKeys, restoreKeys, SoftwareTpm } from '../../firmware/tpm/index.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { fromHex, u32 } from '../../firmware/src/encoding/bytes.ts';
import { RecordingLogger } from './recording-logger.ts';
import { rewrapIndexKey } from './index-key.ts';
import { signWith } from './offline-key.ts';

const [, , folder, story, code = '', offlineSecret = ''] = process.argv;
if (folder === undefined) throw new Error('which folder?');
const logger = new RecordingLogger();
const softwareTpm = new SoftwareTpm({
  stateFolder: join(folder, 'swtpm'),
  logger,
  firmwareRoot: join(folder, 'checkout'),
});
const keysFile = join(folder, 'device-keys.json');
if (story === 'restore') {
  await restoreKeys({
    endpoint: softwareTpm,
    keysFile,
    institutionId: 'north',
    logger,
    code: fromHex(code),
  });
}
if (story === 'rescue') {
  await rescueKeys({
    endpoint: softwareTpm,
    keysFile,
    logger,
    code: fromHex(code),
    sign: (message) => Promise.resolve(signWith(offlineSecret, message)),
  });
}
const keys = await openDeviceKeys({
  endpoint: softwareTpm,
  keysFile,
  institutionId: 'north',
  logger,
  onRecoveryCode: () => undefined,
});
const { simulator } = await softwareTpm.open();
process.send?.({ swtpm: simulator?.pid, boxKey: Buffer.from(keys.boxKey).toString('hex') });
if (story === 'changes') {
  for (let number = 0; ; number++) {
    for (const held of [keys.voting, keys.transaction, keys.transport]) {
      const made = await held.make();
      await held.keepOnly([made]);
    }
    await keys.firmware.approveNext([sha256(u32(number)), sha256(u32(number + 1))]);
    await keys.starts.advance();
    await keys.renewBoxKey(rewrapIndexKey(folder));
    await keys.firmware.confirm();
    process.send?.({ changes: number + 1 });
  }
}
