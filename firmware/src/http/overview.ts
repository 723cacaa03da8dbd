/** The overview as it leaves the box: its lists bounded, whatever the rooms hold. */
import type { BoxView } from './box-view.ts';
import type { Overview } from './contract.ts';
import { overviewReleasesMax, overviewStudiesMax } from './limits.ts';

export function overviewOf(box: BoxView): Overview {
  const overview = box.overview();
  return {
    ...overview,
    studies: overview.studies.slice(0, overviewStudiesMax),
    releases: overview.releases.slice(0, overviewReleasesMax),
  };
}
