/** Certificates of the DICOM TLS port: what is good is taken without a restart, what is not leaves the last in use. */
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { before, type TestContext } from 'node:test';
import { DicomCertificates, type WatchFolder } from '../../firmware/src/box/dicom-certificates.ts';
import type { CertificateSet } from '../../firmware/src/box/certificate-set.ts';
import {
  certificateFileBytesMax,
  certificateLookMs,
  certificateSettleMs,
} from '../../firmware/src/box/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { CertificateAuthority, type IssuedCertificate } from '../support/certificate-authority.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const dayMs = 86_400_000;

let authority: CertificateAuthority;

before(async () => {
  authority = await CertificateAuthority.make();
});

class World {
  readonly folder: string;
  readonly clock = new ManualClock(Date.now());
  readonly health = new MemoryHealthBoard();
  readonly used: string[] = [];
  readonly certificates: DicomCertificates;
  /** Tells that a file has changed. */
  changed: () => void = () => assert.fail('nothing is watched');
  unwatched = 0;

  constructor(folder: string, watchFolder: WatchFolder | undefined) {
    this.folder = folder;
    const { clock, health } = this;
    this.certificates = new DicomCertificates({
      files: {
        certificateFile: this.path('box.pem'),
        keyFile: this.path('box.key'),
        caFiles: [this.path('ca.pem')],
      },
      clock,
      logger: new RecordingLogger(),
      health,
      watchFolder:
        watchFolder ??
        ((_folder, changed) => {
          this.changed = changed;
          return () => void this.unwatched++;
        }),
    });
  }

  /** Reads them, and serves a port with them. */
  async start(): Promise<void> {
    await this.certificates.start();
    await this.certificates.serve(({ subject }: CertificateSet) => void this.used.push(subject));
  }

  static async make(t: TestContext, watchFolder?: WatchFolder): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'hilum-certificates-'));
    const world = new World(folder, watchFolder);
    t.after(async () => {
      await world.certificates.stop();
      await rm(folder, { recursive: true });
    });
    await world.write('ca.pem', authority.certificate);
    return world;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** In one step, as whoever renews certificates does. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(this.path('.new'), text);
    await rename(this.path('.new'), this.path(name));
  }

  async put({ certificate, key }: IssuedCertificate): Promise<void> {
    await this.write('box.pem', certificate);
    await this.write('box.key', key);
  }

  alarms(): string[] {
    return this.health.list().map(({ code, subject, detail }) => `${code} ${subject}: ${detail}`);
  }

  /** The look that is due after so long, to its end. */
  async look(ms = certificateLookMs): Promise<void> {
    this.clock.advance(ms);
    await this.certificates.settled();
  }
}

test('a good set is taken at the start, a renewed one without a restart', async (t) => {
  const world = await World.make(t);
  await world.put(await authority.issue({ commonName: 'first' }));
  await world.start();
  assert.deepEqual(world.used, ['first']);
  await world.look();
  assert.deepEqual(world.used, ['first'], 'nothing has changed');

  await world.put(await authority.issue({ commonName: 'second' }));
  world.changed();
  await world.look(certificateSettleMs - 1);
  assert.deepEqual(world.used, ['first'], 'both files may not be there yet');
  await world.look(1);
  assert.deepEqual(world.used, ['first', 'second']);
  await world.put(await authority.issue({ commonName: 'third' }));
  await world.look();
  assert.deepEqual(world.used, ['first', 'second', 'third'], 'seen without being told');
  assert.equal(world.certificates.inUse?.set.subject, 'third');
  assert.equal(world.certificates.inUse.since, world.clock.now());
  assert.deepEqual(world.alarms(), []);
});

test('what is not good is named, and the last good set stays in use until another comes', async (t) => {
  const world = await World.make(t);
  const good = await authority.issue({ commonName: 'good' });
  const other = await authority.issue({ commonName: 'other' });
  const now = world.clock.now();
  await world.put(good);
  await world.start();
  const expired = await authority.issue({ validFrom: now - 3 * dayMs, validUntil: now - dayMs });
  const early = await authority.issue({ validFrom: now + dayMs });
  const oldAuthority = await CertificateAuthority.make({ validUntil: now - dayMs });
  const broken: readonly (readonly [file: string, text: string, message: RegExp])[] = [
    ['box.key', other.key, /box\.key: its key is not that of the certificate in .*box\.pem/],
    ['box.key', 'nonsense', /box\.key: it holds no private key/],
    ['box.pem', 'nonsense', /box\.pem: it holds no certificate in PEM/],
    [
      'box.pem',
      good.certificate.replace('MII', 'MIJ'),
      /box\.pem: it holds no certificate in PEM, or a damaged one/,
    ],
    ['box.pem', expired.certificate, /box\.pem: the certificate O=Hospital of the tests expired /],
    ['box.pem', early.certificate, /box\.pem: .* is not valid before /],
    ['box.pem', 'x'.repeat(certificateFileBytesMax + 1), /box\.pem: it cannot be read/],
    ['ca.pem', oldAuthority.certificate, /ca\.pem: no authority in it is valid now/],
  ];
  for (const [file, text, message] of broken) {
    const whole = { 'box.pem': good.certificate, 'box.key': good.key, 'ca.pem': authority.certificate };
    await world.write(file, text);
    await world.look();
    const [alarm, ...more] = world.alarms();
    assert.match(alarm ?? 'none', message);
    assert.match(alarm ?? '', /^CERTIFICATE_INVALID DICOM TLS: .* The last ones stay\.$/);
    assert.deepEqual(more, []);
    assert.deepEqual(world.used, ['good'], message.source);
    await world.write(file, whole[file as keyof typeof whole]);
    await world.look();
    assert.deepEqual(world.alarms(), [], message.source);
  }
  await rm(world.path('box.key'));
  await world.look();
  assert.match(world.alarms()[0] ?? '', /box\.key: it cannot be read \(ENOENT/);
  await world.put(other);
  await world.look();
  assert.deepEqual(world.alarms(), []);
  assert.deepEqual(world.used, ['good', 'other']);
});

test('without a good set there is none in use, and the first that comes is taken', async (t) => {
  const world = await World.make(t);
  await world.start();
  assert.equal(world.certificates.inUse, undefined);
  assert.match(world.alarms()[0] ?? '', /There is no TLS until they can\.$/);
  let changes = 0;
  world.certificates.onChange(() => changes++);
  await world.put(await authority.issue({ commonName: 'late' }));
  await world.look();
  assert.deepEqual(world.used, ['late']);
  assert.equal(changes, 1);
  assert.deepEqual(world.alarms(), []);
});

test('a port that cannot take a set keeps the last one, and is tried again', async (t) => {
  const world = await World.make(t);
  await world.put(await authority.issue({ commonName: 'first' }));
  await world.certificates.start();
  const inUse = new AppError('PORT_IN_USE', 'DICOM port 127.0.0.1:2762 is in use');
  await assert.rejects(
    world.certificates.serve(() => Promise.reject(inUse)),
    inUse,
  );
  await world.put(await authority.issue({ commonName: 'second' }));
  await world.look();
  assert.deepEqual(world.alarms(), [
    'PORT_IN_USE DICOM TLS: DICOM port 127.0.0.1:2762 is in use. The last ones stay.',
  ]);
  assert.equal(world.certificates.inUse?.set.subject, 'first');
  await world.certificates.serve(({ subject }) => void world.used.push(subject));
  await world.look();
  assert.deepEqual(world.alarms(), []);
  assert.deepEqual(world.used, ['first', 'second']);
  await world.certificates.serve(undefined);
  await world.put(await authority.issue({ commonName: 'third' }));
  await world.look();
  assert.deepEqual(world.used, ['first', 'second'], 'nothing is served any more');
  assert.equal(world.certificates.inUse.set.subject, 'third');
});

test('what ends soon is told from 30 days on, and no longer once it is renewed', async (t) => {
  const world = await World.make(t);
  const now = world.clock.now();
  await world.put(await authority.issue({ commonName: 'short', validUntil: now + 31 * dayMs }));
  await world.start();
  assert.deepEqual(world.alarms(), []);
  // X.509 times are whole seconds.
  await world.look(dayMs);
  assert.match(
    world.alarms()[0] ?? '',
    /^CERTIFICATE_EXPIRES DICOM TLS, box\.pem: It expires in (29|30) days, on /,
  );
  assert.doesNotMatch(world.alarms()[0] ?? '', /Renew it now/);
  await world.look(24 * dayMs);
  assert.match(
    world.alarms()[0] ?? '',
    /in [56] days, on .*\. Renew it now: modalities will stop sending\.$/,
  );
  await world.look(7 * dayMs);
  assert.ok(world.alarms().some((alarm) => /CERTIFICATE_EXPIRES .* It expired on /.test(alarm)));
  assert.deepEqual(world.used, ['short'], 'it stays: nothing better is there');
  await world.put(await authority.issue({ commonName: 'long', validUntil: world.clock.now() + 365 * dayMs }));
  await world.look();
  assert.deepEqual(world.used, ['short', 'long']);
  assert.deepEqual(
    world.alarms().filter((alarm) => !alarm.includes('ca.pem')),
    [],
  );
});

test('a certificate without a common name is called by its subject', async (t) => {
  const world = await World.make(t);
  await world.put(await authority.issue());
  await world.start();
  assert.deepEqual(world.used, ['O=Hospital of the tests']);
});

test('a folder that cannot be watched is looked at all the same', async (t) => {
  const world = await World.make(t, () => {
    throw new Error('ENOSPC: no inotify watches left');
  });
  await world.put(await authority.issue({ commonName: 'first' }));
  await world.start();
  await world.put(await authority.issue({ commonName: 'second' }));
  await world.look();
  assert.deepEqual(world.used, ['first', 'second']);
});

test('the operating system tells of a renewal; after a stop nothing is looked at', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-certificates-'));
  t.after(() => rm(folder, { recursive: true }));
  const clock = new ManualClock(Date.now());
  const used: string[] = [];
  const path = (name: string): string => join(folder, name);
  const put = async ({ certificate, key }: IssuedCertificate): Promise<void> => {
    await writeFile(path('box.pem'), certificate);
    await writeFile(path('box.key'), key);
  };
  await writeFile(path('ca.pem'), authority.certificate);
  await put(await authority.issue({ commonName: 'first' }));
  const certificates = new DicomCertificates({
    files: { certificateFile: path('box.pem'), keyFile: path('box.key'), caFiles: [path('ca.pem')] },
    clock,
    logger: new RecordingLogger(),
    health: new MemoryHealthBoard(),
  });
  await certificates.start();
  await certificates.serve(({ subject }) => void used.push(subject));
  await put(await authority.issue({ commonName: 'second' }));
  const before = clock.now();
  while (used.length < 2 && clock.now() - before < certificateLookMs - 1_000) {
    clock.advance(50);
    await certificates.settled();
    await delay(2);
  }
  assert.deepEqual(used, ['first', 'second'], 'seen before it would have looked by itself');
  await certificates.stop();
  await put(await authority.issue({ commonName: 'third' }));
  clock.advance(2 * certificateLookMs);
  await certificates.settled();
  assert.deepEqual(used, ['first', 'second']);
});
