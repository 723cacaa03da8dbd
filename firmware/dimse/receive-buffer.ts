/**
 * Reads an accepted socket into a buffer that is used again for each read. node:net gives every read 64 KiB of its own;
 * V8 lets some 64 MB of them pile up before it collects, and making and collecting them costs more than the reading
 * itself: half of the processor time of a reception (docs/adr/0013-one-receive-buffer.md).
 *
 * node:net has this for sockets that connect (`onread`), but not for those that a server accepts, so that the handle is
 * taken over into a socket that was made with it. The two names that are not in Node's documentation (`_handle`, and
 * `handle` as an option) stand here and nowhere else; Node is pinned, and test/unit/dimse-receive-buffer.test.ts fails
 * if a newer one does not know them.
 */
import assert from 'node:assert/strict';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { receiveBufferBytes, receiveBufferBytesAtFirst } from './limits.ts';

interface WithHandle {
  _handle: object | null;
}

/**
 * The same connection as another socket, which emits 'data' with views of its buffer: they are overwritten by the next
 * read, which begins when the listeners have returned without `pause()`, or with `resume()`.
 * @param accepted paused, of a server with `pauseOnConnect`, so that nothing of it was read; it is not to be used again.
 */
export function readingIntoOneBuffer(accepted: Socket): Socket {
  const husk = accepted as unknown as WithHandle;
  const handle = husk._handle;
  assert(handle !== null && typeof handle === 'object', 'an accepted socket has a handle');
  husk._handle = null;
  // Lets its server forget it; the connection itself lives on.
  accepted.destroy();
  // Who only connects and says nothing costs little.
  let buffer = new Uint8Array(receiveBufferBytesAtFirst);
  const options: SocketConstructorOpts = {
    handle: handle as NonNullable<SocketConstructorOpts['handle']>,
    onread: {
      buffer: () => buffer,
      callback: (length, bytes) => {
        const filled = length === bytes.length;
        socket.emit('data', bytes.subarray(0, length));
        if (filled && buffer.length < receiveBufferBytes) buffer = new Uint8Array(receiveBufferBytes);
        return true;
      },
    },
  };
  const socket: Socket = new Socket(options);
  return socket;
}
