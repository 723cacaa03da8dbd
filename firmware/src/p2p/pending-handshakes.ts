/**
 * Connections that have not yet proved a key, oldest first. Whose they are is not known, so no place can be kept for
 * members; but a member's handshake takes a few round trips and a stranger's takes as long as he likes. So when there
 * are too many, the address that holds the most loses its oldest: a flood displaces itself.
 */
export class PendingHandshakes<Connection> {
  readonly #pendingMax: number;
  readonly #addresses = new Map<Connection, string>();

  constructor(pendingMax: number) {
    this.#pendingMax = pendingMax;
  }

  /** The connection to cut for this one, already forgotten here; undefined while there is room. */
  add(connection: Connection, address: string): Connection | undefined {
    this.#addresses.set(connection, address);
    if (this.#addresses.size <= this.#pendingMax) return undefined;
    const held = new Map<string, Connection[]>();
    for (const [each, from] of this.#addresses) held.set(from, [...(held.get(from) ?? []), each]);
    const [most = []] = [...held.values()].sort((a, b) => b.length - a.length);
    const [oldest] = most;
    if (oldest !== undefined) this.#addresses.delete(oldest);
    return oldest;
  }

  /** It has proved a key, or is gone. */
  delete(connection: Connection): void {
    this.#addresses.delete(connection);
  }
}
