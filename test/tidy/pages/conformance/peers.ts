/** Behind the template: the peers that were tried. */
import { table, tests } from './markdown.ts';

export const peers = (): string => `## Peers that were tried

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
