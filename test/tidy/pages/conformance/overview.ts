/** N.1 to N.4: what the box is in a DICOM network, in tables and one picture. */
import { uids } from '../../../../firmware/dimse/index.ts';
import { encodings } from '../../../../firmware/dimse/character-set.ts';
import type { Permission } from '../../../../firmware/src/access/permissions.ts';
import { code, table } from './markdown.ts';
import { dicomNames, sopClassName, transferSyntaxName } from './names.ts';
import { offeredSopClasses } from './offered.ts';

const anyone = 'whoever may associate';

/** The requests that a permission opens, as the peer sends them. */
const requests: Readonly<Record<Permission, string>> = {
  store: 'C-STORE',
  query: 'C-FIND',
  retrieve: 'C-MOVE, C-GET',
  commitment: 'N-ACTION, N-EVENT-REPORT',
  'procedure-step': 'N-CREATE, N-SET',
  availability: 'N-CREATE',
};

function acceptedServices(): string {
  const rows = offeredSopClasses.map(({ uid, role, permission }) => [
    sopClassName(uid),
    code(uid),
    role,
    requestOf(uid, role, permission),
    code(permission),
  ]);
  const verification = [
    sopClassName(uids.verificationSopClass),
    code(uids.verificationSopClass),
    'SCP',
    'C-ECHO',
    anyone,
  ];
  const storage = ['Storage: every SOP class (N.5.2.5.2)', 'N.1.1', 'SCP', requests.store, code('store')];
  return table(
    ['SOP class', 'UID', 'The box is', 'Request', 'Caller needs'],
    [verification, storage, ...rows],
  );
}

/** Of the several requests of a permission, the one of this SOP class. */
function requestOf(uid: string, role: 'SCP' | 'SCU', permission: Permission): string {
  if (permission === 'retrieve') return sopClassName(uid).endsWith('MOVE') ? 'C-MOVE' : 'C-GET';
  if (permission === 'commitment') return role === 'SCU' ? 'N-EVENT-REPORT' : 'N-ACTION';
  return requests[permission];
}

const initiated = table(
  ['Service', 'Request', 'To whom', 'Configured by'],
  [
    ['Verification', 'C-ECHO', 'a caller or destination, when an administrator asks', 'console'],
    [
      'Storage',
      'C-STORE',
      'destinations of forwarding; the destination of a C-MOVE',
      '`destinations`, `pacs`',
    ],
    ['Storage Commitment Push Model, SCU', 'N-ACTION', 'destinations', '`destinations[].commitment`'],
    [
      'Storage Commitment Push Model, SCP',
      'N-EVENT-REPORT',
      'whoever asked for a commitment',
      '`dicom.callers[].reachedAt`',
    ],
    ['Instance Availability Notification', 'N-CREATE', 'destinations', '`destinations[].notify`'],
    ['Modality Performed Procedure Step', 'N-CREATE, N-SET', 'the department system', '`procedureSteps`'],
    [
      'Study Root Query/Retrieve',
      'C-FIND, C-MOVE',
      'the archive of which the box is the side-car',
      '`sidecar`',
    ],
  ],
);

function storageClasses(): string {
  const kept = dicomNames.sopClasses.filter(([uid]) => uids.isStorageSopClass(uid));
  return table(
    ['Storage SOP class', 'UID'],
    kept.map(([uid, name, retired]) => [
      `${name === '' ? '(a draft without a name)' : name}${retired === undefined ? '' : ', retired'}`,
      code(uid),
    ]),
  );
}

const transferSyntaxes = table(
  ['Transfer syntax', 'UID'],
  dicomNames.transferSyntaxes.map(([uid]) => [transferSyntaxName(uid), code(uid)]),
);

const characterSets = [...encodings.keys()]
  .map((term) => (/^\d/.test(term) ? `ISO_IR ${term}` : term))
  .join(', ');

/** Where the table of contents goes, once all sections are there. */
export const contentsMark = '(contents)';

export const overview = (): string => `## N.1 Overview

Hilum stands between the modalities of a department and its PACS. It receives objects, keeps them encrypted on its own disk, passes them on to the PACS at once, and registers their studies on the ledger of its consortium, so that another hospital can fetch them when the patient has said so. What passes between hospitals is not DICOM and not part of this statement.

### N.1.1 Content and transfer

The box is an SCP of Storage for **every** SOP class under the standard's storage arc (\`1.2.840.10008.5.1.4.1.1\`, also those that the standard adds later), for the storage SOP classes that lie elsewhere, and for every private SOP class. An object is kept as it was sent: private elements, private SOP classes, retired attributes, its transfer syntax and its byte order. No object is interpreted for display.

<details>
<summary>The storage SOP classes by name</summary>

${storageClasses()}

</details>

Every transfer syntax of the standard, and every private one, is accepted for storage. For all other services a data set is read in Implicit VR Little Endian, Explicit VR Little Endian, Explicit VR Big Endian or Deflated Explicit VR Little Endian.

<details>
<summary>The transfer syntaxes by name</summary>

${transferSyntaxes}

</details>

Structured reports are kept and passed on like all objects; the box makes none.

### N.1.2 DIMSE services

Accepted, when a peer opens the association:

${acceptedServices()}

Initiated, on associations that the box opens:

${initiated}

### N.1.3 DICOM web services

Not offered.

### N.1.4 Media services

Not offered.

### N.1.5 Real-time video

Not offered.

### N.1.6 De-identification profiles

None. What passes between hospitals is the study as it is.

### N.1.7 Specific character sets

Read for queries, the catalogue and the console are ${characterSets}, with code extensions by ISO 2022 escape sequences.

## N.2 Table of contents

${contentsMark}

## N.3 Introduction

### N.3.1 Revision history

| Edition | What changed |
|---|---|
| version 0.1 | the first; what a later version changes stands in [CHANGELOG.md](../CHANGELOG.md) |

### N.3.2 Audience

Those who connect a modality, workstation or archive to a Hilum box: biomedical engineers, PACS administrators, integrators. It presumes the vocabulary of the DICOM standard.

### N.3.3 Remarks

This page is written from the program that it describes, by test/tidy/write-docs.ts: services, SOP classes, matching keys, statuses, timers, limits, cipher suites and ports are the program's own tables, and a test fails when page and program differ. It says what the box does; whether two products work together is still to be tried with both.

### N.3.4 Terms and definitions

Those of the standard: PS3.3 to PS3.8. A *caller* is who opens an association with the box, a *destination* to whom the box opens one.

### N.3.5 Abbreviations

AE application entity, IAN instance availability notification, MPPS modality performed procedure step, PDU protocol data unit, PDV presentation data value, SCP and SCU provider and user of a service class, SOP service-object pair, UID unique identifier, VR value representation.

### N.3.6 References

DICOM PS3, its parts 2 (annex N), 3 to 8 and 15; [configuration.md](configuration.md), [errors.md](errors.md), [limits.md](limits.md), [threat-model.md](threat-model.md).

## N.4 Implementation model

### N.4.1 Application entities and data flow

\`\`\`
  modality ── C-STORE, N-ACTION, MPPS ──▶┌───────────────┐── C-STORE, N-ACTION, IAN ──▶ PACS, archive
           ◀── N-EVENT-REPORT ───────────│               │◀── N-EVENT-REPORT, IAN ─────
                                         │   Hilum AE    │── C-FIND, C-MOVE ──────────▶ (side-car)
  workstation ── C-FIND, C-MOVE, C-GET ─▶│               │
              ◀── C-STORE ───────────────│               │── N-CREATE, N-SET (MPPS) ──▶ department system
                                         └───────────────┘
\`\`\`

#### N.4.1.1 Functional definition of the Hilum application entity

There is one application entity. It listens on a plain port and, where certificates are configured, on a second port with TLS; the services are the same on both. It can be called by several AE titles at once, where it takes the place of older systems; all of them reach the same holdings.
`;
