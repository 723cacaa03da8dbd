/** A real box that holds the real objects of python3-pydicom, with workstations that may ask and places to move to. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { openAssociation, status } from '../../firmware/dimse/index.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  filesBelow,
  freePort,
  inPieces,
  type Peer,
  pydicomCharsetFiles,
  pydicomFiles,
  readDicomFile,
  runPython,
  startOrthanc,
  startStorescp,
} from './dimse-tools.ts';
import { LoneBox } from './lone-box.ts';

/** What pydicom reads in a file that was sent. */
export interface SentObject {
  readonly path: string;
  readonly transferSyntaxUid: string;
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly patientId: string;
  readonly patientName: string;
  readonly modality: string;
  /** SHA-256 of its data set, padded to an even length as it is sent (a deflated one may be odd). */
  readonly sha256: string;
}

const readHeaders = `
import json, sys, pydicom
out = []
for path in sys.argv[1:]:
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception:
        continue
    text = lambda key: str(ds.get(key, '') or '')
    out.append([path, text('StudyInstanceUID'), text('SeriesInstanceUID'), text('PatientID'), text('PatientName'), text('Modality')])
print(json.dumps(out))
`;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const aeTitle = 'HILUM';

export class QueryBox {
  readonly port: number;
  readonly objects: readonly SentObject[];
  readonly storescp: Peer;
  readonly orthanc: Peer & { readonly http: string };
  /** Where gdcmscu listens for what it moves to itself. */
  readonly gdcmPort: number;

  private constructor(fields: Pick<QueryBox, 'port' | 'objects' | 'storescp' | 'orthanc' | 'gdcmPort'>) {
    this.port = fields.port;
    this.objects = fields.objects;
    this.storescp = fields.storescp;
    this.orthanc = fields.orthanc;
    this.gdcmPort = fields.gdcmPort;
  }

  /** Everything is stopped and removed after the tests. */
  static async start(t: { readonly after: (stop: () => Promise<void>) => unknown }): Promise<QueryBox> {
    const storescp = await startStorescp();
    t.after(() => storescp.stop());
    const orthanc = await startOrthanc({ DicomAlwaysAllowStore: true });
    t.after(() => orthanc.stop());
    const gdcmPort = await freePort();
    const box = await LoneBox.make({ after: (stop) => t.after(stop as () => Promise<void>) }, 'query');
    const { dicom } = JSON.parse(await readFile(box.configPath, 'utf8')) as { dicom: { port: number } };
    const asks = { may: ['query', 'retrieve'] };
    await box.configure({
      dicom: {
        ...dicom,
        aeTitle,
        callingAeTitles: [],
        callers: [
          { aeTitle: 'MODALITY', may: ['store'] },
          ...['WORKSTATION', 'ORTHANC', 'GDCM'].map((each) => ({ aeTitle: each, ...asks })),
        ],
      },
      destinations: [
        ['storescp', 'STORESCP', storescp.port],
        ['orthanc', 'ORTHANC', orthanc.port],
        ['gdcm', 'GDCM', gdcmPort],
        ['dead', 'DEAD', await freePort()],
      ].map(([name, destination, port]) => ({ name, aeTitle: destination, host: '127.0.0.1', port })),
    });
    await box.startFirst();
    return new QueryBox({
      port: dicom.port,
      objects: await sendAll(dicom.port),
      storescp,
      orthanc,
      gdcmPort,
    });
  }

  /** Options of dcmtk's SCUs that name both ends. */
  get ends(): readonly string[] {
    return ['-aet', 'WORKSTATION', '-aec', aeTitle, '127.0.0.1', String(this.port)];
  }

  /** The one that came from this file. */
  object(name: string): SentObject {
    const found = this.objects.find(({ path }) => path.endsWith(`/${name}`));
    assert.ok(found, name);
    return found;
  }

  distinct(field: 'studyInstanceUid' | 'seriesInstanceUid' | 'sopInstanceUid'): string[] {
    return [...new Set(this.objects.map((object) => object[field]))].sort();
  }
}

/** One object of each SOP Instance UID; those that a box does not take into a study are left out. */
async function sendAll(port: number): Promise<SentObject[]> {
  const paths = [...(await filesBelow(pydicomCharsetFiles)), ...(await filesBelow(pydicomFiles))];
  // Of the files of one object the first is sent; in Implicit VR there is no other one.
  paths.sort((a, b) => Number(b.includes('implicit')) - Number(a.includes('implicit')));
  const headers = (await runPython(readHeaders, paths)) as string[][];
  const sent = new Map<string, SentObject>();
  for (const [path = '', studyInstanceUid = '', seriesInstanceUid = '', ...texts] of headers) {
    const object = await readDicomFile(path);
    if (object.kind !== 'object' || object.sopClassUid === '' || sent.has(object.sopInstanceUid)) continue;
    if (object.sopClassUid === mediaDirectory) continue;
    const { sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet } = object;
    const association = await openAssociation({
      host: '127.0.0.1',
      port,
      callingAeTitle: 'MODALITY',
      calledAeTitle: aeTitle,
      contexts: [{ abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }],
      clock: realClock,
    });
    const outcome = await association.store(object, inPieces(dataSet, 65_536));
    await association.release();
    // Without its UIDs, or under another one than its data set says: quarantined, and so not found.
    if (outcome.status === quarantined) continue;
    assert.equal(outcome.status, status.success, path);
    const padded = dataSet.length % 2 === 0 ? dataSet : concatBytes(dataSet, Uint8Array.of(0));
    const [patientId = '', patientName = '', modality = ''] = texts;
    sent.set(sopInstanceUid, {
      ...{ path, transferSyntaxUid, sopInstanceUid, studyInstanceUid, seriesInstanceUid },
      ...{ patientId, patientName, modality, sha256: sha256(padded) },
    });
  }
  return [...sent.values()];
}

const mediaDirectory = '1.2.840.10008.1.3.10';
const quarantined = 0xa900;
