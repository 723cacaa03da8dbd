/** N.7.3: with what each service answers, and what becomes of what is answered to the box. */
import * as dimseLimits from '../../../../firmware/dimse/limits.ts';
import { status, statusText } from '../../../../firmware/dimse/index.ts';
import { errorTable, type ErrorCode } from '../../../../firmware/src/errors.ts';
import * as forwardingLimits from '../../../../firmware/src/forwarding/limits.ts';
import { verdictOf } from '../../../../firmware/src/forwarding/store-verdict.ts';
import * as queryLimits from '../../../../firmware/src/query/limits.ts';
import { retryFirstMs, retryLongestMs } from '../../../../firmware/src/retry/limits.ts';
import * as workflowLimits from '../../../../firmware/src/workflow/limits.ts';
import { code, duration, number, table } from './markdown.ts';

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

export const statusCodes = (): string => `### N.7.3 Status codes

#### N.7.3.1 General

Each service answers what it does not know with ${code(statusText(status.unrecognizedOperation))} (unrecognized operation), a failure of the box with ${code(statusText(status.processingFailure))} or the status of [errors.md](errors.md), and a data set that is longer than there is room for with ${code(statusText(status.resourceLimitation))} (N-services) or ${code(statusText(status.outOfResources))} (C-services). The tables below have the rest.

An association that cannot be had, ends before the answer, or is not answered in time is a failure of that try: what was to be sent stays queued and is tried again, and the console tells since when and why.

#### N.7.3.2 DIMSE services

##### N.7.3.2.2 Modality Performed Procedure Step

${stepStatuses}

##### N.7.3.2.4 Instance Availability Notification

${availabilityStatuses}

##### N.7.3.2.5 Storage

As SCP. The Error Comment (0000,0902) is the code of [errors.md](errors.md), or says why the object lies in quarantine.

${storeStatuses}

As SCU:

${storeAnswers()}

##### N.7.3.2.6 Storage Commitment

${commitmentStatuses}

##### N.7.3.2.7 Query/Retrieve

C-FIND:

${findStatuses}

C-MOVE and C-GET:

${retrieveStatuses}
`;
