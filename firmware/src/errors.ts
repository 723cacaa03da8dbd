/**
 * The one error table. A refusal (peer or user at fault) is returned as a value; a fault (disk, TPM, network,
 * configuration) is thrown as AppError with one of these codes; a bug is an assertion and crashes the process.
 * docs/errors.md is this table in prose; a test compares the two both ways. No message holds patient data.
 */

/** How the other side of a connection is treated when it causes this error. */
export type PeerTreatment = 'none' | 'ignore' | 'reject';

export interface ErrorRow {
  /** HTTP status when the error reaches a console or wallet request. */
  readonly http: number;
  /** DIMSE status (PS3.7 annex C, PS3.4 B.2.3) when it reaches a C-STORE. */
  readonly dimse: number;
  readonly peer: PeerTreatment;
  /** What the person in front of it should do. */
  readonly remedy: string;
}

const row = (http: number, dimse: number, peer: PeerTreatment, remedy: string): ErrorRow => ({
  http,
  dimse,
  peer,
  remedy,
});

export const errorTable = {
  CONFIG_UNREADABLE: row(500, 0x0110, 'none', 'Give the path of a readable JSON file with --config.'),
  CONFIG_INVALID: row(
    500,
    0x0110,
    'none',
    'Correct the key that is named; docs/configuration.md lists every key with its unit and default.',
  ),
  DATA_FOLDER_UNWRITABLE: row(
    500,
    0xa700,
    'none',
    'Make the folder writable for the user that runs Hilum, or set another dataDir.',
  ),
  DATA_FOLDER_IN_USE: row(500, 0x0110, 'none', 'Another Hilum process uses this folder. Stop it first.'),
  PORT_IN_USE: row(
    500,
    0x0110,
    'none',
    'Stop the program that listens on the port, or set another port in the configuration.',
  ),
  CERTIFICATE_INVALID: row(
    500,
    0x0110,
    'none',
    'Put a certificate, its key and the authorities in place that fit each other; the box takes them by itself. docs/runbooks/dicom-tls.md says how.',
  ),
  CERTIFICATE_EXPIRES: row(
    500,
    0x0110,
    'none',
    'Have a new certificate issued and put it in the place of the old one; the box takes it by itself. docs/runbooks/dicom-tls.md says how.',
  ),
  STORE_CORRUPT: row(
    500,
    0xa700,
    'none',
    'Nothing was changed. Keep the data folder as it is and call support; docs/runbooks/store-corrupt.md says what can be recovered.',
  ),
  STORE_FAILED: row(
    500,
    0xa700,
    'none',
    'Check the disk (full, failing, unplugged). After a full disk the box goes on by itself when there is room; after any other fault restart it.',
  ),
  DISK_LOW: row(
    507,
    0xa700,
    'none',
    'Make room for the data folder or give it a larger disk; docs/runbooks/disk-full.md. Once it is full, studies are refused; point the modalities at the PACS until there is room.',
  ),
  QUICKACK_NOT_SET: row(
    500,
    0x0110,
    'none',
    "A modality that leaves Nagle's algorithm on (the default of many) waits 45 to 90 ms for each object. Give the box CAP_NET_ADMIN, or set `quickack 1` on the route that is named, or switch Nagle off at the modality. Nothing is lost meanwhile.",
  ),
  VOTE_LOG_CORRUPT: row(
    500,
    0x0110,
    'none',
    'The box goes on receiving and gets its vote back by itself. If it does not, docs/runbooks/vote-log.md says why.',
  ),
  RESTART_INVALID: row(
    500,
    0x0110,
    'none',
    'The file is no restart order. Compare it with those who signed; docs/runbooks/restart.md.',
  ),
  RESTART_REFUSED: row(
    500,
    0x0110,
    'none',
    'The alarm says why: the restart order leads behind what is final on this box, or its file is no order that holds here. Nothing was changed. Tell those who signed it, before anybody goes on; docs/runbooks/restart.md.',
  ),
  HANDOVER_MISSING: row(
    500,
    0x0110,
    'none',
    'Too few boxes of the named epoch have signed its end, so that no wallet and no new box can pass it by itself. Start every box of that epoch that is switched off: it signs by itself. Until then this box keeps all blocks since; docs/runbooks/handover.md.',
  ),
  CATCH_UP_STUCK: row(
    503,
    0x0110,
    'none',
    'No box that answers has the blocks that this one lacks, or a snapshot with a proved way to it. Start the others, the oldest first; docs/runbooks/handover.md.',
  ),
  FORMAT_UNKNOWN: row(
    503,
    0x0110,
    'none',
    'The consortium has gone over to a newer format of the ledger. Update the box; it goes on receiving meanwhile.',
  ),
  VOTING_KEY_LOST: row(
    500,
    0x0110,
    'none',
    'The box does not hold its voting key of this epoch. It names another by itself and votes again from the next epoch on.',
  ),
  GENESIS_INVALID: row(
    500,
    0x0110,
    'none',
    'Fetch the genesis file of the consortium again, and compare its digest with another member.',
  ),
  OFFLINE_KEY_UNREADABLE: row(
    400,
    0x0110,
    'none',
    'Give the file and the passphrase of one custodian; docs/runbooks/replace-a-box.md.',
  ),
  DOCUMENT_INVALID: row(
    400,
    0x0110,
    'none',
    'Nothing was signed or written. Begin from the record of the new box; docs/runbooks/replace-a-box.md.',
  ),
  DECOMMISSION_REFUSED: row(
    409,
    0x0110,
    'none',
    'Correct what is named, then give the command again; docs/runbooks/replace-a-box.md.',
  ),
  KEYS_EXPIRE: row(
    500,
    0x0110,
    'none',
    'The box replaces its keys by itself long before; look at what else is wrong, then rotate them on the page Consortium. Once they have expired, it registers and releases nothing until they are rotated.',
  ),
  BOX_NOT_ON_LEDGER: row(
    503,
    0x0110,
    'none',
    'The box receives and keeps studies, and neither registers nor releases. Have the consortium admit it, or the offline root of the hospital name it in the place of the old box: docs/runbooks/replace-a-box.md.',
  ),
  ATTESTATION_FAILED: row(
    500,
    0x0110,
    'none',
    "The console names the check that failed. Ask that hospital whether its box was repaired or updated; if nobody there knows, treat the box as another's: docs/runbooks/attestation.md.",
  ),
  ATTESTATION_MISSING: row(
    500,
    0x0110,
    'none',
    'Ask that hospital whether its box is on and reached. It attests by itself once it answers; docs/runbooks/attestation.md.',
  ),
  TPM_LIBRARY_MISSING: row(
    500,
    0x0110,
    'none',
    'Install the tpm2-tss libraries: npm start installs them on Debian.',
  ),
  TPM_SIMULATOR_MISSING: row(
    500,
    0x0110,
    'none',
    'Install swtpm and swtpm-tools: npm start installs them on Debian.',
  ),
  TPM_ABSENT: row(
    500,
    0x0110,
    'none',
    'Check that the TPM is enabled in the firmware setup, or that the TCTI in the configuration is right.',
  ),
  TPM_WRONG: row(
    500,
    0x0110,
    'none',
    'This data folder belongs to another TPM. Put the original TPM (or its swtpm state) back, or restore with the recovery code: docs/runbooks/recovery.md. Without either the data cannot be opened.',
  ),
  TPM_POLICY: row(
    500,
    0x0110,
    'none',
    'The firmware is not one that the box approved. Start the one that ran before; docs/runbooks/recovery.md says what else there is. A development consortium can begin anew with npm start -- --fresh.',
  ),
  FIRMWARE_REFUSED: row(
    409,
    0x0110,
    'none',
    'Nothing was approved. Correct what is named, then give the command again; docs/runbooks/firmware.md.',
  ),
  TPM_LOCKED_OUT: row(
    500,
    0x0110,
    'none',
    "Restart the box: it ends the lock-out. If it comes back, somebody guesses authorization values of this TPM. While keys are made: clear the TPM in the machine's firmware setup.",
  ),
  TPM_OWNED: row(
    500,
    0x0110,
    'none',
    "Somebody else owns the TPM of this machine. Clear it in the machine's firmware setup, then start again; whatever it sealed is lost then.",
  ),
  KEYS_NOT_MADE: row(
    500,
    0x0110,
    'none',
    'Make the keys of a new box by hilum enrol, at a terminal with two custodians or with --recovery-code-to; docs/runbooks/recovery.md.',
  ),
  RECOVERY_REFUSED: row(
    500,
    0x0110,
    'none',
    'Check both halves of the recovery code and the signature; docs/runbooks/recovery.md has the steps.',
  ),
  TPM_FAILED: row(
    500,
    0x0110,
    'none',
    'Restart the box. If it returns, the TPM or its connection is at fault.',
  ),
  EVENT_LOG_UNUSABLE: row(
    500,
    0x0110,
    'none',
    'Members do not believe what this box booted until it can show them the file that is named: docs/runbooks/attestation.md says which right its user needs, and when `tpm.eventLogFile` has to name another file. No restart is needed for the right.',
  ),
  TPM_TIMEOUT: row(
    500,
    0x0110,
    'none',
    'The TPM does not answer. The box retries by itself; power-cycle it if this stays.',
  ),
  NOT_ADMITTED: row(
    503,
    0x0110,
    'none',
    'The box receives and keeps studies. Ask the consortium for admission, then set genesisFile in the configuration.',
  ),
  NOT_A_MEMBER: row(403, 0x0110, 'reject', 'Only members of the consortium may connect. Ask for admission.'),
  PEER_UNREACHABLE: row(
    503,
    0x0110,
    'ignore',
    'Check the network to that institution; the box retries by itself.',
  ),
  PEER_MISBEHAVED: row(
    502,
    0x0110,
    'reject',
    'The peer broke the protocol and was disconnected. If it returns, tell its institution.',
  ),
  STUDY_SHARED: row(
    409,
    0xa900,
    'none',
    'Check at the modality why two patients got one Study Instance UID, and correct it there; nothing was mixed here.',
  ),
  NOT_RELEASED: row(
    404,
    0x0110,
    'none',
    'The source releases nothing under this request. Ask the patient for a grant, or the source by telephone.',
  ),
  TRANSFER_UNVERIFIED: row(
    502,
    0x0110,
    'reject',
    'What arrived does not match the ledger and was discarded. Ask again; if it returns, tell the source.',
  ),
  ARCHIVE_FAILED: row(
    502,
    0x0110,
    'none',
    'Check that the archive is up, that it lets this box query and retrieve, and that it knows where the AE title of this box is; it is tried again by itself. docs/runbooks/side-car.md says more.',
  ),
  STUDY_INCOMPLETE: row(
    502,
    0x0110,
    'none',
    'The archive no longer has all that was registered. What it gave is released as what it is; look in the archive for what was removed, then accept it on the page Destinations.',
  ),
  DELIVERY_FAILED: row(
    502,
    0x0110,
    'none',
    'Check that the PACS is up and that its access list holds this box; delivery is retried by itself.',
  ),
  OBJECTS_SET_ASIDE: row(
    502,
    0x0110,
    'none',
    'Everything is kept here. Correct at the destination what the reason names, then send them again from the console.',
  ),
  TRANSCODING_FAILED: row(
    502,
    0x0110,
    'none',
    'Let the destination accept the transfer syntax in which the object was received; the object is kept here.',
  ),
  COMMITMENT_FAILED: row(
    502,
    0x0110,
    'none',
    'The PACS did not commit to keep what it was sent. It is sent again; look at the PACS if this stays.',
  ),
  COMMITMENT_UNDELIVERED: row(
    502,
    0x0110,
    'none',
    'Check that the modality is up, and that its entry in the access list says under which host and port it is reached. It still holds the objects, or can ask again.',
  ),
  TRANSACTION_INVALID: row(
    400,
    0x0110,
    'none',
    'The transaction was refused for the reason given; correct it and send it again.',
  ),
  LEDGER_STALE: row(
    503,
    0x0110,
    'none',
    'The box has seen no new block for 30 s. Check its network and those of the other members.',
  ),
  CLOCK_BEHIND: row(
    503,
    0x0110,
    'none',
    'The clock of this box is behind those of the others; nothing is released meanwhile. Check its time source. If other boxes have this alarm too, check theirs.',
  ),
  RECEIPT_OPEN: row(
    502,
    0x0110,
    'none',
    'The hospital that is named was released a study and has not confirmed that it arrived. Ask it whether its box runs and has the study; "Releases and refusals" tells when it was released, and on which permission. The alarm ends with its confirmation, or 30 days after the release if the permission has ended.',
  ),
  LEDGER_UNPROVEN: row(
    502,
    0x0110,
    'none',
    'The box could not prove what it answered. Try again; if it returns, ask another hospital and tell the consortium.',
  ),
  WALLET_TRUST_EXPIRED: row(
    409,
    0x0110,
    'none',
    'The wallet was not used for so long that it no longer knows whom to believe. Scan a new QR code at the reception of a hospital; nothing in the wallet is lost.',
  ),
  MEMPOOL_FULL: row(503, 0x0110, 'none', 'Too many transactions wait. Send it again in a minute.'),
  WALLET_UNREADABLE: row(
    500,
    0x0110,
    'none',
    'Give the path of a wallet file with --file; wallet new makes one. A damaged file can only be replaced by its copy.',
  ),
  WALLET_EXISTS: row(
    409,
    0x0110,
    'none',
    'Nothing was changed. Give another path with --file, or keep using this wallet.',
  ),
  WALLET_NOT_SAVED: row(
    500,
    0x0110,
    'none',
    'Check the disk and whether another program uses the wallet file, then try again.',
  ),
  REQUEST_INVALID: row(400, 0x0110, 'none', 'Correct the field that is named.'),
  NOT_AUTHENTICATED: row(401, 0x0110, 'none', 'Log in first.'),
  NOT_AUTHORISED: row(403, 0x0110, 'none', 'Your role does not allow this. Ask an administrator.'),
  LOGIN_FAILED: row(401, 0x0110, 'none', 'Type both again. An administrator can make a new account.'),
  PASSWORD_CHANGE_REQUIRED: row(403, 0x0110, 'none', 'Set a password of your own first.'),
  ORIGIN_REFUSED: row(
    403,
    0x0110,
    'none',
    'Use the console page of this box; other pages may not act in your name.',
  ),
  ACCOUNT_EXISTS: row(409, 0x0110, 'none', 'Choose another name.'),
  ACCOUNTS_FULL: row(409, 0x0110, 'none', 'Remove accounts that nobody uses any more.'),
  TICKET_REFUSED: row(
    409,
    0x0110,
    'none',
    "Compare the patient's details with the hospital's records and try again.",
  ),
  CONSORTIUM_ACT_REFUSED: row(
    409,
    0x0110,
    'none',
    'Nothing was changed. Correct what is named, or look at what the others did meanwhile.',
  ),
  PEER_ACT_REFUSED: row(409, 0x0110, 'none', 'Nothing was changed. Correct what is named, then try again.'),
  NOT_FOUND: row(404, 0x0110, 'none', 'Check the address.'),
  REQUEST_TOO_LARGE: row(413, 0x0110, 'none', 'Send less at once.'),
  TOO_MANY_REQUESTS: row(429, 0x0110, 'none', 'Wait as long as the Retry-After header says, then try again.'),
  BUSY: row(503, 0xa700, 'none', 'Try again in a few seconds.'),
  INTERNAL: row(500, 0x0110, 'none', 'Try again. If it returns, call support with the time of the error.'),
  CONSOLE_NOT_BUILT: row(500, 0x0110, 'none', 'Run npm start once, which builds the console pages.'),
  DIMSE_PROTOCOL: row(
    502,
    0x0110,
    'reject',
    'The DICOM peer broke the protocol; its association was aborted.',
  ),
  OBJECT_QUARANTINED: row(
    409,
    0x0110,
    'none',
    'Look at the objects in quarantine on the console, and release or discard them. Then correct the sender that makes them.',
  ),
  QUARANTINE_FULL: row(
    507,
    0xa700,
    'none',
    'Release or discard objects in quarantine on the console, and correct the sender that makes them; what belongs there is refused meanwhile.',
  ),
  QUARANTINE_DAMAGED: row(
    500,
    0xa700,
    'none',
    'An object in quarantine cannot be read any more. It was set aside, not deleted; docs/runbooks/quarantine.md says what to do.',
  ),
  STUDY_FULL: row(
    507,
    0xa700,
    'none',
    'A study has as many objects or bytes as the ledger can commit to; more of it is refused. Split it at the modality.',
  ),
  OBJECT_UNREADABLE: row(422, 0xc000, 'none', 'The header of the object cannot be parsed. Check the sender.'),
  OBJECT_MISMATCH: row(
    422,
    0xa900,
    'none',
    'The data set lacks its UIDs or contradicts its C-STORE request. Check the sender.',
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** A fault with a code of the table. `message` names the thing; `remedy` says what to do. Never patient data. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get remedy(): string {
    return errorTable[this.code].remedy;
  }

  /** One line for a person: what, code, remedy. */
  get line(): string {
    return `${this.message} [${this.code}] ${this.remedy}`;
  }
}
