/** The ledger that the driver of the chaos and its boxes have in common. */
import { defaultParameters } from '../../firmware/src/ledger/index.ts';
import { boxOf, institutionOf, LedgerFixture } from '../fakes/ledger.ts';

/** `addresses`: multiaddr of each box, by id. */
export function ledgerOf(addresses: Readonly<Record<string, string>>, epochMs: number): LedgerFixture {
  const institutions = Object.entries(addresses).map(([id, p2p], index) => {
    const institution = institutionOf(boxOf(id), index);
    return { ...institution, endpoints: { ...institution.endpoints, p2p } };
  });
  return new LedgerFixture(Object.keys(addresses), {
    institutions,
    parameters: { ...defaultParameters, epochMs },
  });
}
