/** N.7, and behind the template: peers that were tried, and what hospital IT expects. */
import { permissions } from '../../../../firmware/src/access/permissions.ts';
import { contextOptions } from '../../../../firmware/dimse/tls-profile.ts';
import { code, table } from './markdown.ts';

const tls = contextOptions({ certificate: '', key: '', ca: [] });
const cipherSuites = (tls.ciphers ?? '').split(':').map(code).join(', ');

const test = (path: string): string =>
  `[${path.replace(/^.*\//, '').replace(/\.test\.ts$/, '')}](../${path})`;
const tests = (...names: readonly string[]): string =>
  names.map((name) => test(`test/${name}.test.ts`)).join(', ');

export const security = (): string => `## N.7 Security

### N.7.1 Transport

Plain DICOM, and beside it DICOM over TLS with mutual authentication: the BCP 195 RFC 8996, 9325 TLS profile of PS3.15 B.12, and with it the non-downgrading profile B.10. ${tls.minVersion ?? ''} and ${tls.maxVersion ?? ''}, nothing older; cipher suites ${cipherSuites}, in this order of preference.

A peer must show a certificate of the configured authorities, whichever side opens the association; those of the operating system count for nothing. Where the box connects, the certificate must also name the host, unless that is switched off for the destination. Certificates, key and authorities are read anew when their files change, without a restart and without ending associations; what does not fit is told and the former ones stay in use. A certificate that expires soon is an alarm ([runbooks/dicom-tls.md](runbooks/dicom-tls.md)). Revocation lists are not read.

### N.7.2 Access control

Nobody may associate who does not stand in the access list, by calling AE title and, as configured, by address range, certificate (digest or common name) and called AE title. What a caller may do is one or several of ${permissions.map(code).join(', ')}; services that it may not use are refused in the negotiation, and each operation is judged again. C-ECHO is open to whoever may associate. AE titles and addresses are no proof of identity; certificates are.

### N.7.3 At rest

Objects are encrypted with a key for each study, which is sealed by the TPM to this box and its firmware ([threat-model.md](threat-model.md)).

### N.7.4 Not offered

Audit messages (PS3.15 A.5), digital signatures, de-identification (PS3.15 E), secure media and web access are not offered. User identity is carried and not verified.

## Objects, attributes and codes

The box makes no composite objects. The one change that it makes to any is that of N.5.3, in what it sends and never in what it keeps. It defines no private attributes, SOP classes or transfer syntaxes, extends or specialises no SOP class, and uses no coded terminology and no templates of its own. UIDs that it makes (transactions of storage commitment, procedure steps that their modality left unnamed) are UUIDs under 2.25 (PS3.5 B.2). Nothing is shown or printed, so that the Grayscale Standard Display Function does not apply.

## Peers that were tried

With the versions of Debian 12. Each row is run by \`npm test\`.

${table(
  ['Peer', 'To the box', 'From the box', 'Shown by'],
  [
    [
      'dcmtk 3.6.7',
      'echo, store, find, find with cancel, move, get; echo, store and find over TLS 1.2 and 1.3, move and get over TLS through a tunnel',
      'echo, store, find, move, get; store over TLS, find and move over TLS through a tunnel',
      tests(
        'integration/peers',
        'integration/dimse-peers',
        'integration/dimse-services',
        'integration/dimse-tls',
        'integration/query-retrieve',
        'integration/peers-query-tls',
        'integration/peers-tunnel',
        'integration/workflow',
        'integration/forwarding',
      ),
    ],
    [
      'Orthanc 1.10.1',
      'echo, store, find, move, commitment; echo, store, find and move over TLS',
      'echo, store, commitment and its result, find and move as a side-car; echo, store, find and move over TLS',
      tests(
        'integration/peers',
        'integration/dimse-peers',
        'integration/archive-scu',
        'integration/workflow',
        'integration/forwarding',
        'integration/query-retrieve',
        'integration/peers-query-tls',
        'e2e/sidecar',
      ),
    ],
    [
      'odil 0.12.2',
      'echo, store, find, get, performed procedure steps, Instance Availability Notification; echo, store, find and get over TLS through a tunnel',
      'performed procedure steps sent on, Instance Availability Notification; the latter over TLS through a tunnel too',
      tests(
        'integration/peers',
        'integration/query-retrieve',
        'integration/peers-odil',
        'integration/peers-tunnel',
      ),
    ],
    [
      'PixelMed 20220618',
      'echo, store, find, move, get; store and get over TLS through a tunnel',
      'echo, store, find and move as a side-car; store, find and move over TLS through a tunnel',
      tests('integration/peers-pixelmed', 'integration/peers-tunnel'),
    ],
    [
      'gdcmscu 3.0.21',
      'store, move; store over TLS through a tunnel',
      '',
      tests('integration/peers', 'integration/query-retrieve', 'integration/peers-tunnel'),
    ],
    [
      'pydicom 2.3.1',
      'reads what the box writes, attribute by attribute',
      '',
      tests('integration/dimse-data-sets'),
    ],
  ],
)}

Through a tunnel: the peer has no TLS of its own (movescu, getscu and dcmqrscp of this dcmtk, odil, gdcmscu) or one that the box refuses (PixelMed knows TLS_RSA_WITH_AES_128_CBC_SHA only, which is in no BCP 195 profile: ${tests('integration/peers-pixelmed')} shows the refusal both ways); socat stands before it, and the box's side is mutual TLS as above. PixelMed's own command line for C-GET proposes more presentation contexts than an association can have, and fails before it connects: the same class was called by a program that proposes two. Debian's gdcmscu crashes as an association ends, with dcmtk too, and before it prints: its echo and find show nothing. odil carries procedure steps and notifications without a PACS or a department system behind it: what such a system makes of them is not shown. High-Throughput JPEG 2000 was written by the codec that the box reads it with, and found right by gdcm's (${tests('integration/ht-jpeg-2000')}). What was not tried with a peer of others says nothing about them, and modalities were not tried at all.
`;

const met = 'met';
const partly = 'in part';
const waits = 'not yet';

/** What those who rack a box expect of it, whether it is met, and where that is seen. */
const expectations: readonly (readonly [expectation: string, state: string, how: string])[] = [
  [
    'C-ECHO both ways, from the console and from the modality; AE title, port and address configurable; several called AE titles',
    met,
    `N.5.1; \`dicom.host\`, \`dicom.port\`, \`dicom.aeTitle\`, \`dicom.furtherAeTitles\`. ${tests('integration/dimse-peers', 'integration/http-dicom', 'e2e/callers', 'e2e/dicom-services')}`,
  ],
  [
    'An access list by calling AE title, address and certificate, enforced by refusing the association',
    met,
    `N.7.2. ${tests('unit/access-list', 'unit/access-addresses', 'integration/dimse-tls', 'e2e/callers')}`,
  ],
  [
    'Every storage SOP class and transfer syntax is accepted and kept bit for bit, private classes too',
    met,
    `N.1.2. ${tests('integration/dimse-data-sets', 'integration/dimse-peers', 'integration/peers')}`,
  ],
  [
    'On the disk before 0x0000; a full disk refuses and never answers with success; room for objects in flight',
    met,
    `N.5.2, [runbooks/disk-full.md](runbooks/disk-full.md). ${tests('sim/power-cut', 'integration/ingest-kill', 'integration/disk-full', 'integration/disk-failing', 'unit/disk-room', 'e2e/disk-low')}`,
  ],
  [
    'Storage commitment: the result on a new association with roles and Implicit VR Little Endian, retried; 0x0112 for what is not held',
    met,
    `N.5.6. ${tests('integration/workflow', 'unit/storage-commitments', 'unit/dimse-commitment-report', 'e2e/dicom-services')}`,
  ],
  [
    'A study is complete after quiet time, at a forced maximum, or by procedure steps; late objects reopen it',
    met,
    `N.4.3. ${tests('unit/registration-plan', 'unit/registrar', 'unit/procedure-steps')}`,
  ],
  [
    'Performed procedure steps received and forwarded; availability notified after completion',
    met,
    `N.5.7, N.5.8. ${tests('integration/workflow', 'integration/forwarding', 'integration/peers-odil', 'e2e/dicom-services')}`,
  ],
  [
    'Duplicates: same bytes succeed; other bytes are both kept, in quarantine, with an alarm; nothing is overwritten silently',
    met,
    `N.5.2, [runbooks/quarantine.md](runbooks/quarantine.md). ${tests('unit/keeping', 'unit/corrections', 'e2e/quarantine')}`,
  ],
  [
    'Patient and accession reconciliation by HL7 or worklist; Issuer of Patient ID; originals kept; quarantine with reason and release',
    partly,
    `Issuer, originals and quarantine: N.5.3 and N.5.2, ${tests('integration/dimse-data-sets', 'e2e/quarantine')}. HL7 ADT and ORM and the worklist wait for the connection to the hospital's information system; until then an ADT correction arrives as a corrected object of a caller that may correct.`,
  ],
  [
    'Forwarding to the PACS: a durable queue for each destination, back-off, isolation, resend, bandwidth and hours; a fault never fails reception',
    met,
    `N.5.3, [runbooks/pacs-down.md](runbooks/pacs-down.md). ${tests('integration/forwarding', 'unit/forwarding', 'unit/forwarding-queue', 'e2e/forwarding')}`,
  ],
  [
    'Long idle associations and slow consoles are tolerated; parallel associations of a modality',
    met,
    `N.6.4. ${tests('unit/dimse-storage-scp', 'unit/dimse-defects', 'unit/dimse-hostile')}`,
  ],
  [
    'State of NTP, alarm on clock skew, UTC in logs',
    partly,
    'The log is in UTC. State of the clock and its alarm wait for the appliance image, which owns the time service.',
  ],
  [
    'ATNA audit messages over TLS and UDP, kept while the repository is down',
    waits,
    'Waits for the audit trail.',
  ],
  [
    'Operational log to syslog, Prometheus metrics, alerts by mail or webhook',
    partly,
    `The log is JSON lines on standard error, for the system's journal; alarms stand on the console with what to do, ${tests('unit/pino-log', 'unit/health')}. Metrics and alerts that leave the box wait for its monitoring.`,
  ],
  [
    'Conformance statement; configuration export and restore; roles; escaped values in pages; certificate expiry warnings; firewall ports documented',
    partly,
    `This page, its ports in N.6.5; accounts have roles, ${tests('integration/http-access')}; the console shows values as text, ${tests('e2e/bad-input')}; expiry is an alarm, ${tests('unit/dicom-certificates')}. The configuration is one file; its export and restore from the console wait.`,
  ],
];

export const expected = (): string => `## What hospital IT expects

Fifteen points by which a gateway is judged when it is racked, and how far each is met.

${table(
  ['', 'Expected', 'State', 'How, and where it is shown'],
  expectations.map(([expectation, state, how], index) => [String(index + 1), expectation, state, how]),
)}
`;
