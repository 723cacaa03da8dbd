/** Boxes of the test consortium behind real HTTPS ports with certificates of their own. */
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import * as x509 from '@peculiar/x509';
import type { BoxAnswer, BoxEndpoint, BoxRequest } from '../../firmware/wallet/wallet-ports.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

async function selfSigned(): Promise<{
  readonly key: string;
  readonly cert: string;
  readonly sha256: string;
}> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: algorithm,
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    cert: certificate.toString('pem'),
    sha256: createHash('sha256').update(new Uint8Array(certificate.rawData)).digest('hex'),
  };
}

export interface WalletServer extends BoxEndpoint, AsyncDisposable {
  /** Requests that reached it. */
  readonly seen: readonly string[];
}

/** Serves what `answer` says. A string is sent as it is, anything else as JSON. */
export async function serveWallets(
  answer: (request: BoxRequest) => Promise<BoxAnswer> | BoxAnswer,
): Promise<WalletServer> {
  const { key, cert, sha256 } = await selfSigned();
  const seen: string[] = [];
  const server: Server = createServer({ key, cert }, (request, response) => {
    const { method, url = '' } = request;
    seen.push(`${method} ${url}`);
    const respond = async () => {
      const body: unknown = method === 'POST' ? await json(request) : undefined;
      const given = await answer({ method: method === 'POST' ? 'POST' : 'GET', path: url, body });
      response.writeHead(given.status, { 'content-type': 'application/json' });
      response.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body));
    };
    respond().catch((cause: unknown) => response.destroy(cause as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `https://127.0.0.1:${port}`,
    certificateSha256: sha256,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
