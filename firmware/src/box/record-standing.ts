/** Whether the membership of a box that was put out of service is withdrawn: by proofs of the ledger, not by its own word. */
import { toHex } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { chainId, genesisState, institutionRecord, stateKeys } from '../ledger/index.ts';
import type { InstitutionRecord } from '../ledger/types.ts';
import type { Clock } from '../ports.ts';
import { BoxClient } from '../../wallet/box-client.ts';
import { LightClient } from '../../wallet/light-client.ts';
import type { CheckedRecord } from './decommission-record.ts';
import { readGenesis } from './genesis-file.ts';
import { LedgerTransport } from './ledger-transport.ts';
import { ProvenLedger } from './proven-ledger.ts';

export interface RecordStanding {
  /** True if the ledger names this box no more, and did so before. */
  readonly isWithdrawn: boolean;
  /** For the person who asks. */
  readonly words: string;
}

type Named = Pick<InstitutionRecord, 'keys'> | undefined;

/**
 * @param member the record of the institution, if it is a member now.
 * @param departed its last one, if it was a member before.
 */
export function standingOf(
  { institution, identityDigest }: Pick<CheckedRecord, 'institution' | 'identityDigest'>,
  member: Named,
  departed: Named,
): RecordStanding {
  const isOf = (record: NonNullable<Named>): boolean =>
    toHex(sha256(record.keys.identity)) === identityDigest;
  const standing = (isWithdrawn: boolean, words: string): RecordStanding => ({ isWithdrawn, words });
  if (member !== undefined)
    return isOf(member)
      ? standing(false, `${institution} is a member with this very box: its membership is not withdrawn.`)
      : standing(
          false,
          `${institution} is a member with another box. What boxes it had before, the ledger's state does not say: compare with the proposal or the replacement that named this one.`,
        );
  if (departed === undefined) return standing(false, `${institution} never was a member of this consortium.`);
  return isOf(departed)
    ? standing(
        true,
        `${institution} is no member any more, and this box was its last: its membership is withdrawn.`,
      )
    : standing(false, `${institution} is no member any more, but its last box was another one.`);
}

/**
 * Asks the box of any member, which has to prove what it says.
 * @param origin of its console, https://host:port.
 * @throws AppError GENESIS_INVALID, PEER_UNREACHABLE, PEER_MISBEHAVED, LEDGER_UNPROVEN.
 */
export async function askStanding(
  record: Pick<CheckedRecord, 'institution' | 'identityDigest'>,
  genesisFile: string,
  origin: string,
  clock: Pick<Clock, 'now'>,
): Promise<RecordStanding> {
  const genesis = await readGenesis(genesisFile);
  const transport = new LedgerTransport();
  try {
    const ledger = new ProvenLedger({
      light: new LightClient(chainId(genesis), genesisState(genesis).epoch()),
      // Everything is proven: whose certificate it is decides nothing.
      client: new BoxClient(transport, { origin, certificateSha256: '' }),
      member: origin,
      clock,
    });
    await ledger.follow();
    const { institution } = record;
    const keys = [stateKeys.institution(institution), stateKeys.departed(institution)];
    const { height, time, values } = await ledger.read(keys);
    const [member, departed] = values.map((value) => {
      if (value === null) return undefined;
      const decoded = institutionRecord.decode(value);
      if (decoded.kind === 'refused') throw ledger.unproven('a record of an institution');
      return decoded.value;
    });
    const { isWithdrawn, words } = standingOf(record, member, departed);
    const at = `Proved by ${origin} for block ${height} of ${new Date(time).toISOString()}`;
    return { isWithdrawn, words: `${words} ${at}.` };
  } finally {
    transport.close();
  }
}
