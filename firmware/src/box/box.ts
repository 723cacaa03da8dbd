/** One box: opened in order, stopped in reverse. Reception is up whether or not the ledger is. */
import { newestCheckpoint } from './checkpoint.ts';
import { fileURLToPath } from 'node:url';
import { commitmentResultService, DicomServer, digestPixels } from '../../dimse/index.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { BoxView } from '../http/box-view.ts';
import type { Forwarding } from '../forwarding/forwarding.ts';
import { ConsoleServer, type FirstLogin } from '../http/console-server.ts';
import { DiskRoom } from '../ingest/disk-room.ts';
import { Keeper } from '../ingest/keeper.ts';
import { openWithRoom } from '../ingest/roomy-sink.ts';
import type { Service } from '../ports.ts';
import { toStudyId } from '../ledger/index.ts';
import { fromHex } from '../encoding/bytes.ts';
import { openAnswerer } from './attesting.ts';
import { AwakeProcessors } from './awake-processors.ts';
import { accessListOf, admitBy } from './dicom-access.ts';
import { admitWithRoom } from './disk-admission.ts';
import { closedConsortiumDesk } from './consortium-desk.ts';
import { dicomDesk } from './dicom-desk.ts';
import { serveTls } from './dicom-tls.ts';
import { DiskSpace } from './disk-space.ts';
import { openFoundation } from './foundation.ts';
import { forwardingOpener } from './forwarding.ts';
import { openMembership, type Membership, type MembershipModules } from './membership.ts';
import { overviewOf, type OverviewSources } from './overview.ts';
import { openLog } from './pino-log.ts';
import { openQuery } from './query.ts';
import { QuickAck } from './quick-ack.ts';
import { ReadingProgress } from './reading-progress.ts';
import { openSidecar } from './sidecar.ts';
import { spareSpace } from './spare-space.ts';
import { systemClock } from './system-clock.ts';
import { TpmWatch } from './tpm-watch.ts';
import { Undo } from './undo.ts';
import { openWorkflow } from './workflow.ts';
import { closedWalletDesk, walletDesk } from './wallet-desk.ts';

export interface BoxEvents {
  /** Shown once to the person in front of the box, kept nowhere. */
  readonly onFirstAdministrator: (login: FirstLogin) => void;
}

/** Where the set-up puts the console's pages. */
const consoleDistDir = fileURLToPath(new URL('../../console/dist', import.meta.url));

export class Box {
  readonly #undo: Undo;
  /** One line for whoever started it: where it is reached, and the certificate that a browser will show. */
  readonly readyLine: string;

  private constructor(undo: Undo, readyLine: string) {
    this.#undo = undo;
    this.readyLine = readyLine;
  }

  /** @throws AppError naming what is wrong; whatever was opened is closed again. */
  static async open(config: Config, events: BoxEvents): Promise<Box> {
    const undo = new Undo();
    try {
      return new Box(undo, await assemble(config, events, undo));
    } catch (error) {
      await undo.run();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#undo.run();
  }
}

async function assemble(config: Config, events: BoxEvents, undo: Undo): Promise<string> {
  const logger = openLog(config);
  const startedAt = systemClock.now();
  const foundation = await openFoundation(config, systemClock, logger, undo);
  const start = async (service: Service): Promise<void> => {
    undo.later(() => service.stop());
    await service.start();
  };

  const disk = new DiskSpace({ ...foundation, folder: config.dataDir, marks: config.storage });
  const room = new DiskRoom(disk, config.storage);
  await start(disk);
  await start(new QuickAck({ ...foundation, networks: config.dicom.modalityNetworks }));
  const processors = new AwakeProcessors({ ...foundation, isWanted: config.dicom.awakeProcessors });
  await start(processors);
  const access = accessListOf(foundation);
  await start(access);
  const workflow = await openWorkflow(foundation, access);
  const { steps } = workflow;
  const openForwarding = forwardingOpener(foundation, steps, undo, start);
  const { membership, forwarding } = await openStudies({
    foundation,
    openForwarding,
    steps,
    room,
    undo,
    start,
  });
  await workflow.start(start);
  await start(spareSpace({ ...foundation, disk, logger: logger.child({ room: 'store' }) }));
  const keeper = new Keeper({
    ...foundation,
    disk: room,
    digestPixels,
    logger: logger.child({ room: 'ingest' }),
  });
  const sidecar = membership && openSidecar(foundation, membership.ledger, start);
  const services = [
    ...workflow.services,
    ...(sidecar?.services ?? []),
    commitmentResultService((result) => forwarding.takeCommitment(result)),
    ...(await openQuery(foundation, membership, start)),
  ];
  const server = new DicomServer({
    host: config.dicom.host,
    port: config.dicom.port,
    // The access list decides on both, and remembers whom it refused.
    aeTitles: 'any',
    callingAeTitles: 'any',
    admit: admitWithRoom(room, admitBy(access, services)),
    store: (request) => {
      processors.needed();
      return openWithRoom(room, () => keeper.receive(request, () => access.mayCorrect(request)));
    },
    services,
    clock: systemClock,
    logger: logger.child({ room: 'dimse' }),
    ...(config.dicom.tls !== undefined && { tlsPort: config.dicom.tls.port }),
  });
  await start(server);
  await serveTls(foundation.certificates, server, undo);
  await sidecar?.start();

  const answerer = membership?.answerer ?? openAnswerer(foundation, undefined);
  const console = new ConsoleServer(
    { ...config.console, consoleDistDir },
    {
      store: foundation.index,
      clock: systemClock,
      logger: logger.child({ room: 'http' }),
      box: boxView(
        { foundation, membership, forwarding, access, workflow, sidecar, disk, startedAt },
        keeper,
      ),
      wallet:
        membership === undefined
          ? closedWalletDesk()
          : walletDesk({ ...foundation, ...membership, institution: config.institution.id }),
      answerStranger: (request, stranger) => answerer.answer({ stranger }, request),
      onFirstAdministrator: events.onFirstAdministrator,
    },
  );
  await start(console);
  await start(new TpmWatch(foundation));
  logger.info({ membership: membership === undefined ? 'none' : 'member' }, 'the box is up');
  return (
    `Hilum is up: console https://${config.console.host}:${console.port} ` +
    `(certificate SHA-256 ${console.certificateSha256}), ` +
    `DICOM ${config.dicom.aeTitle} at ${config.dicom.host}:${config.dicom.port}`
  );
}

/** The studies, and what is done with them: forwarding in any case, the rest as a member. */
async function openStudies(
  modules: Omit<MembershipModules, 'genesisFile'>,
): Promise<{ readonly membership: Membership | undefined; readonly forwarding: Forwarding }> {
  const { foundation, openForwarding } = modules;
  const { genesisFile } = foundation.config;
  if (genesisFile !== undefined) {
    const membership = await openMembership({ ...modules, genesisFile });
    return { membership, forwarding: membership.forwarding };
  }
  await foundation.catalogue.load(() => undefined, new ReadingProgress(foundation.clock, foundation.logger));
  return { membership: undefined, forwarding: await openForwarding(() => undefined) };
}

function boxView(sources: OverviewSources, keeper: Keeper): BoxView {
  const { foundation, membership, forwarding, access, sidecar } = sources;
  const { certificates, config, health, catalogue, keys, quarantine } = foundation;
  return {
    institution: config.institution,
    overview: () => overviewOf(sources),
    onChange: (listener) => {
      const unsubscribes = [
        health.onChange(listener),
        catalogue.onChange(listener),
        forwarding.onChange(listener),
        access.onChange(listener),
        ...(certificates === undefined ? [] : [certificates.onChange(listener)]),
        quarantine.onChange(listener),
        keys.onHealthChange(listener),
        ...(membership === undefined ? [] : membership.changes(listener)),
        ...(sidecar === undefined ? [] : [sidecar.onChange(listener)]),
      ];
      return () => {
        for (const unsubscribe of unsubscribes) unsubscribe();
      };
    },
    dicom: dicomDesk({ ...foundation, access, forwarding, keeper, sidecar }),
    consortium: membership?.consortium ?? closedConsortiumDesk(),
    createTicket: async (patient) => {
      const ticket = membership?.bindings.createTicket({ ...patient, issuer: patient.issuer ?? '' });
      if (membership === undefined || ticket === undefined) {
        return { kind: 'refused', reason: 'This hospital is not a member of a consortium yet.' };
      }
      if ('refused' in ticket) return { kind: 'refused', reason: ticket.refused };
      const { ledger, genesis } = membership;
      const { chain } = ledger.state();
      const origin = `https://${config.console.host}:${config.console.port}`;
      const checkpoint = await newestCheckpoint(ledger, genesis);
      return {
        kind: 'created',
        ticket: { institution: config.institution.id, origin, genesis: chain, checkpoint, ...ticket },
      };
    },
    requestStudy: async ({ source, studyId }) => {
      if (membership === undefined)
        throw new AppError('NOT_ADMITTED', 'This box can ask nobody for a study.');
      return membership.grantee.ask(source, toStudyId(fromHex(studyId)));
    },
  };
}
