/** What people are shown of forwarding. No patient data: studies are named by the folder that holds them. */

/** How far one study has come at one destination. */
export interface DeliveryStatus {
  readonly destination: string;
  readonly aeTitle: string;
  /** `failed`: objects of it are tried again, or are set aside. */
  readonly state: 'waiting' | 'delivered' | 'failed';
  /** UTC milliseconds. */
  readonly at: number;
}

export interface DestinationStatus {
  readonly name: string;
  readonly aeTitle: string;
  /** `held back`: paused by the configuration, or outside its hours. `failing`: it takes nothing at the moment. */
  readonly state: 'ready' | 'held back' | 'failing';
  /** Of a failing one: since when, UTC milliseconds, and what it said. */
  readonly failing?: { readonly since: number; readonly reason: string };
  readonly waiting: { readonly studies: number; readonly objects: number };
  readonly setAside: number;
}

export interface ObjectsSetAside {
  readonly destination: string;
  readonly studyRef: string;
  readonly objects: number;
  readonly reason: string;
  readonly at: number;
}
