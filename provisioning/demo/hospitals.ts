/** The four hospitals of the demonstration. Their names are invented. */
import type { Config } from '../../firmware/src/config.ts';

export interface Ports {
  readonly dicom: number;
  readonly p2p: number;
  readonly plane: number;
  readonly console: number;
}

export interface PacsAddress {
  readonly aeTitle: string;
  readonly dicomPort: number;
  readonly httpPort: number;
}

export interface Hospital {
  readonly id: string;
  readonly name: string;
  readonly ports: Ports;
  readonly pacs?: PacsAddress;
}

export interface HospitalTiming {
  readonly quietMs: number;
  readonly amendMs: number;
}

const loopback = '127.0.0.1';

/** AE titles that the demonstration's modalities call themselves, dcmtk's own defaults among them. */
export const modalityAeTitles = ['CT1', 'MR1', 'STORESCU', 'DCMSEND', 'ECHOSCU'];

export const boxAeTitle = 'HILUM';

/** Hospital A is the source, B has a PACS, C is curious, D only keeps the ledger with them. */
export const hospitals: readonly [Hospital, Hospital, Hospital, Hospital] = [
  {
    id: 'harrowmere',
    name: 'Harrowmere General Hospital',
    ports: { dicom: 11112, p2p: 14001, plane: 14101, console: 8441 },
  },
  {
    id: 'lindqvist',
    name: 'Lindqvist University Hospital',
    ports: { dicom: 11113, p2p: 14002, plane: 14102, console: 8442 },
    pacs: { aeTitle: 'LINDQVISTPACS', dicomPort: 14242, httpPort: 18042 },
  },
  {
    id: 'porto-celeste',
    name: 'Porto Celeste Clinic',
    ports: { dicom: 11114, p2p: 14003, plane: 14103, console: 8443 },
  },
  {
    id: 'tarn-valley',
    name: 'Tarn Valley Infirmary',
    ports: { dicom: 11115, p2p: 14004, plane: 14104, console: 8444 },
  },
];

/** Each hospital's box listens on four ports, its PACS on two. */
const portsPerHospital = 6;
export const portCount = portsPerHospital * hospitals.length;

/** The same hospitals on consecutive ports of the loopback interface, so that a second consortium has room. */
export function hospitalsFrom(firstPort: number): readonly Hospital[] {
  return hospitals.map((hospital, index) => {
    const first = firstPort + index * portsPerHospital;
    const ports = { dicom: first, p2p: first + 1, plane: first + 2, console: first + 3 };
    if (hospital.pacs === undefined) return { ...hospital, ports };
    return { ...hospital, ports, pacs: { ...hospital.pacs, dicomPort: first + 4, httpPort: first + 5 } };
  });
}

/** The configuration file of a hospital's box: all that tells it that it is not an appliance. */
export function boxConfig(hospital: Hospital, timing: HospitalTiming): unknown {
  const config = {
    institution: { id: hospital.id, name: hospital.name },
    dataDir: 'data',
    genesisFile: '../genesis.json',
    tpm: { kind: 'swtpm' },
    dicom: {
      host: loopback,
      port: hospital.ports.dicom,
      aeTitle: boxAeTitle,
      callingAeTitles: modalityAeTitles,
    },
    study: { quietMs: timing.quietMs, amendMs: timing.amendMs },
    p2p: { listen: `/ip4/${loopback}/tcp/${hospital.ports.p2p}` },
    plane: { host: loopback, port: hospital.ports.plane },
    console: { host: loopback, port: hospital.ports.console },
    ...(hospital.pacs === undefined
      ? {}
      : { pacs: { host: loopback, port: hospital.pacs.dicomPort, aeTitle: hospital.pacs.aeTitle } }),
  } satisfies DeepPartial<Config>;
  return config;
}

type DeepPartial<T> = { readonly [Key in keyof T]?: T[Key] extends object ? DeepPartial<T[Key]> : T[Key] };
