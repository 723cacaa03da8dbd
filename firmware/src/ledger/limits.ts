/** Bounds of the ledger room. docs/limits.md lists them; a test compares the two. */

/** One transaction, encoded: the largest registration in bulk (1024 entries of 97 bytes) with room to spare. */
export const transactionBytesMax = 102400;

/**
 * Data items of one transaction, keys of maps among them: a registration of 128 studies has the most, with 9 each, before
 * a change of validators with 1024 ids. Four thousand take a millisecond.
 */
export const transactionItemsMax = 4096;

/** Transactions of one block, encoded: it crosses a 100 Mbit/s line in a tenth of a second, within a view's time. */
export const blockTransactionBytesMax = 1048576;

/** One block, encoded: its transactions, their CBOR framing and a header. Longer input is refused before decoding. */
export const blockBytesMax = 1114112;

/** Data items of one block: 512 transactions, which are one each, and a header of 22. */
export const blockItemsMax = 1024;

/**
 * Work of one block, in units of 0.1 ms on the processor of docs/scale.md (block-work.ts): 0.25 s there, and 0.75 s on a
 * small ARM core, a third as fast: half of the 1.5 s after which a view is given up. So a leader that fills its block with
 * what nobody has seen before holds nobody up. A registration of one study takes 16, so that 156 of them fit, one in bulk of
 * 1024 takes 64, the largest single one (128) 1,159. At nine blocks a second that is twice what a core can carry for long.
 */
export const blockWorkMax = 2500;

/**
 * Work on candidates that turn out not to apply, in the same units, after which a leader tries no more: as much as on those
 * that do, so that nobody makes it miss its view. One that misses something takes 1, and it waits on: 512 candidates in 4
 * passes stay below this, so that those alone hold nobody up.
 */
export const blockWorkInVainMax = 2500;

/** Transactions of one block: each takes 7 units of work at least, so that 357 find room. Read before they are weighed. */
export const blockTransactionsMax = 512;

/**
 * Transactions of one block that bring certified keys: each takes up to 188 units of work, where most others take 7 to 21.
 * Refused ones count, too: so they cost a leader no more than a block's work.
 */
export const blockKeyChangesMax = 16;

/**
 * Studies of one registration, which takes less than half of a block's work: so what comes after a block's revocations
 * always finds room, and holds up nobody behind it. Who has more at a time registers them in bulk.
 */
export const registrationEntriesMax = 128;

/** Studies of one registration in bulk: what a large hospital makes in an hour, in a tenth of a block. */
export const bulkEntriesMax = 1024;

/** Hashes that prove an entry of a bulk registration: the depth of a tree of 1024 leaves. */
export const bulkPathHashesMax = 10;

/** Sealed note of a grant: the format is of fixed size, well below this; the ledger keeps it for ever. */
export const grantNoteBytesMax = 2048;

/** Opens that one grant may allow: each is kept in the state for ever. Those of all grants: `accessRecordsOfEpochMax`. */
export const grantOpensMax = 1000;

/** Opens of one emergency: a team that opens a study anew on each device, for five days. Each is kept for ever. */
export const emergencyOpensMax = 100;

/** How far a revocation may run ahead of the last grant: an owner has no more grants under way than this. */
export const revocationSeqAheadMax = 1024;

/**
 * Bases that an owner revoked before they arrived, in the study's record: whoever has more grants under way revokes all up
 * to a number. A new owner begins anew.
 */
export const revocationsAheadMax = 16;

/** Grants of one study, ever: each is kept in the state, 0.5 KB. One a week for twenty years. */
export const grantsOfStudyMax = 1024;

/** Referrals of one study, ever: likewise, by its source. */
export const referralsOfStudyMax = 1024;

/** Emergencies that one member declares of one study while the first of them lasts: teams that do not know of each other. */
export const emergenciesInWindowMax = 4;

/**
 * Records that the registrations of one source make in an epoch (24 h): a hundred times what the largest hospital makes, so
 * that a back archive passes, and 50 MB of state. A batch in bulk makes one.
 */
export const registrationsOfEpochMax = 131072;

/**
 * Studies that one source registers in bulk in an epoch (24 h): a back archive of ten million in ten days. Each can become
 * a record of its own, at its first use.
 */
export const bulkStudiesOfEpochMax = 1048576;

/**
 * Records of an epoch (24 h) that a source signs: two for a referral or an open, one for the first use of a study in bulk.
 * 65,000 opens are fifty of each study that the largest hospital makes in a day; 50 MB of state.
 */
export const accessRecordsOfEpochMax = 131072;

/**
 * Records of an epoch (24 h) by the emergencies of a member, four each, and by opens under them, two each: 10,000
 * emergencies that are opened once, ten times the patients of the largest emergency department. 25 MB of state.
 */
export const emergencyRecordsOfEpochMax = 65536;

/**
 * Grants of a study that count for nobody but the study: more than a patient gives of one, so that however many others
 * give of theirs, nobody is kept from a first grant.
 */
export const grantsOfStudyFree = 32;

/**
 * Records of an epoch (24 h) by grants beyond `grantsOfStudyFree`, two each, of all studies of one source together: whose
 * the studies really are nobody sees, it may be their source that fills the state. 25 MB.
 */
export const furtherGrantRecordsOfEpochMax = 65536;

/** Institution's id: it stands in every transaction and in file names. Characters. */
export const institutionIdCharactersMax = 32;

/** Institution's display name. Characters (UTF-16 units). */
export const institutionNameCharactersMax = 128;

/** An endpoint (multiaddr, host and port, origin): a DNS name has at most 253 characters. Characters. */
export const endpointCharactersMax = 300;

/** Institutions of a consortium: the list of their ids is one value of the state. */
export const institutionsMax = 1000;

/**
 * Seats that members may ever have had: with a hundred admissions a year enough for 150 years. A set of seats has a bit for
 * each, 2 KB where all were given.
 */
export const seatsMax = 16384;

/** Validators of one epoch, the same as in consensus/limits.ts: the figures are shown for up to 100. */
export const validatorsMax = 512;

/** Keys of the vendor or of an institution's offline root: people who hold one each. */
export const quorumKeysMax = 16;

/** Proposals that are open at once: enough for every tenth institution to want something. Who has none may open one more. */
export const openProposalsMax = 256;

/** Of one institution: it takes many members together to leave no room for the proposals of others. */
export const openProposalsOfInstitutionMax = 8;

/**
 * Proposals that are kept, decided ones too, until nobody can vote on them or bring them again: those of institutions that
 * have more than one. Who has none finds room in the rest of the list.
 */
export const keptProposalsMax = 512;

/**
 * Proposals past their time whose records one further proposal drops, two each: more than come, so that the list empties, and
 * few enough to be a part of what a proposal costs.
 */
export const proposalsDroppedAtOnceMax = 8;

/**
 * All that are kept: their list is one value of the state, at 99 bytes each. Beyond `keptProposalsMax` each is of another
 * institution, so that a third of 1000 members, eight of which have filled the list, leave room for an honest one.
 */
export const listedProposalsMax = 900;

/**
 * Open proposals whose votes one block counts again after a removal, at some 20 µs each: all 900 within 29 blocks, and with
 * the few that are usually open, in the block of the removal itself.
 */
export const recountedAtOnceMax = 32;

/** Of one institution: it takes many members together to fill the list. */
export const keptProposalsOfInstitutionMax = 64;

/**
 * Records of guilt that a console lists: more is a matter for people. The records themselves stay, 150 bytes each: one at
 * most for a validator and an epoch, and each takes two signatures of that validator's voting key.
 */
export const guiltyListedMax = 256;

/** Releases that are kept: a box updates to the newest that was accepted. */
export const releasesListedMax = 64;

/** Version of a release: three numbers and a short word. Characters. */
export const releaseVersionCharactersMax = 32;

/** Formats of the ledger are numbered from 1; a few a year at most. */
export const formatNumberMax = 255;

/** Past epochs whose validators the state keeps: evidence is judged by their keys, and a light client trusts for 90 days. */
export const epochsKeptMax = 128;

/** Shortest epoch that a consortium may set: tests; a real one has no reason to go below hours. */
export const epochMsMin = 1000;

/** Longest epoch: a validator that was removed by vote, or whose voting key was stolen, votes until its end. 31 days. */
export const epochMsMax = 2678400000;

/** Shortest window for votes, objections and emergencies that a consortium may set: tests. */
export const windowMsMin = 1000;

/** Longest such window: a year and a day. */
export const windowMsMax = 31622400000;

/** Fewest blocks between the quorum for a format and its first block: those in flight are of the old one. */
export const activationBlocksMin = 8;

/** Most blocks between them: ten days of heartbeats; under load it is much less. */
export const activationBlocksMax = 1000000;

/** Shortest mean time between two attestations of a member that a consortium may set: tests; a TPM needs seconds for one. */
export const attestationMsMin = 1000;

/** Longest such time: a box that was changed goes unnoticed for so long. 31 days. */
export const attestationMsMax = 2678400000;

/** Roots of TPM vendors that a consortium pins: a dozen vendors, with some roots each. */
export const endorsementRootsMax = 64;

/**
 * Values of PCR 7 that a consortium takes: one for each list of Secure Boot keys and revocations that its boxes boot
 * under, the old and the new one while they are updated. 64 roots and these take 7 KB of a document that is handed in.
 */
export const bootAuthoritiesMax = 32;

/** Boot authorities, and as many releases, that were dropped: a box whose keys are older than so many of them is set up anew. */
export const formerOriginsMax = 128;

/** JSON of one institution's record, or of parameters: some 3 KB with 16 root keys, twice that. */
export const handedDocumentBytesMax = 8_192;

/** Genesis document as JSON: 1000 institutions of about 2 KB each, of 4 KB where names and endpoints are as long as may be. */
export const genesisJsonBytesMax = 4194304;

/** Data items of a genesis document: up to 69 of each institution with 16 root keys. */
export const genesisItemsMax = 131072;

/** Siblings of a state proof: the tree is keyed by 256-bit hashes. */
export const stateProofSiblingsMax = 256;

/** Complete subtrees of the history log: one for each bit of a height that an integer can hold. */
export const historyPeaksMax = 53;

/** Key of the state: the longest is an open's, two ids and two names. Characters. */
export const stateKeyCharactersMax = 160;

/** Value of the state: the record of an epoch with 512 validators is the longest, at 80 KB. What is longer cannot be read. */
export const stateValueBytesMax = 98304;

/** Data items of a value of the state: the list of 900 proposals has the most, nine of each. */
export const stateValueItemsMax = 16384;

/** Data items of a state proof: the longest path and a dozen. */
export const stateProofItemsMax = 512;

/** State proof, encoded: one value and the longest path. */
export const stateProofBytesMax = 114688;

/** Keys known to be of prime order: those of a minute at full load, at 100 bytes each. */
export const primeOrderKeysKeptMax = 16384;

/** Transactions kept decoded, by their encoded bytes: four full blocks. */
export const decodedTransactionsBytesMax = 4194304;

/** Places of state keys that are remembered: those that some thousand transactions read and write, in 2 MB. */
export const stateKeyHashesKeptMax = 8192;
