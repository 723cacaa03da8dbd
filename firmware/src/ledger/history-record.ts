/** What the state keeps of the history log: enough to add a block to it. */
import { peakCount, type MerkleFrontier } from '../encoding/merkle-frontier.ts';
import { bytesField, listField, mapField, ShapeError } from './fields.ts';
import { historyPeaksMax } from './limits.ts';
import { counterField, recordFormat } from './record-format.ts';

export const historyRecord = recordFormat<MerkleFrontier>(
  ({ size, peaks }) => ({ size, peaks }),
  (value) => {
    const map = mapField(value, 'history', ['size', 'peaks']);
    const size = counterField(map.size, 'size');
    const peaks = listField(map.peaks, 'peaks', 0, historyPeaksMax).map((peak, index) =>
      bytesField(peak, `peaks[${index}]`, 32),
    );
    if (peaks.length !== peakCount(size)) throw new ShapeError('peaks: one for each bit of size expected');
    return { size, peaks };
  },
);
