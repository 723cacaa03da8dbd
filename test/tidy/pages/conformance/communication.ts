/** N.7.1 and N.7.2: associations, PDUs, negotiation, times, and the sequence of what happens. */
import { uids, reject } from '../../../../firmware/dimse/index.ts';
import * as limits from '../../../../firmware/dimse/limits.ts';
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

const initiated = table(
  ['Activity', 'SOP class', 'Transfer syntaxes', 'Role', 'Extended negotiation'],
  [
    ['C-ECHO from the console', 'Verification', 'Implicit VR Little Endian', 'SCU', 'none'],
    [
      'forwarding; sub-operations of a C-MOVE',
      'the Storage SOP class of each object',
      'that in which it is kept; in a second context those of N.5.2.5.1',
      'SCU',
      'none',
    ],
    [
      'after a study is complete',
      'Storage Commitment Push Model',
      'Implicit VR Little Endian',
      'SCU',
      'none',
    ],
    [
      'result of a commitment',
      'Storage Commitment Push Model',
      'Implicit VR Little Endian',
      'SCP, by role selection',
      'none',
    ],
    [
      'after a study is complete',
      'Instance Availability Notification',
      'Implicit VR Little Endian',
      'SCU',
      'none',
    ],
    [
      'procedure step sent on',
      'Modality Performed Procedure Step',
      'that of the modality; in a second context Implicit VR Little Endian',
      'SCU',
      'none',
    ],
    [
      'side-car',
      'Study Root Query/Retrieve: FIND, MOVE',
      'Explicit or Implicit VR Little Endian',
      'SCU',
      'none',
    ],
  ],
);

export const communication = async (): Promise<string> => `## N.7 Network and media communication details

### N.7.1 General

#### N.7.1.1 General association parameters

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
    ['SOP class extended negotiation', 'answered for Query/Retrieve (N.5.2.7)', 'not proposed'],
    ['User identity', 'taken, see N.8.5', 'not proposed'],
    ['Implementation Class UID', code(uids.implementationClassUid), 'the same'],
    ['Implementation Version Name', code(uids.implementationVersionName), 'the same'],
  ],
)}

The state machine is that of PS3.8 table 9-10. Any legal fragmentation is accepted: several PDVs in a PDU, commands and data sets over any number of PDUs, fragments of one byte. A peer that breaks the upper layer protocol gets an A-ABORT with source 2 and the reason of PS3.8 table 9-26; one that breaks the message protocol, or keeps the box waiting, gets an A-ABORT with source 0. Data in a presentation context that was not accepted ends the association.

#### N.7.1.2 Times and sizes

${await peerLimits()}

### N.7.2 Specifications

#### N.7.2.1 The Hilum application entity

##### N.7.2.1.1 Sequencing of real-world activities

1. **Reception.** A C-STORE is answered 0x0000 when the object and its record are on the disk and the disk has said so (fsync). Anything else is answered with a failure, and the modality keeps its copy.
2. **Forwarding** of an object begins as soon as it is on the disk. It waits neither for the rest of the study nor for ledger or network, and a destination that fails holds up neither reception nor another destination.
3. **Completion.** A study is complete when nothing came for \`study.quietMs\`, at the latest after \`study.forcedMs\`, and earlier where performed procedure steps name all of its objects and have ended. Objects that come later reopen it.
4. **After completion**: storage commitment is asked of the destinations, and they are notified of the instances' availability, as configured.
5. **A commitment that a modality asks for** is on the disk before its N-ACTION is answered; the result goes out on an association that the box opens, and is tried until it is taken.

##### N.7.2.1.2 Association parameters

Those of N.7.1. One operation is performed at a time: a request that comes while another runs waits for its end.

##### N.7.2.1.3 Association initiation

${initiated}

##### N.7.2.1.4 Association acceptance

SOP classes: N.1.2. An association is rejected with

${rejectionTable}

Who is rejected for its AE title, address or certificate is seen on the console, where an administrator can admit it.

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
`;
