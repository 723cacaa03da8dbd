/** Whether what is to leave a box would lie in its own folder. */
import { isAbsolute, relative, sep } from 'node:path';

/** True for the folder itself, and for all below it; both paths absolute. Links are not followed. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  // A name may begin with two points, too; on another drive the way is no relative one.
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
