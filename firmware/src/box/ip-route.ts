/**
 * Routes as iproute2 writes them: `ip -oneline route show` prints words that `ip route change` takes again, but for
 * flags that only the kernel sets. Pure.
 */

/** A route of the main table, by its words. */
export interface Route {
  /** Its prefix, 'default' or an address without a length: the first word. */
  readonly prefix: string;
  /** All words that can be given back, the prefix too, without `quickack`. */
  readonly words: readonly string[];
  readonly quickack: boolean;
}

/** What the kernel says of a route and takes from nobody. */
const shownOnly = new Set([
  'linkdown',
  'dead',
  'offload',
  'trap',
  'rt_offload',
  'rt_trap',
  'rt_offload_failed',
  'pervasive',
  'unresolved',
]);

/** Types of route over which nothing is sent, or that lead to ourselves. */
const otherTypes = new Set([
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'local',
  'broadcast',
  'multicast',
  'anycast',
  'nat',
]);

/** Routes of one address family; those over which nothing is sent are left out. */
export function parseRoutes(output: string): Route[] {
  return output
    .split('\n')
    .map((line) => line.split(/\s+/).filter((word) => word !== '' && word !== '\\' && !shownOnly.has(word)))
    .flatMap((words) => {
      const [prefix] = words;
      if (prefix === undefined || otherTypes.has(prefix)) return [];
      const at = words.indexOf('quickack');
      if (at === -1) return [{ prefix, words, quickack: false }];
      return [{ prefix, words: words.toSpliced(at, 2), quickack: words[at + 1] === '1' }];
    });
}

/** A router that announced the route itself (RFC 4861) keeps its time; it would be lost with a change. */
export function isAnnounced({ words }: Route): boolean {
  return words.includes('expires') || words[words.indexOf('proto') + 1] === 'ra';
}

/** Of routes that all contain one network, those by which its packets go: the narrowest, whatever their metric. */
export function narrowest(routes: readonly Route[], addressBits: number): Route[] {
  const length = ({ prefix }: Route): number =>
    prefix === 'default' ? 0 : Number(prefix.split('/')[1] ?? addressBits);
  const longest = Math.max(-1, ...routes.map(length));
  return routes.filter((route) => length(route) === longest);
}

/** The words of `ip route change` that leave the route as it is but for `quickack`. */
export function withQuickack({ words }: Route): string[] {
  const nexthop = words.indexOf('nexthop');
  return words.toSpliced(nexthop === -1 ? words.length : nexthop, 0, 'quickack', '1');
}

export function sameRoute(a: Route, b: Route): boolean {
  return a.words.join(' ') === b.words.join(' ');
}
