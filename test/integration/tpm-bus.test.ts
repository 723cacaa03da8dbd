/** What a listener between the box and its TPM learns: no secret. Every byte both ways passes a recorder. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openDeviceKeys } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

/** A bus that is tapped: sockets of its own, whose traffic it passes on and keeps. */
class TappedBus {
  readonly captured: Buffer[] = [];
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  async listen(path: string, target: string): Promise<void> {
    const server = createServer((client) => {
      const tpm = connect(target);
      for (const [from, to] of [
        [client, tpm],
        [tpm, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (chunk: Buffer) => this.captured.push(chunk));
        from.on('error', () => to.destroy());
        from.pipe(to);
      }
    });
    this.#servers.push(server);
    server.listen(path);
    await once(server, 'listening');
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function tapped(t: TestContext, tpm: FreshTpm): Promise<{ bus: TappedBus; tcti: string }> {
  const bus = new TappedBus();
  t.after(() => bus.close());
  const target = (await tpm.tcti()).replace('swtpm:path=', '');
  const path = join(tpm.folder, 'bus');
  await bus.listen(path, target);
  await bus.listen(`${path}.ctrl`, `${target}.ctrl`);
  return { bus, tcti: `swtpm:path=${path}` };
}

test('neither making nor opening the keys shows a secret on the bus', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { bus, tcti } = await tapped(t, tpm);
  const { keysFile, logger } = tpm;
  const open = { tcti, keysFile, institutionId: 'north', logger, onRecoveryCode: () => undefined };
  await (await openDeviceKeys(open)).stop();
  const keys = await openDeviceKeys(open);
  await keys.stop();

  const traffic = Buffer.concat(bus.captured);
  const heard = (bytes: Uint8Array): boolean => traffic.includes(Buffer.from(bytes));
  // The tap hears everything: the identity key's public point crosses it in clear.
  assert.ok(heard(keys.identityPublicKey.slice(1, 33)));
  const transport = keys.transport.signer(keys.transport.held()[0] ?? assert.fail()) ?? assert.fail();
  for (const secret of [keys.boxKey, keys.accountSeed, transport.seed]) {
    assert.ok(!heard(secret));
    // Nor in parts, should a transport cut it.
    for (let from = 0; from + 8 <= secret.length; from += 8) {
      assert.ok(!heard(secret.slice(from, from + 8)));
    }
  }
});
