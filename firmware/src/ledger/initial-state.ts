/** The state of block 0: what the genesis document says. */
import { emptyFrontier } from '../encoding/merkle-frontier.ts';
import { epochRecord } from './consortium/epoch-record.ts';
import { epochValidator } from './consortium/epoch.ts';
import { guiltyRecord } from './consortium/guilt-record.ts';
import { idListRecord } from './consortium/id-list-record.ts';
import { institutionRecord, type InstitutionRecord } from './consortium/institution-record.ts';
import { withKeysOf } from './consortium/key-holders.ts';
import { firstMembers, membersRecord } from './consortium/members-record.ts';
import { keyQuorumRecord } from './consortium/key-quorum.ts';
import { parametersRecord } from './consortium/parameters.ts';
import { historyRecord } from './history-record.ts';
import { keptProposalsRecord, openProposalsRecord } from './consortium/proposal-record.ts';
import { formatsRecord } from './formats/formats-record.ts';
import { releasesRecord } from './releases/release-record.ts';
import { stateKeys } from './state-keys.ts';
import { LedgerSnapshot } from './state.ts';
import { StateTree } from './state-tree.ts';
import type { ChainId, Genesis, LedgerState } from './types.ts';

/** The first epoch is number 0. Its first block is at height 1: block 0 is the genesis document itself. */
export function initialState(chain: ChainId, genesis: Genesis): LedgerState {
  const institutions = new Map<string, InstitutionRecord>();
  for (const institution of genesis.institutions) {
    institutions.set(institution.id, { ...institution, version: 1, deviceSince: genesis.time });
  }
  const validators = genesis.validators.map((id) => {
    const institution = institutions.get(id);
    if (institution === undefined)
      throw new RangeError(`validator ${id} is no institution of the genesis document`);
    return epochValidator(institution);
  });
  let state = new LedgerSnapshot(chain, StateTree.empty)
    .put(membersRecord, stateKeys.institutions, firstMembers([...institutions.keys()]))
    .put(epochRecord, stateKeys.epoch, { number: 0, startHeight: 1, startTime: genesis.time, validators })
    .put(idListRecord, stateKeys.nextValidators, genesis.validators)
    .put(parametersRecord, stateKeys.parameters, genesis.parameters)
    .put(historyRecord, stateKeys.history, emptyFrontier)
    .put(keyQuorumRecord, stateKeys.vendor, genesis.vendor)
    .put(keptProposalsRecord, stateKeys.proposals, [])
    .put(openProposalsRecord, stateKeys.openProposals, [])
    .put(guiltyRecord, stateKeys.guilty, [])
    .put(releasesRecord, stateKeys.releases, {
      digests: [],
      dropped: null,
      vendorKeys: genesis.vendor.keys,
    })
    .put(formatsRecord, stateKeys.formats, { activations: [{ format: 1, height: 0 }], signals: [] });
  for (const [id, institution] of institutions) {
    state = withKeysOf(state, id, institution.keys).put(
      institutionRecord,
      stateKeys.institution(id),
      institution,
    );
  }
  return state;
}
