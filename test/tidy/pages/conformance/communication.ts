/** N.6: associations, PDUs, negotiation, times, configuration, character sets. */
import { uids, reject } from '../../../../firmware/dimse/index.ts';
import { encodings } from '../../../../firmware/dimse/character-set.ts';
import * as limits from '../../../../firmware/dimse/limits.ts';
import { keysOf, rootSchema } from '../configuration-page.ts';
import { allLimits } from '../limits-page.ts';
import { code, duration, number, table } from './markdown.ts';

const rejections: Readonly<Record<keyof typeof reject, string>> = {
  noReason: 'The maximum PDU length that the caller sets leaves no room for data.',
  applicationContext: 'Another application context than that of DICOM.',
  callingAeTitle:
    'Not in the access list, or not from this address, or without the certificate that is asked for.',
  calledAeTitle: 'Not an AE title of this box, or not one by which this caller may call.',
  protocolVersion: 'A protocol version without bit 0.',
  temporaryCongestion: 'The disk is full and the caller would only store; or admission failed.',
  localLimit: 'Too many associations, of all callers or of this address.',
};

const rejectionTable = table(
  ['Result', 'Source', 'Reason', 'When'],
  Object.entries(reject).map(([name, { result, source, reason }]) => [
    result === 2 ? '2, transient' : '1, permanent',
    String(source),
    String(reason),
    rejections[name as keyof typeof reject],
  ]),
);

/** Those of the DICOM room that a peer can notice, with their reasons. */
async function peerLimits(): Promise<string> {
  const rows = (await allLimits()).filter(
    ({ room, name }) => room === 'firmware/dimse' && !/^(header|deflatedHeader|inflated)/.test(name),
  );
  return table(
    ['Limit', 'Value', 'Reason'],
    rows.map(({ name, value, reason }) => [
      name,
      /Ms(Max|Min)?$/.test(name) ? duration(Number(value)) : number(Number(value)),
      reason,
    ]),
  );
}

function configurationKeys(): string {
  const rows = keysOf(rootSchema).filter(({ path }) =>
    /^(dicom|destinations|pacs|sidecar|procedureSteps|study|storage)\b/.test(path),
  );
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

const ports = table(
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

const characterSets = [...encodings.keys()]
  .map((term) => (/^\d/.test(term) ? `ISO_IR ${term}` : term))
  .join(', ');

export const communication = async (): Promise<string> => `## N.6 Network communication details

### N.6.1 Association policies

${table(
  ['', 'Acceptor', 'Requestor'],
  [
    ['Application context', code(uids.applicationContextName), 'the same'],
    [
      'Associations at once',
      `${limits.associationsMax}, of one address ${limits.associationsPerAddressMax}`,
      'one to each destination; one more for each C-MOVE, commitment result and C-ECHO',
    ],
    ['Maximum PDU length that is announced', number(limits.pduBytesMax), number(limits.pduBytesMax)],
    ['Asynchronous operations', 'answered 1 invoked, 1 performed', 'not proposed'],
    [
      'SCP/SCU role selection',
      'answered with what is both proposed and served',
      'proposed for commitment results and C-GET',
    ],
    ['SOP class extended negotiation', 'answered for Query/Retrieve (N.5.4)', 'not proposed'],
    [
      'User identity',
      'user name, passcode, Kerberos, SAML and JWT are carried to the admission as they came; none is verified, and no response is given',
      'not proposed',
    ],
    ['Implementation Class UID', code(uids.implementationClassUid), 'the same'],
    ['Implementation Version Name', code(uids.implementationVersionName), 'the same'],
  ],
)}

The state machine is that of PS3.8 table 9-10. Any legal fragmentation is accepted: several PDVs in a PDU, one PDV in several PDUs, fragments of one byte. A peer that breaks the upper layer protocol gets an A-ABORT with source 2 and the reason of PS3.8 table 9-26; one that breaks the message protocol, or keeps the box waiting, gets an A-ABORT with source 0. Data in a presentation context that was not accepted ends the association.

One operation is performed at a time: a request that comes while another runs waits for its end.

### N.6.2 Rejection of associations

${rejectionTable}

Who is rejected for its AE title, address or certificate is seen on the console, where an administrator can admit it.

### N.6.3 Presentation contexts

A presentation context is answered with

${table(
  ['Result', 'When'],
  [
    [
      '0, acceptance',
      'The SOP class is served, the caller is permitted it in one of the roles that it proposes, and one of the transfer syntaxes can be read (for storage: any).',
    ],
    ['1, user rejection', 'The caller lacks the permission, or proposes no role that is served.'],
    ['3, abstract syntax not supported', 'The SOP class is not served.'],
    ['4, transfer syntaxes not supported', 'None of the transfer syntaxes can be read.'],
  ],
)}

Of several transfer syntaxes in one context the first that fits is taken: a modality that wants its objects kept compressed proposes that syntax first, or in a context of its own.

### N.6.4 Times and sizes

${await peerLimits()}

### N.6.5 Configuration

Ports, for the firewall:

${ports}

The parameters of DICOM ([configuration.md](configuration.md) has the form of each value):

${configurationKeys()}

### N.6.6 Character sets

Objects are kept in whatever character set they are written. Read for queries, the catalogue and the console are ${characterSets}, with code extensions by ISO 2022 escape sequences. Identifiers of queries may be in any of these. Answers are in the character set of the identifier, or in ISO_IR 192 (UTF-8) where that cannot hold them.
`;
