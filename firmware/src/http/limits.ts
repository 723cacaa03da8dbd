/** Bounds of the console and wallet service. docs/limits.md repeats them; a test compares the two. */

/** Those that the page must know too stand in its contract, which imports nothing of the server. */
export {
  accountNameCharactersMax,
  accountNameCharactersMin,
  passwordCharactersMax,
  passwordCharactersMin,
} from './contract.ts';

/** Those of the consortium's page, likewise. */
export {
  handedTextCharactersMax,
  proposedValidatorsMax,
  signedDocumentCharactersMax,
} from './consortium-contract.ts';

/** Largest body of a request: a wallet's transaction of 4 KiB in hexadecimal is the longest, forms are far shorter. */
export const requestBodyBytesMax = 16_384;
/** TLS connections at once: staff of one department and wallets in the waiting room; each costs some 50 kB. */
export const connectionsMax = 512;
/** Connections of one address (IPv6: one /64): a quarter; a clinic behind one router opens one a console and one a wallet. */
export const connectionsPerAddressMax = 128;
/** A TLS handshake takes at most this long: a peer that opens sockets and says nothing holds none of them. */
export const handshakeMsMax = 10_000;
/** The head of a request arrives within this time of the connection or of its first byte: who asks nothing has no place. */
export const requestHeadMsMax = 10_000;
/** Overdue requests are looked for this often; Node's own 30 s would double their time. */
export const requestCheckMs = 2_000;
/** An answered connection waits this long for the next request: a page asks for its parts within a second. */
export const keepAliveMsMax = 10_000;
/** A request arrives whole within this time: stops slow senders. */
export const requestMsMax = 20_000;
/** A socket without a byte either way for this long is closed: longer than heartbeat (15 s) and long poll (30 s). */
export const socketIdleMsMax = 60_000;
/** After this time of stopping, requests that are still running are cut. */
export const stopGraceMsMax = 5_000;

/** Memory of one scrypt is 128 · r · N bytes: 32 MiB, which two at once can have on a small box. */
export const scryptCost = 32_768;
/** scrypt's block size, the value of RFC 7914's examples. */
export const scryptBlockSize = 8;
/** With N = 2^15 and r = 8, OWASP's password storage sheet asks for p = 3. */
export const scryptParallelization = 3;
/** Password hashes computed at once: bounds their memory to 64 MiB. */
export const passwordHashesActiveMax = 2;
/** Password hashes that wait: at some 0.25 s each, the last waits for about 4 s; more are told to try again. */
export const passwordHashesWaitingMax = 32;

/** Accounts of one box: the staff of a large department; all of them fit into memory and one list. */
export const accountsMax = 500;

/** A session without an act of its person ends after half an hour: consoles stand in rooms with patients. */
export const sessionIdleMsMax = 1_800_000;
/** A session ends after one long shift whatever happens. */
export const sessionAbsoluteMsMax = 43_200_000;
/** The last act is written to disk at most this often, so that reading a page does not cost an fsync each time. */
export const sessionTouchMsMin = 60_000;
/** Sessions of one account: a few workplaces; the oldest ends when another begins. */
export const sessionsPerAccountMax = 8;
/** Sessions of all accounts; the oldest ends when another begins. */
export const sessionsMax = 1_000;

/** Wrong passwords that cost nothing: people mistype. */
export const loginFailuresFreeMax = 5;
/** First wait after the free failures; doubles with each further one. */
export const loginBackOffMsMin = 5_000;
/** Longest wait: a locked-out person comes back within a coffee break, a guesser gets 96 tries a day. */
export const loginBackOffMsMax = 900_000;
/** Failures are forgotten after this time without another. */
export const loginFailureMemoryMsMax = 3_600_000;
/** Accounts and addresses whose failures are remembered, about 100 bytes each; the oldest are forgotten first. */
export const loginThrottleEntriesMax = 10_000;

/** Requests a minute and address, over all routes: a page needs a few, a wallet's history some hundred. */
export const requestsPerMinuteMax = 1_200;
/** Logins and password changes a minute and address: each costs the box a password hash. */
export const loginsPerMinuteMax = 30;
/** Transactions, challenges, mailbox readings and bindings a minute and address, each kind apart. */
export const walletActsPerMinuteMax = 120;
/** Rounds of attestation a minute and address: two for each, and the TPM behind them is slower than this anyway. */
export const attestationsPerMinuteMax = 30;
/** A candidate's answer: what waits for its TPM before it, and the TPM itself. */
export const attestationAnswerMsMax = 60_000;
/** The window of the four limits above. */
export const rateWindowMs = 60_000;
/** Addresses whose request counts are remembered; the least recently seen are forgotten first. */
export const rateAddressesMax = 10_000;
/** Transactions of wallets that wait for their block at once: half of the connections, so that consoles always get in. */
export const walletSubmitsActiveMax = 256;

/** Live consoles at once over all accounts; each holds one connection. */
export const eventStreamsMax = 128;
/** Live consoles of one session: a few open tabs. */
export const eventStreamsPerSessionMax = 6;
/** A comment is sent this often, so that proxies keep the connection and both ends notice its loss. */
export const eventHeartbeatMs = 15_000;
/** Overviews are pushed at most this often: a study of 2,000 slices changes the box 2,000 times in a minute. */
export const eventPushMsMin = 250;
/** A console that has not read what was sent for this long is cut off. */
export const eventStalledMsMax = 45_000;

/** The answer to a submitted transaction comes at the latest after this time: the wallets' contract promises it. */
export const walletSubmitMsMax = 30_000;

/** Studies in the overview, newest first. */
export const overviewStudiesMax = 100;
/** Releases and refusals in the overview, newest first. */
export const overviewReleasesMax = 100;

/** The certificate outlives the box: wallets pin its hash, so that renewing it would break every binding. */
export const certificateYears = 20;
/** Refused callers in the overview, seen last first: nobody admits more in one sitting. */
export const overviewPendingMax = 50;
/** Callers in the overview, those admitted on the console first: all of them, and the configuration's as far as it goes. */
export const overviewCallersMax = 300;
/** Objects in quarantine in the overview, newest first; as they are dealt with, older ones appear. */
export const overviewQuarantineMax = 50;
/** Studies of which the archive gave too little in the overview, newest first; as they are accepted, older ones appear. */
export const overviewIncompleteMax = 20;
/** Studies that a destination refused in the overview, for each destination, newest first. */
export const overviewSetAsideMax = 20;

/** A C-ECHO from the console is waited for this long: a person sits before it, and a request must not time out. */
export const echoMsMax = 10_000;

/** A candidate's two rounds of attestation: its TPM takes some seconds, and a person sits before the console. */
export const candidateAttestationMsMax = 25_000;
