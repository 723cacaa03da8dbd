/** Behind the template: what hospital IT expects, and how far it is met. */
import { table, tests } from './markdown.ts';

const met = 'met';
const partly = 'in part';
const waits = 'not yet';

/** What those who rack a box expect of it, whether it is met, and where that is seen. */
const expectations: readonly (readonly [expectation: string, state: string, how: string])[] = [
  [
    'C-ECHO both ways, from the console and from the modality; AE title, port and address configurable; several called AE titles',
    met,
    `N.5.2; \`dicom.host\`, \`dicom.port\`, \`dicom.aeTitle\`, \`dicom.furtherAeTitles\`. ${tests('integration/dimse-peers', 'integration/http-dicom', 'e2e/callers', 'e2e/dicom-services')}`,
  ],
  [
    'An access list by calling AE title, address and certificate, enforced by refusing the association',
    met,
    `N.8.7. ${tests('unit/access-list', 'unit/access-addresses', 'integration/dimse-tls', 'e2e/callers')}`,
  ],
  [
    'Every storage SOP class and transfer syntax is accepted and kept bit for bit, private classes too',
    met,
    `N.1.1. ${tests('integration/dimse-data-sets', 'integration/dimse-peers', 'integration/peers')}`,
  ],
  [
    'On the disk before 0x0000; a full disk refuses and never answers with success; room for objects in flight',
    met,
    `N.7.3.2.5, [runbooks/disk-full.md](runbooks/disk-full.md). ${tests('sim/power-cut', 'integration/ingest-kill', 'integration/disk-full', 'integration/disk-failing', 'unit/disk-room', 'e2e/disk-low')}`,
  ],
  [
    'Storage commitment: the result on a new association with roles and Implicit VR Little Endian, retried; 0x0112 for what is not held',
    met,
    `N.5.2.6. ${tests('integration/workflow', 'unit/storage-commitments', 'unit/dimse-commitment-report', 'e2e/dicom-services')}`,
  ],
  [
    'A study is complete after quiet time, at a forced maximum, or by procedure steps; late objects reopen it',
    met,
    `N.5.6. ${tests('unit/registration-plan', 'unit/registrar', 'unit/procedure-steps')}`,
  ],
  [
    'Performed procedure steps received and forwarded; availability notified after completion',
    met,
    `N.5.2.2, N.5.2.4. ${tests('integration/workflow', 'integration/forwarding', 'integration/peers-odil', 'e2e/dicom-services')}`,
  ],
  [
    'Duplicates: same bytes succeed; other bytes are both kept, in quarantine, with an alarm; nothing is overwritten silently',
    met,
    `N.5.2.5.2, [runbooks/quarantine.md](runbooks/quarantine.md). ${tests('unit/keeping', 'unit/corrections', 'e2e/quarantine')}`,
  ],
  [
    'Patient and accession reconciliation by HL7 or worklist; Issuer of Patient ID; originals kept; quarantine with reason and release',
    partly,
    `Issuer, originals and quarantine: N.5.2.5, ${tests('integration/dimse-data-sets', 'e2e/quarantine')}. HL7 ADT and ORM and the worklist wait for the connection to the hospital's information system; until then an ADT correction arrives as a corrected object of a caller that may correct.`,
  ],
  [
    'Forwarding to the PACS: a durable queue for each destination, back-off, isolation, resend, bandwidth and hours; a fault never fails reception',
    met,
    `N.5.2.5.1, [runbooks/pacs-down.md](runbooks/pacs-down.md). ${tests('integration/forwarding', 'unit/forwarding', 'unit/forwarding-queue', 'e2e/forwarding')}`,
  ],
  [
    'Long idle associations and slow consoles are tolerated; parallel associations of a modality',
    met,
    `N.7.1.2. ${tests('unit/dimse-storage-scp', 'unit/dimse-defects', 'unit/dimse-hostile')}`,
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
    `This page, its ports in N.8.3; accounts have roles, ${tests('integration/http-access')}; the console shows values as text, ${tests('e2e/bad-input')}; expiry is an alarm, ${tests('unit/dicom-certificates')}. The configuration is one file; its export and restore from the console wait.`,
  ],
];

export const expected = (): string => `## What hospital IT expects

Fifteen points by which a gateway is judged when it is racked, and how far each is met.

${table(
  ['', 'Expected', 'State', 'How, and where it is shown'],
  expectations.map(([expectation, state, how], index) => [String(index + 1), expectation, state, how]),
)}
`;
