/** Where a box sends to: what the configuration says of a PACS, archive or workstation. */
import type { StorageScu, WorkflowScu } from '../ports.ts';
import type { TimeWindow } from './time-window.ts';

export interface Destination {
  /** By which queue, console and alarms know it. Never changed, or its queue begins anew. */
  readonly name: string;
  readonly aeTitle: string;
  /** AE titles under which it sends to this box: what it sent itself is never sent back. */
  readonly sendsAs: readonly string[];
  /** Gets what modalities send, object by object. */
  readonly inline: boolean;
  /** Gets what was fetched from other institutions, under the local patient ID. */
  readonly fetched: boolean;
  /** Is told by Instance Availability Notification when a study that it was sent is complete (PS3.4, annex R). */
  readonly notify: boolean;
  /** Is asked for storage commitment of what it was sent (PS3.4, annex J). */
  readonly commitment: boolean;
  /** An admin holds it back: everything is kept and waits. */
  readonly paused: boolean;
  readonly bytesPerSecondMax: number | undefined;
  readonly windows: readonly TimeWindow[];
  readonly timeZone: string;
  readonly scu: StorageScu;
  readonly workflow: WorkflowScu;
}
