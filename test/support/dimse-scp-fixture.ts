/** Storage SCPs and raw peers for one test file; whatever was started is stopped after each test. */
import { afterEach } from 'node:test';
import type { DicomServer } from '../../firmware/dimse/index.ts';
import { type associateRequest, makeScp, type MemoryStore, RawPeer } from './dimse-peer.ts';

/** Things that must be stopped after the test, in the order of their start. */
export const running: { readonly stop: () => unknown }[] = [];

afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

export async function started(
  store: MemoryStore,
  change: Parameters<typeof makeScp>[1] = {},
): Promise<DicomServer> {
  const scp = makeScp(store.store, change);
  await scp.start();
  running.push(scp);
  return scp;
}

export function closing(peer: RawPeer): RawPeer {
  running.push({ stop: () => peer.close() });
  return peer;
}

export async function associated(
  scp: DicomServer,
  change: Parameters<typeof associateRequest>[0] = {},
): Promise<RawPeer> {
  return closing(await RawPeer.associate(scp.port, change));
}

/** An A-ABORT as RawPeer reports it. */
export function abort(source: number, reason: number): object {
  return { kind: 'abort', abort: { source, reason } };
}
