/**
 * Requests to each service of a box from a seed, most of them nearly right: attributes that the service reads, with values
 * that its reader may stumble over.
 */
import { type Command, commandField, encodeCommand } from '../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../firmware/dimse/data-set.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import type { DataElement, DataSet } from '../../firmware/src/ports.ts';
import { Random } from './dimse-fuzz.ts';
import { associateRequest, ctImageStorage, dataPdu, pdv, releaseRequestPdu } from './dimse-peer.ts';

interface Kind {
  readonly sopClassUid: string;
  /** Where it names an instance of its own, of which there are some. */
  readonly names?: 'affectedSopInstanceUid' | 'requestedSopInstanceUid';
  readonly command: Omit<Command, 'hasDataSet'>;
  readonly elements: readonly (readonly [tag: string, vr: string])[];
}

const commitmentElements = [
  ['00081195', 'UI'],
  ['00081199', 'SQ'],
  ['00081198', 'SQ'],
] as const;
const keys = [
  ['00080005', 'CS'],
  ['00080052', 'CS'],
  ['00080020', 'DA'],
  ['00080030', 'TM'],
  ['00080056', 'CS'],
  ['00080061', 'CS'],
  ['00100010', 'PN'],
  ['00100020', 'LO'],
  ['0020000D', 'UI'],
  ['0020000E', 'UI'],
  ['00080018', 'UI'],
  ['00200013', 'IS'],
  ['00201208', 'IS'],
] as const;
const references = [
  ['00081150', 'UI'],
  ['00081155', 'UI'],
  ['00081197', 'US'],
  ['00080056', 'CS'],
  ['00080054', 'AE'],
  ['0020000D', 'UI'],
  ['0020000E', 'UI'],
  ['00081199', 'SQ'],
] as const;
const stepElements = [
  ['00400252', 'CS'],
  ['00400270', 'SQ'],
  ['00400340', 'SQ'],
  ['00080060', 'CS'],
] as const;

const query = (sopClassUid: string, field: number): Kind => ({
  sopClassUid,
  command: {
    commandField: field,
    affectedSopClassUid: sopClassUid,
    priority: 0,
    ...(field === commandField.moveRequest && { moveDestination: 'ANYWHERE' }),
  },
  elements: keys,
});

const {
  storageCommitmentSopClass,
  storageCommitmentSopInstance,
  procedureStepSopClass,
  availabilitySopClass,
} = uids;

const kinds: readonly Kind[] = [
  query('1.2.840.10008.5.1.4.1.2.1.1', commandField.findRequest),
  query('1.2.840.10008.5.1.4.1.2.2.1', commandField.findRequest),
  query('1.2.840.10008.5.1.4.1.2.2.2', commandField.moveRequest),
  query('1.2.840.10008.5.1.4.1.2.1.3', commandField.getRequest),
  {
    sopClassUid: storageCommitmentSopClass,
    command: {
      commandField: commandField.actionRequest,
      requestedSopClassUid: storageCommitmentSopClass,
      requestedSopInstanceUid: storageCommitmentSopInstance,
      actionTypeId: 1,
    },
    elements: commitmentElements,
  },
  {
    sopClassUid: storageCommitmentSopClass,
    command: {
      commandField: commandField.eventReportRequest,
      affectedSopClassUid: storageCommitmentSopClass,
      affectedSopInstanceUid: storageCommitmentSopInstance,
      eventTypeId: 2,
    },
    elements: commitmentElements,
  },
  {
    sopClassUid: procedureStepSopClass,
    command: {
      commandField: commandField.createRequest,
      affectedSopClassUid: procedureStepSopClass,
    },
    names: 'affectedSopInstanceUid',
    elements: stepElements,
  },
  {
    sopClassUid: procedureStepSopClass,
    command: {
      commandField: commandField.setRequest,
      requestedSopClassUid: procedureStepSopClass,
    },
    names: 'requestedSopInstanceUid',
    elements: stepElements,
  },
  {
    sopClassUid: availabilitySopClass,
    command: { commandField: commandField.createRequest, affectedSopClassUid: availabilitySopClass },
    elements: [
      ['0020000D', 'UI'],
      ['00081115', 'SQ'],
    ],
  },
  {
    sopClassUid: ctImageStorage,
    command: {
      commandField: commandField.storeRequest,
      affectedSopClassUid: ctImageStorage,
      affectedSopInstanceUid: '1.2.3',
      priority: 0,
    },
    elements: [...keys, ['00080016', 'UI']],
  },
];

/** What readers may stumble over, and what they are to find. */
const values = [
  ...[
    '',
    ' ',
    '*',
    '?',
    'A*?*?*?*?*?*?B',
    '1.1',
    '1.2',
    '1.1.1',
    '1.1.1.1',
    '1.2.3',
    '1..2',
    '0',
    '-1',
    '99999999999',
  ],
  ...[
    'PATIENT',
    'STUDY',
    'SERIES',
    'IMAGE',
    'study',
    'IN PROGRESS',
    'COMPLETED',
    'DISCONTINUED',
    'ONLINE',
    'P1',
  ],
  ...[
    '20260110',
    '20260110-',
    '-20260110',
    '20261399',
    '-',
    '0915-0930',
    '19800101-20261231',
    'Lovelace^A*',
    '==',
  ],
  ...['ISO_IR 192', 'ISO 2022 IR 87', '\\ISO 2022 IR 149', 'x'.repeat(300), 'Änne=Ж=あ', '\u001b$B'],
];

/** Defined terms, and what is none: names that every object of the language has. */
const characterSets = [
  'ISO_IR 100',
  'ISO_IR 192',
  'ISO 2022 IR 100',
  'constructor',
  '__proto__',
  'ISO 2022 IR toString',
  'ISO_IR valueOf',
];

/** Padding within a value, which nothing is to read more than once. */
const longValue = `A${' '.repeat(30_000)}^${'^'.repeat(30_000)}A`;

/** What a service expects; most of the time it gets one of these. */
const expected: Readonly<Record<string, readonly string[]>> = {
  '00080005': characterSets,
  '00080052': ['PATIENT', 'STUDY', 'SERIES', 'IMAGE'],
  '00080020': ['', '20260110', '20260101-'],
  '00080030': ['', '0800-1000'],
  '00080061': ['', 'CT'],
  '00100010': ['', 'Lovelace*'],
  '00100020': ['P1'],
  '0020000D': ['1.1'],
  '0020000E': ['1.1.1'],
  '00080018': ['1.1.1.1', '1.2.3'],
  '00200013': ['', '1'],
  '00201208': [''],
  '00081195': ['1.2.3.4'],
  '00081150': [ctImageStorage],
  '00081155': ['1.2.3'],
  '00080056': ['ONLINE'],
  '00080054': ['PACS'],
  '00400252': ['IN PROGRESS', 'COMPLETED'],
};

function elementOf(random: Random, tag: string, vr: string, depth: number): DataElement {
  const right = expected[tag];
  if (right !== undefined && random.below(5) > 0) return { vr, values: [random.pick(right)] };
  if (vr !== 'SQ' && vr !== 'US' && random.below(200) === 0) return { vr, values: [longValue] };
  // At times of another VR than it should be.
  const said = random.below(30) === 0 ? random.pick(['LO', 'UN', 'SQ', 'US', 'OB']) : vr;
  if (said === 'SQ') {
    const items = Array.from({ length: random.below(depth > 3 ? 1 : 4) }, () =>
      dataSetOf(random, references, depth + 1),
    );
    return { vr: 'SQ', values: items };
  }
  if (said === 'US') return { vr: 'US', values: [String(random.below(0x10000))] };
  if (said === 'UN' || said === 'OB')
    return { vr: said, values: [Buffer.from(random.bytes(2 * random.below(20))).toString('base64')] };
  return { vr: said, values: Array.from({ length: random.below(4) }, () => random.pick(values)) };
}

function dataSetOf(random: Random, elements: Kind['elements'], depth = 0): DataSet {
  const chosen = elements.filter(() => random.below(6) > 0);
  return Object.fromEntries(
    chosen
      .map(([tag, vr]) => [tag, elementOf(random, tag, vr, depth)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const letterV = 0x76;
const sopClasses = [...new Set(kinds.map(({ sopClassUid }) => sopClassUid))];
const contextOf = (sopClassUid: string): number => 2 * sopClasses.indexOf(sopClassUid) + 1;

/** An association with some requests, in pieces. */
export function serviceCase(seed: number): readonly Uint8Array[] {
  const random = new Random(seed);
  const transferSyntax = random.pick([uids.implicitVrLittleEndian, uids.explicitVrLittleEndian]);
  const association = encodeAssociateRequest(
    associateRequest({
      callingAeTitle: random.pick(['CT_1', 'PACS']),
      contexts: sopClasses.map((abstractSyntax) => ({
        id: contextOf(abstractSyntax),
        abstractSyntax,
        transferSyntaxes: [transferSyntax],
      })),
      user: {
        roles: [
          { sopClassUid: storageCommitmentSopClass, scu: true, scp: true },
          { sopClassUid: ctImageStorage, scu: true, scp: true },
        ],
      },
    }),
  );
  const requests = Array.from({ length: 1 + random.below(4) }, (_, index) => {
    const { sopClassUid, command, elements, names } = random.pick(kinds);
    const hasDataSet = random.below(12) > 0;
    const encoded = encodeCommand({
      ...command,
      ...(names !== undefined && { [names]: `1.2.3.${random.below(200)}` }),
      messageId: index + 1,
      hasDataSet,
    });
    const contextId = contextOf(sopClassUid);
    const data = encodeDataSet(dataSetOf(random, elements), transferSyntax);
    // At times cut, or changed.
    if (random.below(10) === 0 && data.length > 0) data[random.below(data.length)] = random.below(256);
    // Letters that ISO 646 does not hold, whatever the character set says.
    if (random.below(4) === 0) data.set(data.map((byte) => (byte === letterV ? 0xe9 : byte)));
    const sent = random.below(20) === 0 ? data.subarray(0, random.below(data.length + 1)) : data;
    const parts = [pdv(contextId, 'command', true, encoded)];
    if (hasDataSet) parts.push(pdv(contextId, 'data', true, sent));
    return dataPdu(...parts);
  });
  return [association, ...requests, releaseRequestPdu];
}
