/** A peer that says what it was told to say, whatever it hears. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type Command, decodeCommand } from '../../firmware/dimse/command.ts';
import { PduReader } from '../../firmware/dimse/pdu-reader.ts';

/**
 * Sends the pieces and says that nothing more comes. @returns the commands that were answered, all of them whole: short
 * ones, as those of responses are, come in one fragment.
 */
export async function converse(port: number, pieces: readonly Uint8Array[]): Promise<readonly Command[]> {
  const socket = connect({ host: '127.0.0.1', port });
  const reader = new PduReader(0xffffffff);
  const commands: Command[] = [];
  let partial = false;
  socket.on('data', (chunk: Uint8Array) => {
    reader.push(chunk);
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      assert.notEqual(event.kind, 'invalid', 'what the SCP sends is well-formed');
      if (event.kind !== 'data' || !event.fragment.command) continue;
      // Cut where a read ended.
      const isWhole = event.fragment.last && !partial;
      partial = !event.fragment.last;
      if (!isWhole) continue;
      const decoded = decodeCommand(event.fragment.bytes);
      assert(decoded.kind === 'command', 'its commands are well-formed');
      commands.push(decoded.command);
    }
  });
  // It may be cut off at any time: the SCP is in the right.
  socket.on('error', () => socket.destroy());
  const closed = once(socket, 'close');
  await Promise.race([once(socket, 'connect'), closed]);
  socket.setNoDelay(true);
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
  return commands;
}
