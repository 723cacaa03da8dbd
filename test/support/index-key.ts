/** One data key in a folder, wrapped by a box key, as a box has one for its index. */
import { dataKey } from '../../firmware/src/store/data-folder.ts';
import { rewrapKeys } from '../../firmware/src/store/rewrap.ts';

const name = 'index';

/** Made at first use. */
export function indexKey(folder: string, boxKey: Uint8Array): Promise<Uint8Array> {
  return dataKey(folder, name, boxKey);
}

export function rewrapIndexKey(
  folder: string,
): (boxKey: Uint8Array, nextBoxKey: Uint8Array) => Promise<void> {
  return (boxKey, nextBoxKey) =>
    rewrapKeys({ studyFolders: [], dataKeys: [{ folder, name }], boxKey, nextBoxKey });
}
