/**
 * The rooms of Hilum and what each may import: this table is the written rule, and rooms.test.ts holds it.
 *
 * Direction: pure rooms import themselves and a listed few pure libraries; driving rooms import pure rooms and the
 * ports; adapters import ports and pure rooms, never each other; the console imports the HTTP contract; main.ts
 * with box/ alone joins all. Widening a row is a decision about the architecture: say why in the commit.
 */

export interface Room {
  readonly name: string;
  /** A folder (ends in `/`) or a single file. The longest match owns a file. */
  readonly path: string;
  /** Pure rooms know no Node, no clock, no I/O. Everything in them runs in a browser as it is. */
  readonly pure: boolean;
  /** Rooms that may be imported by value (and so for types too). */
  readonly imports: readonly string[];
  /** Rooms of which types may be imported, and nothing else. */
  readonly types: readonly string[];
  /** npm packages, as named in package.json. */
  readonly packages: readonly string[];
  /** The one file that other rooms may import; any if there is none. */
  readonly surface?: string | undefined;
}

type Row = Omit<Room, 'name' | 'path' | 'pure' | 'types'> & { readonly types?: readonly string[] };

const row =
  (pure: boolean) =>
  (name: string, path: string, { imports, types = [], packages, surface }: Row): Room => ({
    name,
    path,
    pure,
    imports,
    types,
    packages,
    surface,
  });
const pure = row(true);
const node = row(false);

const noble = ['@noble/ciphers', '@noble/curves', '@noble/hashes'];
const pureRooms = ['errors', 'encoding', 'protocol', 'ledger', 'consensus', 'handover', 'restart'];

export const rooms: readonly Room[] = [
  // Pure: `encoding` is below all; the ledger knows nothing of consensus, and neither knows DICOM.
  pure('errors', 'firmware/src/errors.ts', { imports: [], packages: [] }),
  // SHA-256 and its HMAC, by what the platform has: package.json chooses under the name #sha256.
  node('sha256', 'firmware/src/sha256/', { imports: [], packages: ['@noble/hashes'] }),
  pure('encoding', 'firmware/src/encoding/', {
    imports: ['errors'],
    packages: ['#sha256', '@ipld/dag-cbor', 'cborg'],
  }),
  pure('protocol', 'firmware/src/protocol/', {
    imports: ['errors', 'encoding'],
    types: ['ledger'],
    packages: [...noble, '@hpke/core'],
  }),
  pure('ledger', 'firmware/src/ledger/', { imports: ['errors', 'encoding'], packages: noble }),
  pure('consensus', 'firmware/src/consensus/', {
    imports: ['errors', 'encoding'],
    types: ['ledger'],
    packages: noble,
  }),
  // From epoch to epoch: what the last block of one proves together with the signatures on it.
  pure('restart', 'firmware/src/restart/', {
    imports: ['encoding', 'consensus'],
    types: ['ledger'],
    packages: [],
  }),
  pure('handover', 'firmware/src/handover/', {
    imports: ['errors', 'encoding', 'ledger', 'consensus'],
    packages: [],
  }),
  // Structures of the TPM as bytes: what makes them and what judges them both read them by these.
  pure('tpm wire', 'firmware/tpm/wire/', { imports: ['encoding'], packages: [] }),
  // Whether another box is what it says: pure, so that a browser judges by itself.
  pure('attestation', 'firmware/src/attestation/', {
    imports: ['errors', 'encoding', 'ledger', 'tpm wire'],
    packages: [...noble, '@peculiar/x509', 'reflect-metadata'],
  }),
  pure('retry', 'firmware/src/retry/', { imports: [], packages: [] }),
  // What the DICOM port, the access list, the configuration and the console all name.
  pure('permissions', 'firmware/src/access/permissions.ts', { imports: [], packages: [] }),
  pure('wallet', 'firmware/wallet/', { imports: pureRooms, packages: [...noble, '@hpke/core', 'typebox'] }),

  // What the rooms ask of each other: types only.
  pure('ports-dicom', 'firmware/src/ports-dicom.ts', { imports: [], packages: [] }),
  pure('ports', 'firmware/src/ports.ts', {
    imports: [],
    types: ['errors', 'encoding', 'ledger', 'consensus', 'ports-dicom'],
    packages: [],
  }),

  // Driving rooms. `studies` is what a box keeps of a study; those that work on studies stand on it.
  node('config', 'firmware/src/config.ts', {
    imports: ['errors', 'permissions', 'config fields', 'config DICOM'],
    packages: ['typebox'],
  }),
  pure('config fields', 'firmware/src/config-fields.ts', { imports: [], packages: ['typebox'] }),
  pure('config DICOM', 'firmware/src/config-dicom.ts', {
    imports: ['permissions', 'config fields'],
    packages: ['typebox'],
  }),
  node('validator', 'firmware/src/validator/', { imports: pureRooms, types: ['ports'], packages: [] }),
  node('studies', 'firmware/src/studies/', { imports: pureRooms, types: ['ports'], packages: [] }),
  node('access', 'firmware/src/access/', {
    imports: [...pureRooms, 'permissions'],
    types: ['ports'],
    packages: [],
  }),
  node('ingest', 'firmware/src/ingest/', {
    imports: [...pureRooms, 'studies'],
    types: ['ports'],
    packages: [],
  }),
  node('workflow', 'firmware/src/workflow/', {
    imports: [...pureRooms, 'retry', 'studies'],
    types: ['ports'],
    packages: [],
  }),
  // What lies in the hospital's archive: known by reference, pulled when a release needs it.
  node('sidecar', 'firmware/src/sidecar/', {
    imports: [...pureRooms, 'retry', 'studies'],
    types: ['ports'],
    packages: [],
  }),
  node('patients', 'firmware/src/patients/', {
    imports: [...pureRooms, 'studies'],
    types: ['ports'],
    packages: [],
  }),
  node('release', 'firmware/src/release/', {
    imports: [...pureRooms, 'retry', 'studies'],
    types: ['ports'],
    packages: [],
  }),
  // Members and candidates ask each other's TPMs; whether the answers are good, `attestation` judges.
  node('attesting', 'firmware/src/attesting/', {
    imports: [...pureRooms, 'attestation', 'tpm wire'],
    types: ['ports'],
    packages: [],
  }),
  node('forwarding', 'firmware/src/forwarding/', {
    imports: [...pureRooms, 'retry', 'studies'],
    types: ['ports'],
    packages: [],
  }),
  // What this member says in its consortium: proposals, votes, what its offline root signed.
  node('governance', 'firmware/src/governance/', { imports: pureRooms, types: ['ports'], packages: [] }),
  // Which keys this box signs and connects with, and when others take their places.
  node('rotation', 'firmware/src/rotation/', { imports: pureRooms, types: ['ports'], packages: [] }),
  node('query', 'firmware/src/query/', {
    imports: [...pureRooms, 'studies'],
    types: ['ports'],
    packages: [],
  }),

  // Adapters.
  node('store', 'firmware/src/store/', { imports: pureRooms, types: ['ports'], packages: ['classic-level'] }),
  node('p2p', 'firmware/src/p2p/', {
    imports: pureRooms,
    types: ['ports'],
    packages: [
      '@libp2p/crypto',
      '@libp2p/identify',
      '@libp2p/interface',
      '@libp2p/peer-id',
      '@libp2p/tcp',
      '@libp2p/tls',
      '@libp2p/yamux',
      '@multiformats/multiaddr',
      '@peculiar/x509',
      'libp2p',
      'reflect-metadata',
    ],
  }),
  node('http', 'firmware/src/http/', {
    imports: [...pureRooms, 'attestation', 'wallet contract'],
    types: ['ports'],
    packages: [
      '@fastify/cookie',
      '@fastify/rate-limit',
      '@fastify/static',
      '@fastify/type-provider-typebox',
      '@peculiar/x509',
      'fastify',
      'reflect-metadata',
      'typebox',
    ],
  }),
  node('dimse', 'firmware/dimse/', {
    imports: ['errors', 'encoding', 'permissions'],
    types: ['ports'],
    packages: [],
  }),
  // Part of the DICOM room, of which it knows the layout of elements; nothing in that room knows it.
  node('transcoding', 'firmware/dimse/transcoding/', {
    imports: ['errors', 'encoding', 'dimse'],
    types: ['ports'],
    packages: ['dcmjs-codecs'],
  }),
  node('tpm', 'firmware/tpm/', {
    imports: ['errors', 'encoding', 'tpm wire'],
    types: ['ports'],
    packages: ['@hpke/core', '@noble/curves', '@noble/hashes', 'koffi', 'typebox'],
    // To be published by itself: what it gives is what it exports there.
    surface: 'firmware/tpm/index.ts',
  }),

  // The two HTTP contracts are what a server shares with a browser.
  pure('wallet contract', 'firmware/wallet/http-contract.ts', {
    imports: ['protocol', 'wallet limits'],
    packages: ['typebox'],
  }),
  pure('wallet limits', 'firmware/wallet/limits.ts', { imports: ['protocol'], packages: [] }),
  pure('console contract', 'firmware/src/http/contract.ts', {
    imports: ['console DICOM contract', 'console consortium contract'],
    packages: ['typebox'],
  }),
  pure('console consortium contract', 'firmware/src/http/consortium-contract.ts', {
    imports: [],
    packages: ['typebox'],
  }),
  pure('console DICOM contract', 'firmware/src/http/dicom-contract.ts', {
    imports: ['permissions'],
    packages: ['typebox'],
  }),
  node('console', 'firmware/console/', {
    imports: ['console contract', 'console DICOM contract', 'console consortium contract'],
    packages: ['preact'],
  }),
  node('console build', 'firmware/console/build.ts', { imports: [], packages: ['esbuild'] }),

  // The only composition root: `box` joins the rooms into one box, main.ts is its command line.
  node('box', 'firmware/src/box/', {
    imports: [
      ...pureRooms,
      'access',
      'attestation',
      'attesting',
      'config',
      'console contract',
      'console DICOM contract',
      'console consortium contract',
      'dimse',
      'forwarding',
      'governance',
      'http',
      'ingest',
      'p2p',
      'patients',
      'permissions',
      'query',
      'release',
      'rotation',
      'store',
      'studies',
      'tpm',
      'transcoding',
      'validator',
      'sidecar',
      // A box that was away follows the ledger like a wallet to find the members again.
      'wallet',
      'wallet limits',
      'workflow',
    ],
    types: ['ports'],
    packages: ['pino'],
  }),
  node('main', 'firmware/src/main.ts', { imports: ['errors', 'config', 'box'], packages: ['commander'] }),

  // Around the firmware.
  pure('node options', 'provisioning/node-options.ts', { imports: [], packages: [] }),
  node('wallet command', 'provisioning/wallet/', {
    imports: ['errors', 'encoding', 'wallet', 'wallet contract', 'wallet limits'],
    packages: ['commander'],
  }),
  // On a machine in no network: it makes and uses the keys of a hospital's offline root.
  node('offline root', 'provisioning/root/', {
    imports: ['errors', 'encoding', 'ledger', 'restart'],
    packages: ['commander'],
  }),
  // It does what a field engineer does, from outside: files, processes, ports.
  node('demonstration', 'provisioning/demo/', {
    imports: ['node options'],
    types: ['config', 'wallet', 'console contract'],
    packages: ['commander'],
  }),
  node('set-up', 'provisioning/setup/', { imports: ['console build'], packages: [] }),
];
