/** What a box does as a member of its consortium: keeps the ledger, registers its studies, releases and fetches. */
import type { Forwarding } from '../forwarding/forwarding.ts';
import type { AttestationAnswerer } from '../attesting/answerer.ts';
import { answerMembers } from '../attesting/member-exchange.ts';
import type { MemberStanding } from '../attesting/standing.ts';
import type { DiskRoom } from '../ingest/disk-room.ts';
import { Registrar, type StudySteps } from '../ingest/registrar.ts';
import { chainId } from '../ledger/index.ts';
import type { Genesis, Institution, StudyId } from '../ledger/types.ts';
import { RotatingNetwork } from '../p2p/rotating-network.ts';
import { TlsPlane } from '../p2p/tls-plane.ts';
import { Bindings } from '../patients/bindings.ts';
import type { Ledger, Network, Service, Unsubscribe } from '../ports.ts';
import { currentFirst, currentKey, currentSigner } from '../rotation/current-key.ts';
import { Disclosures } from '../release/disclosures.ts';
import { FetchJobs } from '../release/fetch-jobs.ts';
import { Grantee } from '../release/grantee.ts';
import { OpenSessions } from '../release/open-sessions.ts';
import { OpenShares } from '../release/open-shares.ts';
import { ReceiptWatch } from '../release/receipt-watch.ts';
import { ReleaseSource } from '../release/source.ts';
import { StudyReceiver } from '../release/study-receiver.ts';
import { studyIdOf } from '../studies/ledger-place.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import { LedgerStateStore } from '../store/ledger-state-store.ts';
import { Validator } from '../validator/validator.ts';
import { Governance } from '../governance/governance.ts';
import { openConsortiumDesk, type OpenConsortiumDesk } from './consortium-desk.ts';
import { attestCandidate, openAnswerer, openMemberWatch } from './attesting.ts';
import { institutionAccount } from './enrolment.ts';
import type { Foundation } from './foundation.ts';
import type { OpenForwarding } from './forwarding.ts';
import { readGenesis } from './genesis-file.ts';
import { assertGenesisFits } from './genesis-fit.ts';
import { handedInBefore } from './handed-in.ts';
import { openIntroductions } from './introductions.ts';
import { LedgerStatusBoard, type LedgerStatus } from './ledger-status.ts';
import { openLedgerDisks } from './ledger-disks.ts';
import { Members } from './members.ts';
import { verifyEd25519, verifyP256 } from './signatures.ts';
import { ReadingProgress } from './reading-progress.ts';
import { openRotation } from './rotation.ts';
import { watchStanding } from './standing.ts';
import type { Undo } from './undo.ts';
import { broughtRestartOrder } from './restart-order.ts';
import { openVoteLog } from './vote-log.ts';
import { memberKeys } from './working-keys.ts';

export interface Membership {
  readonly genesis: Genesis;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly bindings: Bindings;
  readonly disclosures: Disclosures;
  readonly grantee: Grantee;
  readonly forwarding: Forwarding;
  readonly consortium: OpenConsortiumDesk;
  /** The local patient of a fetched study, where the wallet for which it was fetched is bound here. */
  localPatientOf(studyId: StudyId): LocalPatient | undefined;
  readonly answerer: AttestationAnswerer;
  /** What was found of each other member's TPM. */
  attestations(): readonly MemberStanding[];
  ledgerStatus(): LedgerStatus;
  /** Subscribes to everything of it that the console shows. */
  changes(listener: () => void): readonly Unsubscribe[];
}

export interface MembershipModules {
  readonly foundation: Foundation;
  readonly genesisFile: string;
  readonly openForwarding: OpenForwarding;
  readonly steps: StudySteps;
  readonly room: DiskRoom;
  readonly undo: Undo;
  readonly start: (service: Service) => Promise<void>;
}

export async function openMembership(modules: MembershipModules): Promise<Membership> {
  const { foundation, genesisFile, openForwarding, steps, room, undo, start } = modules;
  const { config, keys, clock, logger, health, catalogue, index, ledgerStore, openHeaderScanner } =
    foundation;
  const self = config.institution.id;
  const genesis = await readGenesis(genesisFile);
  await assertGenesisFits(genesis, config, keys, () => handedInBefore(config));
  const chain = chainId(genesis);
  await catalogue.load((study) => studyIdOf(study, chain, self), new ReadingProgress(clock, logger));

  const voteLog = await openVoteLog(foundation, undo);
  const { blockLog, archive } = await openLedgerDisks(foundation, undo);
  // What network and signatures follow is known once the ledger is started, which is before either is used.
  const ledger: Pick<Ledger, 'state' | 'head' | 'onFinal'> = {
    state: () => validator.state(),
    head: () => validator.head(),
    onFinal: (listener) => validator.onFinal(listener),
  };
  const members = new Members(ledger);
  const directory = {
    members: () => members.members(),
    onMembersChange: (listener: () => void) => members.onMembersChange(listener),
  };
  const transaction = currentSigner({ held: keys.transaction, purpose: 'transaction', self, ledger });
  const transport = { held: keys.transport, purpose: 'transport', self, ledger } as const;
  const network = new RotatingNetwork({
    self,
    chain,
    transportSeeds: () => currentFirst(transport).map(({ seed }) => seed),
    listen: config.p2p.listen,
    ...directory,
    clock,
    logger,
  });
  const plane = new TlsPlane({
    self,
    chain,
    transportSeed: () => currentKey(transport).seed,
    listen: { host: config.plane.host, port: config.plane.port },
    ...directory,
    clock,
    logger,
  });
  const validator: Validator = new Validator({
    genesis,
    self,
    keys: memberKeys(keys, transaction),
    network,
    blockLog,
    archive,
    voteLog,
    state: new LedgerStateStore(ledgerStore),
    handovers: ledgerStore,
    ...(await broughtRestartOrder({ config, health, logger })),
    verify: verifyEd25519,
    verifyIdentity: verifyP256,
    clock,
    logger: logger.child({ room: 'validator' }),
    health,
  });
  const ledgerStatus = new LedgerStatusBoard(validator, clock, logger);
  undo.later(ledgerStatus.start());
  const bindings = new Bindings({ store: index, institution: self, chain, verify: verifyEd25519, clock });
  await bindings.load();
  const disclosures = new Disclosures(index, clock);
  await disclosures.load();
  const jobs = new FetchJobs(index);
  await jobs.load();

  const release = logger.child({ room: 'release' });
  const own = openRotation({
    ...foundation,
    self,
    ledger: validator,
    hasSettled: () => members.members().length === 1 || network.hasSettled(),
    logger: logger.child({ room: 'rotation' }),
  });
  const common = { self, ledger: own.ledger, network, catalogue, disclosures, clock, logger: release };
  const forwarding = await openForwarding((account) => bindings.ofAccount(account)?.patient);
  const answerer = openAnswerer(foundation, validator);
  const watch = await openMemberWatch({ foundation, genesis, ledger: validator, network });
  const sessions = new OpenSessions(index);
  await sessions.load();
  const source = new ReleaseSource({
    ...common,
    suspends: (member) => watch.suspendsAsker(member),
    sessions,
    shares: new OpenShares(),
    signer: transaction,
    verify: verifyEd25519,
    health,
  });
  const receipts = new ReceiptWatch({ ...common, sessions, health });
  const grantee = new Grantee({
    ...common,
    account: institutionAccount(config, keys),
    openPlane: (member, signal) => plane.open(member, signal),
    jobs,
    receiver: new StudyReceiver({
      catalogue,
      openHeaderScanner,
      clock,
      keepRoom: (bytes) => room.begin(bytes),
    }),
    onKept: (_study, job) => forwarding.enqueue(job.studyId, job.patientAccount),
  });
  undo.later(plane.serve((request) => source.serve(request)));
  const registrar = new Registrar({
    catalogue,
    ledger: own.ledger,
    chain,
    institution: self,
    signer: transaction,
    walletOf: (patient) => bindings.ofPatient(patient),
    timing: config.study,
    steps,
    clock,
    logger: logger.child({ room: 'ingest' }),
    health,
  });
  // The ledger first: it knows who may connect.
  await start(validator);
  undo.later(members.start());
  undo.later(watchStanding(validator, self, keys, health));
  for (const service of [network, plane, source, receipts, registrar, grantee, own.rotation])
    await start(service);
  await start(openIntroductions({ ...foundation, self, ledger, network, members }, undo));
  undo.later(answerMembers(network, answerer));
  await start(watch);
  const governance = new Governance({
    self,
    ledger: own.ledger,
    signer: transaction,
    store: index,
    clock,
    logger: logger.child({ room: 'governance' }),
    health,
  });
  const attestOverHttps = (candidate: Institution, signal: AbortSignal) =>
    attestCandidate(
      { ledger: validator, genesis, self, now: clock.now(), provenTpms: watch.provenTpms() },
      candidate,
      signal,
    );
  const consortium = await openConsortiumDesk(
    { self, ledger: validator, governance, rotation: own, attest: attestOverHttps, clock },
    start,
  );
  return {
    genesis,
    ledger: validator,
    network,
    bindings,
    disclosures,
    grantee,
    forwarding,
    consortium,
    answerer,
    attestations: () => watch.list(),
    localPatientOf: (studyId) => {
      const account = jobs.ofStudy(studyId)?.patientAccount ?? undefined;
      return account && bindings.ofAccount(account)?.patient;
    },
    ledgerStatus: () => ledgerStatus.status(),
    changes: (listener) => [
      validator.onFinal(listener),
      network.onPeerChange(listener),
      disclosures.onChange(listener),
      consortium.onChange(listener),
      watch.onChange(listener),
    ],
  };
}
