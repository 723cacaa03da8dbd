/** The overview as it leaves the box: its lists bounded, whatever the rooms hold. */
import type { BoxView } from './box-view.ts';
import type { Overview } from './contract.ts';
import {
  overviewCallersMax,
  overviewIncompleteMax,
  overviewPendingMax,
  overviewQuarantineMax,
  overviewReleasesMax,
  overviewSetAsideMax,
  overviewStudiesMax,
} from './limits.ts';

export function overviewOf(box: BoxView): Overview {
  const overview = box.overview();
  const { access, quarantine, destinations, sidecar } = overview;
  return {
    ...overview,
    studies: overview.studies.slice(0, overviewStudiesMax),
    releases: overview.releases.slice(0, overviewReleasesMax),
    access: {
      ...access,
      pending: access.pending.slice(0, overviewPendingMax),
      callers: access.callers.slice(0, overviewCallersMax),
    },
    quarantine: { ...quarantine, objects: quarantine.objects.slice(0, overviewQuarantineMax) },
    sidecar: sidecar && { ...sidecar, incomplete: sidecar.incomplete.slice(0, overviewIncompleteMax) },
    destinations: destinations.map((destination) => ({
      ...destination,
      setAside: destination.setAside.slice(0, overviewSetAsideMax),
    })),
  };
}
