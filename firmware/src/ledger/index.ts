/** The ledger room's door: everything that other rooms may use. Light clients may import it too: no node: modules. */
export { applyTransaction } from './apply.ts';
export {
  blockDigest,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  encodeHeader,
  genesisBlock,
  transactionsRoot,
} from './blocks.ts';
export {
  buildBlock,
  executeBlock,
  type BlockProposal,
  type BuiltBlock,
  type ExecutedBlock,
  type InvalidBlockReason,
  type RefusedCandidate,
} from './execution.ts';
export {
  chainId,
  decodeGenesis,
  encodeGenesis,
  formatGenesis,
  genesisState,
  parseGenesis,
  type GenesisVerifiers,
} from './genesis.ts';
export {
  formatInstitution,
  formatParameters,
  parseInstitution,
  parseParameters,
  type DocumentRefused,
} from './handed-documents.ts';
export {
  basisId,
  idBytes,
  openId,
  reassignmentId,
  studyId,
  toBasisId,
  toOpenId,
  toStudyId,
  transactionId,
} from './ids.ts';
export { isInHistory } from './history.ts';
export { historyRecord } from './history-record.ts';
export { isPrimeOrderKey } from './public-keys.ts';
export { isBasis } from './access/transactions.ts';
export { basisRefusal } from './access/basis.ts';
export { basisRecord, studyBasisRecord } from './access/basis-record.ts';
export { openNumberRecord, openRecord } from './access/open-record.ts';
export { revocationRecord } from './access/revocation-record.ts';
export { institutionRecord } from './consortium/institution-record.ts';
export { keysMessage } from './consortium/certified-keys.ts';
export {
  byIdentityRule,
  verifyIdentitySignature,
  type VerifyIdentity,
} from './consortium/identity-signature.ts';
export {
  keyPurposes,
  noChain,
  possessionMessage,
  provePossession,
  type KeyPossession,
  type KeyPurpose,
} from './consortium/possession.ts';
export { guiltRecord, guiltyRecord } from './consortium/guilt-record.ts';
export {
  keptProposalsRecord,
  openProposalsRecord,
  proposalRecord,
  toProposalId,
} from './consortium/proposal-record.ts';
export { votesRecord } from './consortium/votes-record.ts';
export { proposalId } from './consortium/propose.ts';
export { quorumOf } from './consortium/quorum.ts';
export { formatKnown } from './formats/formats.ts';
export { formatsRecord } from './formats/formats-record.ts';
export { acceptanceMessage } from './releases/accept.ts';
export { acceptancesRecord } from './releases/acceptances-record.ts';
export { releaseRecord, releasesRecord, toReleaseDigest } from './releases/release-record.ts';
export { epochRecord } from './consortium/epoch-record.ts';
export { idListRecord } from './consortium/id-list-record.ts';
export { membersRecord } from './consortium/members-record.ts';
export { keyQuorumRecord, nobody } from './consortium/key-quorum.ts';
export { defaultParameters, parametersRecord } from './consortium/parameters.ts';
export type { RecordFormat } from './record-format.ts';
export { batchRecord } from './studies/batch-record.ts';
export { bulkEntryBytes, bulkLeaves, decodeEntry, encodeEntry, openLeaf } from './studies/leaf.ts';
export { studyRecord } from './studies/study-record.ts';
export {
  mayApplyLater,
  refusalReasons,
  type DecodeReason,
  type DecodeRefusal,
  type RefusalReason,
  type RuleReason,
} from './refusals.ts';
export { stateChanges, stateEntries, stateFromEntries } from './state.ts';
export { stateKeys } from './state-keys.ts';
export { decodeStateProof, encodeStateProof, verifyStateProof } from './state-proof.ts';
export {
  isLastRange,
  stateAnchor,
  stateRanges,
  verifyStateRange,
  type StateAnchor,
  type StateEntry,
  type StateRange,
  type VerifiedRange,
} from './state-range.ts';
export {
  decodeTransaction,
  encodeTransaction,
  signerCount,
  signingMessage,
  type DecodedTransaction,
} from './transactions.ts';
export { transactionWork } from './block-work.ts';
export { bringsKeys, goesFirst, isOwnersAct, transactionTypeNames } from './transaction-types.ts';
