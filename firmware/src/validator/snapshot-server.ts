/** Answers to `/hilum/snapshot/1`: an offer, or one record of a snapshot; empty if the box has none such. */
import type { Network, Unsubscribe } from '../ports.ts';
import { decodeSnapshotRequest, encodeSnapshotOffer } from './snapshot-records.ts';
import type { Snapshots } from './snapshots.ts';

export const snapshotProtocol = '/hilum/snapshot/1';

/** `isHandedOver`: whether this box can show how the validators got from epoch to epoch up to the end of this one. */
export function serveSnapshots(
  network: Network,
  snapshots: Snapshots,
  isHandedOver: (epoch: number) => Promise<boolean>,
): Unsubscribe {
  return network.handle(snapshotProtocol, async (_from, body) => {
    const request = decodeSnapshotRequest(body);
    if ('epoch' in request)
      return (await snapshots.recordAt(request.epoch, request.record)) ?? new Uint8Array();
    for (const offer of snapshots.complete())
      if (await isHandedOver(offer.epoch)) return encodeSnapshotOffer(offer);
    return new Uint8Array();
  });
}
