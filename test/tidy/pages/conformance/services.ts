/** N.5: each service, with its attributes and keys. */
import * as dimseLimits from '../../../../firmware/dimse/limits.ts';
import { status, statusText } from '../../../../firmware/dimse/index.ts';
import { targetsOf, codecOf } from '../../../../firmware/dimse/transcoding/ways.ts';
import * as forwardingLimits from '../../../../firmware/src/forwarding/limits.ts';
import {
  imageAttributes,
  patientAttributes,
  seriesAttributes,
  studyAttributes,
  uniqueKey,
  type Attribute,
} from '../../../../firmware/src/query/attributes.ts';
import * as workflowLimits from '../../../../firmware/src/workflow/limits.ts';
import { code, duration, number, table } from './markdown.ts';
import { attributeName, dicomNames, transferSyntaxName } from './names.ts';

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

/** Of the template's services those that a gateway for images does not have. */
const notOffered = 'Not offered.';

export const services = (): string => `## N.5 Service and interoperability description

### N.5.1 Mapping of services to application entities

There is one application entity, and it has every service below.

### N.5.2 DIMSE services

**Verification.** SCP: every C-ECHO of a caller that may associate is answered 0x0000, also when the disk is full. SCU: from the console, to any caller whose address is configured and to any destination.

#### N.5.2.1 Basic Worklist Management

${notOffered}

#### N.5.2.2 Modality Performed Procedure Step

**SCP**, N-CREATE and N-SET. Attributes are kept as they come; required of them is Performed Procedure Step Status (0040,0252). N-GET is not offered.

**SCU**: every message that was taken is sent on to the department system of \`procedureSteps\`, in order and tried until it answers: byte for byte where that takes its transfer syntax, else encoded anew with the same content.

#### N.5.2.3 Unified Worklist and Procedure Step

${notOffered}

#### N.5.2.4 Instance Availability Notification

**SCP**, for a side-car: the archive tells of studies that it has, and the box asks it for them (N.5.2.7.2) and registers them by reference.

**SCU**: destinations with \`notify\` are told of a complete study, at most ${number(forwardingLimits.instancesPerNotificationMax)} instances in one notification, availability ONLINE, Retrieve AE Title that of the box.

#### N.5.2.5 Storage

##### N.5.2.5.1 SCU of the storage SOP classes

Objects go out as they are kept. The exception are studies that were fetched from another hospital: Patient ID (0010,0020) and Issuer of Patient ID (0010,0021) are replaced by the receiving hospital's own, and what was replaced goes into the Original Attributes Sequence (0400,0561). The kept object is never changed.

Each kind of object is proposed in its kept transfer syntax in a presentation context of its own. Where there is a way that loses nothing, a second context proposes what it can be brought into:

${transcoding()}

What is not listed is sent as kept or not at all. What was compressed with loss is decompressed at most, which takes nothing more from it; nothing is ever compressed with loss.

Of a C-MOVE's sub-operations, Move Originator Application Entity Title (0000,1030) and Message ID (0000,1031) are sent.

##### N.5.2.5.2 SCP of the storage SOP classes

The first transfer syntax that a presentation context proposes is accepted, whichever it is: the box keeps any, so the choice is the modality's. The data set is kept bit for bit. It is read as far as its identifying attributes reach (up to Instance Number), not changed, and not validated against its IOD.

Level of conformance: 2 (full), for all elements, private ones too. Digital signatures are kept as part of the data set and not verified.

**Objects whose UID is taken.** The same bytes: success, without a second copy. The same pixels and other attributes, from a caller that may correct (\`mayCorrect\`): a new version, and the earlier one is kept; at most eight within a day. Everything else: both are kept, the new one in quarantine, with an alarm. Nothing is overwritten.

**More than one patient under one Study Instance UID**: each patient has a study of its own, with an alarm.

#### N.5.2.6 Storage Commitment Push Model

**SCP.** A request names any number of instances, in one data set of at most ${number(dimseLimits.identifierBytesMax)} bytes.

The result is sent on an association that the box opens to where the access list says that the requestor is reached, with the SCP role proposed, in Implicit VR Little Endian. It is tried for ${duration(workflowLimits.commitmentReportMsMax)}. An instance that the box does not hold, or that lies in quarantine, fails with ${code(statusText(status.noSuchSopInstance))}, one that is held under another SOP class with \`0x0119\`. A committed instance stays as long as its study: the box deletes nothing by itself.

**SCU.** Of a destination with \`commitment\`, commitment is asked for ${number(forwardingLimits.instancesPerCommitmentMax)} instances at a time when a study is complete and sent. The result is taken on the same association or on one that the destination opens (it then needs the permission \`commitment\`). What fails is sent again; a result that stays out for ${duration(forwardingLimits.commitmentAnswerMsMax)} is asked for again; after ${forwardingLimits.commitmentFailuresMax} denials the objects are set aside, with an alarm.

#### N.5.2.7 Query/Retrieve

##### N.5.2.7.1 SCP

Patient Root and Study Root, by C-FIND, C-MOVE and C-GET, over what the box holds. Extended negotiation: relational queries and retrievals are supported; combined date-time matching too, for C-FIND; fuzzy matching of names, timezone adjustment and enhanced multi-frame conversion are not, and are answered 0.

${matchingKeys()}

Keys are matched at the level that is asked and those above it. Several values of a key are alternatives. \`*\` and \`?\` are wildcards; \`*\` alone matches everything. Returned besides: ${['00080005', '00080054', '00080056'].map(attributeName).join(', ')}.

C-MOVE sends to the destinations of the configuration only, never to an address that a caller names. C-GET sends on the association itself, for which the caller proposes the storage SOP classes with the SCP role.

##### N.5.2.7.2 SCU

As a side-car the box asks the archive by Study Root C-FIND for the studies of each day and their series and instances, and by C-MOVE (to itself) for a study that a release needs. Keys that are sent: Study Date or Study Instance UID, then Series Instance UID; all others are asked for without a value. The rate and the times of day are configured.

#### N.5.2.8 Print Management

${notOffered}

### N.5.3 DICOM web services

${notOffered}

### N.5.4 Media services

${notOffered}

### N.5.5 Real-time video

${notOffered}

### N.5.6 Considerations across services

A study is complete when nothing came for \`study.quietMs\`, at the latest after \`study.forcedMs\`, and earlier where performed procedure steps name all of its objects and have ended. Commitment of destinations and notifications of availability follow; objects that come later reopen the study, and both are done again for them. What is in quarantine is neither committed, nor found, nor sent.

### N.5.7 Specific character sets

Objects are kept in whatever character set they are written. Identifiers of queries may be in any of those of N.1.7. Answers are in the character set of the identifier, or in ISO_IR 192 (UTF-8) where that cannot hold them.
`;
