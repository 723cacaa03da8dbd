/**
 * A node's place in the network. Institutions talk to institutions; behind one of them two nodes may run with one key
 * (Twins), and then the wires decide which of the two hears what.
 */
import { AppError } from '../../firmware/src/errors.ts';
import type { Network, PeerStatus } from '../../firmware/src/ports.ts';
import type { MemoryNetwork } from '../fakes/network.ts';

/** `north` and `north 2` are nodes of the institution `north`. */
export function institutionOf(node: string): string {
  return node.split(' ', 1)[0] ?? node;
}

/** The network as the node's validator sees it. `wire` connects node with node. */
export function seatOf(wire: MemoryNetwork): Network {
  const self = institutionOf(wire.self);
  let requests = 0;
  const nodesOf = (institution: string): PeerStatus[] =>
    wire.peers().filter((peer) => institutionOf(peer.institution) === institution);
  return {
    self,
    peers: () => {
      const peers = new Map<string, PeerStatus>();
      for (const { institution: node, connected, since } of wire.peers()) {
        const institution = institutionOf(node);
        if (institution === self) continue;
        const other = peers.get(institution);
        peers.set(institution, { institution, connected: connected || other?.connected === true, since });
      }
      return [...peers.values()];
    },
    onPeerChange: (listener) => wire.onPeerChange(listener),
    send: (to, message) => {
      for (const { institution: node } of nodesOf(to)) wire.send(node, message);
    },
    onMessage: (handler) => wire.onMessage((from, message) => handler(institutionOf(from), message)),
    request: async (to, protocol, body, options) => {
      const nodes = nodesOf(to).filter(({ connected }) => connected);
      const node = nodes[requests++ % Math.max(1, nodes.length)];
      if (node === undefined) throw new AppError('PEER_UNREACHABLE', `${to} is not connected`);
      return await wire.request(node.institution, protocol, body, options);
    },
    handle: (protocol, handler) =>
      wire.handle(protocol, (from, body, signal) => handler(institutionOf(from), body, signal)),
  };
}
