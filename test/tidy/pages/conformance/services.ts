/** N.5: each service, with its attributes, keys and statuses. */
import { status, statusText } from '../../../../firmware/dimse/index.ts';
import * as dimseLimits from '../../../../firmware/dimse/limits.ts';
import { targetsOf, codecOf } from '../../../../firmware/dimse/transcoding/ways.ts';
import { errorTable, type ErrorCode } from '../../../../firmware/src/errors.ts';
import * as forwardingLimits from '../../../../firmware/src/forwarding/limits.ts';
import { verdictOf } from '../../../../firmware/src/forwarding/store-verdict.ts';
import {
  imageAttributes,
  patientAttributes,
  seriesAttributes,
  studyAttributes,
  uniqueKey,
  type Attribute,
} from '../../../../firmware/src/query/attributes.ts';
import * as queryLimits from '../../../../firmware/src/query/limits.ts';
import { retryFirstMs, retryLongestMs } from '../../../../firmware/src/retry/limits.ts';
import * as workflowLimits from '../../../../firmware/src/workflow/limits.ts';
import { code, duration, number, table } from './markdown.ts';
import { attributeName, dicomNames, transferSyntaxName } from './names.ts';

/** Rows of status and meaning, in the order of the statuses. */
function statuses(rows: readonly (readonly [status: number, meaning: string])[]): string {
  return table(
    ['Status', 'When'],
    [...rows].sort(([a], [b]) => a - b).map(([value, meaning]) => [code(statusText(value)), meaning]),
  );
}

/** What an error of the table is answered with. */
const failed = (error: ErrorCode, meaning: string): readonly [number, string] => [
  errorTable[error].dimse,
  meaning,
];

const storeStatuses = statuses([
  [status.success, 'Kept, and on the disk. Also: the same bytes are held under this UID already.'],
  [status.success, 'Kept in quarantine, because another object is held under its UID.'],
  [status.processingFailure, 'The box failed in a way that it did not foresee. The object is not kept.'],
  [status.invalidSopInstance, 'The request names no valid SOP Instance UID. Not kept.'],
  [status.sopClassNotSupported, 'The request names no storage SOP class. Not kept.'],
  [status.notAuthorized, 'The context was accepted for the sub-operations of a C-GET only. Not kept.'],
  failed('STORE_FAILED', 'The disk is full, or failed. Not kept; the next try may succeed.'),
  failed(
    'DISK_LOW',
    'The disk has no room for it, or for the copy of it that would go into quarantine. Not kept; the next try may succeed.',
  ),
  failed(
    'BUSY',
    'Too many objects with overlong headers arrive at once. Not kept; the next try may succeed.',
  ),
  failed('STUDY_FULL', 'The study has as many objects or bytes as it can have. Not kept.'),
  failed('QUARANTINE_FULL', 'It belongs into quarantine, which is full. Not kept.'),
  failed(
    'OBJECT_MISMATCH',
    'The data set lacks its study, series or instance UID, or contradicts its request. Kept in quarantine, if there is room.',
  ),
  failed('OBJECT_UNREADABLE', 'The data set cannot be parsed. Kept in quarantine, if there is room.'),
  [status.cannotUnderstand, 'A C-STORE without a data set. Nothing to keep.'],
]);

type Attributes = Readonly<Record<string, Pick<Attribute<never>, 'vr'>>>;

function matchingKeys(): string {
  const byLevel: readonly (readonly [string, Attributes])[] = [
    ['PATIENT', patientAttributes],
    ['STUDY', studyAttributes],
    ['SERIES', seriesAttributes],
    ['IMAGE', imageAttributes],
  ];
  const unique = new Set(Object.values(uniqueKey));
  const matching: Readonly<Record<string, string>> = {
    AE: 'single, wildcard',
    CS: 'single, wildcard',
    DA: 'single, range',
    IS: 'single',
    LO: 'single, wildcard',
    PN: 'single, wildcard; case does not count',
    SH: 'single, wildcard',
    TM: 'single, range',
    UI: 'list of UIDs',
  };
  return table(
    ['Level', 'Attribute', 'VR', 'Key', 'Matching (besides universal)'],
    byLevel.flatMap(([level, attributes]) =>
      Object.entries(attributes).map(([tag, { vr }]) => [
        level,
        attributeName(tag),
        vr,
        unique.has(tag) ? 'unique' : 'optional',
        matching[vr] ?? '',
      ]),
    ),
  );
}

const findStatuses = statuses([
  [status.success, 'No more matches.'],
  [status.pending, 'A match; every key of the identifier is supported.'],
  [status.pendingWithUnsupportedKeys, 'A match; keys that are not in the table above were left out.'],
  [status.notAuthorized, 'The caller lacks the permission `query`.'],
  [
    status.outOfResources,
    `More than ${number(queryLimits.matchesMax)} matches; so many were sent. Or: the identifier is longer than there is room for.`,
  ],
  [status.identifierMismatch, 'The identifier lacks its level or a unique key that must be there.'],
  [status.cannotUnderstand, 'The value of a key cannot be read, or the identifier cannot.'],
  [status.cancelled, 'Ended by C-CANCEL.'],
]);

const retrieveStatuses = statuses([
  [status.success, 'Every object was sent and taken.'],
  [status.pending, 'An object was tried; the numbers of sub-operations follow.'],
  [status.notAuthorized, 'The caller lacks the permission `retrieve`.'],
  [status.matchesRefused, `More than ${number(dimseLimits.retrieveObjectsMax)} objects.`],
  [
    status.subOperationsRefused,
    `No object could be sent; or ${dimseLimits.retrievalsMax} retrievals are under way already.`,
  ],
  [status.moveDestinationUnknown, 'C-MOVE: no destination of the configuration has this AE title.'],
  [status.identifierMismatch, 'The identifier lacks its level or the UIDs that it must have.'],
  [status.subOperationsIncomplete, 'Some objects were not sent or not taken; their UIDs follow.'],
  [status.cannotUnderstand, 'The identifier cannot be read.'],
  [status.cancelled, 'Ended by C-CANCEL.'],
]);

const commitmentStatuses = statuses([
  [status.success, 'Taken, and on the disk; the result follows by N-EVENT-REPORT.'],
  [
    status.processingFailure,
    'Another request of this requestor waits under the same Transaction UID. The same request again is a success.',
  ],
  [status.noSuchSopInstance, 'Not the well-known SOP instance.'],
  [status.invalidArgumentValue, 'No valid Transaction UID, or no references with their UIDs.'],
  [status.noSuchAction, 'Another Action Type ID than 1.'],
  [status.notAuthorized, 'The caller lacks the permission `commitment`.'],
  [
    status.resourceLimitation,
    `More than ${number(workflowLimits.commitmentsWaitingMax)} commitments wait to be reported.`,
  ],
]);

const stepStatuses = statuses([
  [status.success, 'Taken, and on the disk.'],
  [status.invalidAttributeValue, 'Performed Procedure Step Status (0040,0252) is none that may be here.'],
  [status.processingFailure, 'The step has ended: Error ID (0000,0903) is A710.'],
  [status.duplicateSopInstance, 'N-CREATE of a step that exists.'],
  [status.noSuchSopInstance, 'N-SET of a step that is not known.'],
  [status.invalidSopInstance, 'No valid SOP Instance UID.'],
  [status.missingAttribute, 'No data set, or no Performed Procedure Step Status.'],
  [status.notAuthorized, 'The caller lacks the permission `procedure-step`.'],
  [status.resourceLimitation, 'More steps, or messages to be sent on, than there is room for.'],
]);

const availabilityStatuses = statuses([
  [status.success, 'Taken, and on the disk.'],
  [status.missingAttribute, 'A required attribute is missing; the Error Comment names it.'],
  [status.notAuthorized, 'The caller lacks the permission `availability`.'],
]);

/** Representatives of what a destination may answer, and what becomes of the object. */
function storeAnswers(): string {
  const verdicts = {
    stored: 'Stored. The object is done with.',
    refused: `The object is at fault: it is set aside with the status as its reason, seen on the console and sent again from there.`,
    later: `The destination is at fault: tried again after ${duration(retryFirstMs)}, then twice as long each time, up to ${duration(retryLongestMs)}. After ${forwardingLimits.objectTriesMax} tries, while the destination takes others, the object is set aside.`,
  } as const;
  const answers: readonly (readonly [name: string, example: number])[] = [
    ['`0x0000`', 0x0000],
    ['`0xBxxx`', 0xb000],
    ['`0xA9xx`', 0xa900],
    ['`0xCxxx`', 0xc000],
    ['`0x0106`, `0x0111`, `0x0112`, `0x0117` to `0x0122`', 0x0117],
    ['`0xA7xx`', 0xa700],
    ['`0x0124` and any other', 0x0124],
  ];
  return table(
    ['C-STORE-RSP', 'What the box does'],
    answers.map(([name, example]) => [name, verdicts[verdictOf(example)]]),
  );
}

function transcoding(): string {
  const kept = dicomNames.transferSyntaxes.map(([uid]) => uid).filter((uid) => targetsOf(uid).length > 0);
  return table(
    ['Kept in', 'Also offered, the first that the peer takes', 'By'],
    kept.map((uid) => [
      transferSyntaxName(uid),
      targetsOf(uid).map(transferSyntaxName).join('; '),
      codecOf(uid) !== undefined
        ? 'decoding the frames'
        : `writing the elements anew${targetsOf(uid).some(codecOf) ? ', encoding the frames without loss' : ''}`,
    ]),
  );
}

export const services = (): string => `## N.5 Services and interoperability

Each service answers what it does not know with ${code(statusText(status.unrecognizedOperation))} (unrecognized operation), a failure of the box with ${code(statusText(status.processingFailure))} or the status of [errors.md](errors.md), and a data set that is longer than there is room for with ${code(statusText(status.resourceLimitation))} (N-services) or ${code(statusText(status.outOfResources))} (C-services). The tables below have the rest.

### N.5.1 Verification

SCP: every C-ECHO of a caller that may associate is answered 0x0000, also when the disk is full. SCU: from the console, to any caller whose address is configured and to any destination.

### N.5.2 Storage as SCP

The first transfer syntax that a presentation context proposes is accepted, whichever it is: the box keeps any, so the choice is the modality's. The data set is kept bit for bit. It is read as far as its identifying attributes reach (up to Instance Number), not changed, and not validated against its IOD.

${storeStatuses}

The Error Comment (0000,0902) is the code of [errors.md](errors.md), or says why the object lies in quarantine. Level of conformance: 2 (full), for all elements, private ones too. Digital signatures are kept as part of the data set and not verified.

**Objects whose UID is taken.** The same bytes: success, without a second copy. The same pixels and other attributes, from a caller that may correct (\`mayCorrect\`): a new version, and the earlier one is kept; at most eight within a day. Everything else: both are kept, the new one in quarantine, with an alarm. Nothing is overwritten.

**More than one patient under one Study Instance UID**: each patient has a study of its own, with an alarm.

### N.5.3 Storage as SCU

Objects go out as they are kept. The exception are studies that were fetched from another hospital: Patient ID (0010,0020) and Issuer of Patient ID (0010,0021) are replaced by the receiving hospital's own, and what was replaced goes into the Original Attributes Sequence (0400,0561). The kept object is never changed.

${storeAnswers()}

Each kind of object is proposed in its kept transfer syntax in a presentation context of its own. Where there is a way that loses nothing, a second context proposes what it can be brought into:

${transcoding()}

What is not listed is sent as kept or not at all. What was compressed with loss is decompressed at most, which takes nothing more from it; nothing is ever compressed with loss.

Of a C-MOVE's sub-operations, Move Originator Application Entity Title (0000,1030) and Message ID (0000,1031) are sent.

### N.5.4 Query/Retrieve as SCP

Patient Root and Study Root, by C-FIND, C-MOVE and C-GET, over what the box holds. Extended negotiation: relational queries and retrievals are supported; combined date-time matching too, for C-FIND; fuzzy matching of names, timezone adjustment and enhanced multi-frame conversion are not, and are answered 0.

${matchingKeys()}

Keys are matched at the level that is asked and those above it. Several values of a key are alternatives. \`*\` and \`?\` are wildcards; \`*\` alone matches everything. Returned besides: ${['00080005', '00080054', '00080056'].map(attributeName).join(', ')}.

C-FIND:

${findStatuses}

C-MOVE and C-GET. C-MOVE sends to the destinations of the configuration only, never to an address that a caller names. C-GET sends on the association itself, for which the caller proposes the storage SOP classes with the SCP role.

${retrieveStatuses}

### N.5.5 Query/Retrieve as SCU

As a side-car the box asks the archive by Study Root C-FIND for the studies of each day and their series and instances, and by C-MOVE (to itself) for a study that a release needs. Keys that are sent: Study Date or Study Instance UID, then Series Instance UID; all others are asked for without a value. The rate and the times of day are configured.

### N.5.6 Storage Commitment Push Model

**SCP.** A request names any number of instances, in one data set of at most ${number(dimseLimits.identifierBytesMax)} bytes.

${commitmentStatuses}

The result is sent on an association that the box opens to where the access list says that the requestor is reached, with the SCP role proposed, in Implicit VR Little Endian. It is tried for ${duration(workflowLimits.commitmentReportMsMax)}. An instance that the box does not hold, or that lies in quarantine, fails with ${code(statusText(status.noSuchSopInstance))}, one that is held under another SOP class with \`0x0119\`. A committed instance stays as long as its study: the box deletes nothing by itself.

**SCU.** Of a destination with \`commitment\`, commitment is asked for ${number(forwardingLimits.instancesPerCommitmentMax)} instances at a time when a study is complete and sent. The result is taken on the same association or on one that the destination opens (it then needs the permission \`commitment\`). What fails is sent again; a result that stays out for ${duration(forwardingLimits.commitmentAnswerMsMax)} is asked for again; after ${forwardingLimits.commitmentFailuresMax} denials the objects are set aside, with an alarm.

### N.5.7 Modality Performed Procedure Step

**SCP**, N-CREATE and N-SET. Attributes are kept as they come; required of them is Performed Procedure Step Status (0040,0252). N-GET is not offered.

${stepStatuses}

**SCU**: every message that was taken is sent on to the department system of \`procedureSteps\`, unchanged and in order, and tried until it answers.

### N.5.8 Instance Availability Notification

**SCP**, for a side-car: the archive tells of studies that it has, and the box asks it for them (N.5.5) and registers them by reference.

${availabilityStatuses}

**SCU**: destinations with \`notify\` are told of a complete study, at most ${number(forwardingLimits.instancesPerNotificationMax)} instances in one notification, availability ONLINE, Retrieve AE Title that of the box.
`;
