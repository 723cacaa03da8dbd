/** The side-car, composed: the hospital's archive stays first, and what it holds is registered by reference. */
import { archiveScu, availabilityService, type DimseService } from '../../dimse/index.ts';
import { AppError } from '../errors.ts';
import { isOpen, isTimeZone } from '../forwarding/time-window.ts';
import type { Ledger, Service, Unsubscribe } from '../ports.ts';
import { Announcements } from '../sidecar/announcements.ts';
import { Backfill, type BackfillPlan, type BackfillProgress } from '../sidecar/backfill.ts';
import type { Accepted, IncompleteStudy } from '../sidecar/incomplete-studies.ts';
import { Pulls } from '../sidecar/pulls.ts';
import { Referencing } from '../sidecar/referencing.ts';
import { peerNamed } from './destinations.ts';
import type { Foundation } from './foundation.ts';

export interface Sidecar {
  /** AE title of the archive. */
  readonly archive: string;
  readonly services: readonly DimseService[];
  progress(): BackfillProgress | undefined;
  /** Studies that wait for the archive or are coming from it. */
  pulling(): number;
  /** Studies of which the archive gave less than it had listed, and that nobody accepted; newest first. */
  incomplete(): readonly IncompleteStudy[];
  /** As what they are, by an administrator. */
  acceptIncomplete(studyRef: string, account: string): Promise<Accepted>;
  onChange(listener: () => void): Unsubscribe;
  /** Once this box takes what the archive sends. */
  start(): Promise<void>;
}

type Sources = Pick<
  Foundation,
  'config' | 'catalogue' | 'clock' | 'health' | 'index' | 'logger' | 'certificates'
>;

/** Undefined without a `sidecar` in the configuration. @throws AppError CONFIG_INVALID. */
export function openSidecar(
  foundation: Sources,
  ledger: Ledger,
  start: (service: Service) => Promise<void>,
): Sidecar | undefined {
  const { config, catalogue, clock, health, index: store } = foundation;
  if (config.sidecar === undefined) return undefined;
  const peer = peerNamed(config.sidecar.archive, foundation);
  if (peer === undefined) {
    throw new AppError(
      'CONFIG_INVALID',
      `Configuration: sidecar.archive names no destination: "${config.sidecar.archive}".`,
    );
  }
  const archive = archiveScu(peer, config.dicom.aeTitle);
  const logger = foundation.logger.child({ room: 'sidecar' });
  const referencing = new Referencing({ archive, catalogue, clock });
  const common = { archive, referencing, catalogue, ledger, store, clock, logger, health };
  const announcements = new Announcements(common);
  const pulls = new Pulls({ ...common, silenceMsMax: config.sidecar.pullSilenceMsMax });
  const plan = planOf(config.sidecar.backfill);
  const backfill = plan && new Backfill({ ...common, plan });
  return {
    start: async () => {
      for (const service of [announcements, pulls, backfill]) if (service !== undefined) await start(service);
    },
    archive: archive.aeTitle,
    services: [
      availabilityService(({ callingAeTitle, studyInstanceUid }) =>
        announcements.take(callingAeTitle, studyInstanceUid),
      ),
    ],
    progress: () => backfill?.progress(),
    pulling: () => pulls.count,
    incomplete: () => pulls.incomplete.list(),
    acceptIncomplete: (studyRef, account) => pulls.incomplete.accept(studyRef, account),
    onChange: (listener) => {
      const unsubscribes = [pulls.onChange(listener), backfill?.onChange(listener)];
      return () => {
        for (const unsubscribe of unsubscribes) unsubscribe?.();
      };
    },
  };
}

type ConfiguredBackfill = NonNullable<NonNullable<Foundation['config']['sidecar']>['backfill']>;

function planOf(backfill: ConfiguredBackfill | undefined): BackfillPlan | undefined {
  if (backfill === undefined) return undefined;
  const { from, to, studiesPerMinute, windows, timeZone } = backfill;
  if (!isTimeZone(timeZone))
    throw new AppError('CONFIG_INVALID', 'Configuration: sidecar.backfill names no known time zone.');
  if (to !== undefined && to < from)
    throw new AppError('CONFIG_INVALID', 'Configuration: sidecar.backfill ends before it begins.');
  return { from, to, studiesPerMinute, isOpen: (now) => isOpen(windows, timeZone, now) };
}
