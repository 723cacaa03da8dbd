/** A box's network in a process of its own: echoes messages and requests. Arguments: JSON, see NetworkProcessSetup. */
import { Libp2pNetwork } from '../../firmware/src/p2p/libp2p-network.ts';
import { institutionOf, MemberSet, seedOf, silentLogger } from './consortium.ts';
import { realClock } from './real-clock.ts';

export interface NetworkProcessSetup {
  readonly self: string;
  readonly listen: string;
  readonly chain: string;
  /** Id and p2p endpoint of each member. */
  readonly members: readonly (readonly [id: string, p2p: string])[];
}

const setup = JSON.parse(process.argv[2] as string) as NetworkProcessSetup;
const members = new MemberSet(setup.members.map(([id, p2p]) => institutionOf(id, { p2p })));
const network = new Libp2pNetwork({
  self: setup.self,
  chain: Buffer.from(setup.chain, 'hex'),
  transportSeed: seedOf(setup.self),
  listen: setup.listen,
  members: members.members,
  onMembersChange: members.onMembersChange,
  clock: realClock,
  logger: silentLogger,
});
network.onMessage((from, message) => network.send(from, message));
network.handle('/test/echo/1', (_from, body) => Promise.resolve(body));
await network.start();
process.send?.(network.multiaddr());
process.once('disconnect', () => {
  void network.stop();
});
