/** The wires between a box and its TPM in somebody else's hands: what passes is kept, and can be exchanged. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Transform } from 'node:stream';
import type { FreshTpm } from './fresh-tpm.ts';

const tctiPrefix = 'swtpm:path=';

/** Where the code of a command stands (TPM 2.0 part 1, 18.5): after tag and size. */
const commandCodeOffset = 6;

export class TappedBus {
  /** Every byte both ways. */
  readonly captured: Buffer[] = [];
  /** What the box commanded. */
  readonly commands: Buffer[] = [];
  /** Codes of the commands that passed. */
  readonly commandCodes: number[] = [];
  /** What the TPM answers, as the box is to hear it. */
  alterAnswer: (answer: Buffer) => Buffer = (answer) => answer;
  /** What the box commands, as the TPM is to hear it. */
  alterCommand: (command: Buffer) => Buffer = (command) => command;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #path = '';

  static async between(t: TestContext, tpm: FreshTpm): Promise<TappedBus> {
    const bus = new TappedBus();
    t.after(() => bus.#close());
    const target = (await tpm.tcti()).replace(tctiPrefix, '');
    bus.#path = join(tpm.folder, `bus-${randomBytes(4).toString('hex')}`);
    await bus.#listen(bus.#path, target);
    await bus.#listen(`${bus.#path}.ctrl`, `${target}.ctrl`);
    return bus;
  }

  /** How a box reaches its TPM over this bus. */
  get tcti(): string {
    return tctiPrefix + this.#path;
  }

  heard(bytes: Uint8Array): boolean {
    return Buffer.concat(this.captured).includes(Buffer.from(bytes));
  }

  async #listen(path: string, target: string): Promise<void> {
    const server = createServer((client) => {
      const tpm = connect(target);
      this.#pass(client, tpm, (command) => {
        if (command.length >= commandCodeOffset + 4) {
          this.commands.push(command);
          this.commandCodes.push(command.readUInt32BE(commandCodeOffset));
        }
        return this.alterCommand(command);
      });
      this.#pass(tpm, client, (answer) => this.alterAnswer(answer));
    });
    this.#servers.push(server);
    server.listen(path);
    await once(server, 'listening');
  }

  #pass(from: Socket, to: Socket, alter: (chunk: Buffer) => Buffer): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    const wire = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.captured.push(chunk);
        done(null, alter(chunk));
      },
    });
    from.pipe(wire).pipe(to);
  }

  #close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
