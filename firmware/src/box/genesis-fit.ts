/** Whether a genesis document is one by which this box may work. */
import type { Config } from '../config.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import { noChain, possessionMessage } from '../ledger/index.ts';
import { institutionValue } from '../ledger/consortium/institution-record.ts';
import type { Genesis, Institution } from '../ledger/types.ts';
import type { DeviceKeys } from '../ports.ts';
import { verifyEd25519 } from './signatures.ts';

/** Its keys say that they belong to it on a ledger that does not exist yet. */
function wasForGenesis({ id, keys }: Institution): boolean {
  return verifyEd25519(keys.voting, possessionMessage(noChain, id, 'voting', keys), keys.possession.voting);
}

/** What the institution's certificate does not bind: whoever puts the document together could write his own. */
function encodeOwner(institution: Institution): Uint8Array {
  const { account = null, root = null } = institutionValue(institution);
  return encodeCanonical({ account, root });
}

/**
 * A software TPM holds nothing, so that its box belongs in no production consortium. And where the document names this
 * very box, it has the account and the offline root that were handed in: with another root, whoever made it could replace
 * the box without a vote, and with another account he could read what is granted to this hospital. A record that was handed
 * in later, for a ledger that there was, says nothing of the document.
 * @param handedIn what the box handed in last; asked only where the document names it.
 * @throws AppError GENESIS_INVALID, and what `handedIn` throws.
 */
export async function assertGenesisFits(
  genesis: Genesis,
  { tpm }: Pick<Config, 'tpm'>,
  { identityPublicKey }: Pick<DeviceKeys, 'identityPublicKey'>,
  handedIn: () => Promise<Institution | undefined>,
): Promise<void> {
  if (tpm.kind === 'swtpm' && !genesis.development)
    throw new AppError(
      'GENESIS_INVALID',
      'The genesis document is of a production consortium, and the configuration names a software TPM (tpm.kind: swtpm), which has no place there.',
    );
  const named = genesis.institutions.find(({ keys }) => equalBytes(keys.identity, identityPublicKey));
  if (named === undefined) return;
  const own = await handedIn();
  if (own !== undefined && wasForGenesis(own) && !equalBytes(encodeOwner(named), encodeOwner(own)))
    throw new AppError(
      'GENESIS_INVALID',
      `The genesis document names another account or another offline root for ${named.id} than it handed in.`,
    );
}
