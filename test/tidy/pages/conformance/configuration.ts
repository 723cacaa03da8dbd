/** N.6: what of a box's configuration concerns DICOM; and the ports, which N.8.3 lists. */
import { keysOf, rootSchema } from '../configuration-page.ts';
import { code, table } from './markdown.ts';

/** The keys below these parts of the configuration. */
function keysBelow(...parts: readonly string[]): string {
  const rows = keysOf(rootSchema).filter(({ path }) => parts.includes(/^\w+/.exec(path)?.[0] ?? ''));
  return table(
    ['Key', 'Default', 'Meaning'],
    rows.map(({ path, schema, required }) => [
      code(path),
      schema.default === undefined
        ? required
          ? '**required**'
          : 'absent'
        : code(JSON.stringify(schema.default)),
      schema.description ?? '',
    ]),
  );
}

/** The default of a key, as it stands in the configuration: a number, or a multiaddr that ends in one. */
const port = (path: string): string => {
  const byDefault = keysOf(rootSchema).find((key) => key.path === path)?.schema.default;
  return /\d+(?="?$)/.exec(JSON.stringify(byDefault) ?? '')?.[0] ?? 'as configured';
};

/** For the firewall. */
export const ports = table(
  ['Port (default)', 'From', 'What'],
  [
    [`${port('dicom.port')}/tcp in`, 'modalities, workstations, PACS', 'DICOM'],
    [`${port('dicom.tls.port')}/tcp in`, 'the same', 'DICOM over TLS, where configured'],
    [`${port('console.port')}/tcp in`, "administrators' browsers, wallets", 'console, HTTPS'],
    [`${port('p2p.listen')}/tcp in and out`, 'the other members of the consortium', 'libp2p'],
    [`${port('plane.port')}/tcp in and out`, 'the other members of the consortium', 'images, over TLS'],
    ['the DICOM ports of `destinations`, `pacs`, `procedureSteps`, `reachedAt`, out', 'the box', 'DICOM'],
  ],
);

export const configuration = (): string => `## N.6 Configuration

One file ([configuration.md](configuration.md) has the form of each value), read at the start; callers are admitted and removed on the console too, while the box runs.

### N.6.1 General configuration parameters

${keysBelow('dicom', 'storage', 'study')}

### N.6.2 Configuration of DIMSE services

#### N.6.2.2 Modality Performed Procedure Step

${keysBelow('procedureSteps')}

#### N.6.2.4 Instance Availability Notification, N.6.2.5 Storage, N.6.2.6 Storage Commitment

\`pacs\` is the short form of a destination.

${keysBelow('pacs', 'destinations')}

#### N.6.2.7 Query/Retrieve

As SCP, C-MOVE knows the destinations above. As SCU:

${keysBelow('sidecar')}

### N.6.3 DICOM web services, N.6.4 Media services, N.6.5 Real-time video, N.6.6 Audit trail

Not offered.
`;
