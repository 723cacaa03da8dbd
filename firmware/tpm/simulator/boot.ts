/**
 * The part of a machine's boot firmware: raw commands (TPM 2.0 part 1, section 18) on swtpm's own socket, before and
 * after Hilum uses the TPM. Password authorization with the empty value, as the PCRs have it.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { concatBytes, u16, u32, u8 } from '../../src/encoding/bytes.ts';
import { algorithm, commandCode, reservedHandle, startupType, structureTag } from '../wire/constants.ts';
import { WireReader } from '../wire/reader.ts';

/** tag, size, code. */
const headerBytes = 10;

function command(tag: number, code: number, body: Uint8Array): Uint8Array {
  return concatBytes(u16(tag), u32(headerBytes + body.length), u32(code), body);
}

const emptyPassword = concatBytes(u32(reservedHandle.password), u16(0), u8(0), u16(0));

/** TPM2_PCR_Extend (part 3, 22.2) of the SHA-256 bank. */
export function pcrExtendCommand(register: number, digest: Uint8Array): Uint8Array {
  return command(
    structureTag.sessions,
    commandCode.pcrExtend,
    concatBytes(
      u32(register),
      u32(emptyPassword.length),
      emptyPassword,
      u32(1),
      u16(algorithm.sha256),
      digest,
    ),
  );
}

/**
 * TPM2_HierarchyChangeAuth (part 3, 24.8) of the platform, which has an empty authorization after each start. A machine's
 * firmware sets one that nobody learns before it hands over: who runs later must not be the platform.
 */
export function closePlatformCommand(authorization: Uint8Array): Uint8Array {
  return command(
    structureTag.sessions,
    commandCode.hierarchyChangeAuth,
    concatBytes(
      u32(reservedHandle.platform),
      u32(emptyPassword.length),
      emptyPassword,
      u16(authorization.length),
      authorization,
    ),
  );
}

/** TPM2_Shutdown (part 3, 9.4). */
export function shutdownCommand(): Uint8Array {
  return command(structureTag.noSessions, commandCode.shutdown, u16(startupType.clear));
}

async function readResponse(socket: Socket): Promise<Uint8Array> {
  let received = new Uint8Array(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    received = new Uint8Array(concatBytes(received, chunk as Uint8Array));
    if (received.length < headerBytes) continue;
    const size = new DataView(received.buffer).getUint32(2);
    if (received.length >= size) return received;
  }
  throw new Error('swtpm closed the connection');
}

/** Sends the commands one after the other. @throws Error if there is no connection, no success, or no answer in time. */
export async function sendCommands(
  socketPath: string,
  commands: readonly Uint8Array[],
  timeoutMs: number,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const socket = connect({ path: socketPath, signal });
  try {
    await once(socket, 'connect');
    for (const bytes of commands) {
      socket.write(bytes);
      const reader = new WireReader(await readResponse(socket));
      reader.bytes(headerBytes - 4); // tag and size
      const code = reader.u32();
      if (code !== 0) throw new Error(`swtpm answered 0x${code.toString(16)}`);
    }
  } finally {
    socket.destroy();
  }
}
