/** What the keeper writes by itself takes its room on the disk like what arrives, and leaves nothing half where there is none. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import type { HeldRoom, RoomForObjects } from '../../firmware/src/ingest/object-room.ts';
import type { QuarantineAct } from '../../firmware/src/ingest/quarantine.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception } from '../support/reception.ts';

const first = plainDataSet(header, randomBytes(500_000));
const second = plainDataSet(header, randomBytes(500_000));

/** A disk with so many bytes left. */
class ShortDisk implements RoomForObjects {
  taken = 0;
  held = 0;
  looks = 0;
  left: number;

  constructor(left: number) {
    this.left = left;
  }

  begin(): Promise<HeldRoom> {
    if (this.left === 0) return Promise.reject(new AppError('DISK_LOW', 'no room'));
    this.held += 1;
    return Promise.resolve({
      take: (bytes) => {
        if (this.taken + bytes > this.left) return Promise.reject(new AppError('DISK_LOW', 'no room'));
        this.taken += bytes;
        return undefined;
      },
      end: () => {
        this.held -= 1;
      },
    });
  }

  failed(): void {
    this.looks += 1;
  }
}

const release = (reception: Reception): Promise<QuarantineAct> => {
  const [entry] = reception.quarantine.list();
  assert.ok(entry !== undefined);
  return reception.quarantine.release(entry.id, 'alice', (held, bytes) =>
    reception.keeper().readmit(held, bytes),
  );
};

for (const left of [0, 250_000])
  test(`with room for ${left} bytes, what would be set aside is refused, and nothing of it is left`, async () => {
    const reception = new Reception();
    const disk = new ShortDisk(left);
    reception.room = disk;
    await reception.send(first);
    assert.equal(disk.taken, 0, 'what arrives takes its room from the sink');
    await assert.rejects(reception.send(second), { code: 'DISK_LOW' });
    assert.equal(reception.quarantine.count, 0);
    assert.equal(reception.quarantine.bytes, 0);
    assert.equal(reception.quarantineDisk.studies.size, 0);
    assert.equal(reception.files, 1);
    assert.equal(disk.held, 0);
    disk.left = 1_000_000;
    disk.taken = 0;
    assert.equal(await reception.send(second), 0);
    assert.equal(disk.taken, second.length);
    assert.equal(reception.quarantine.count, 1);
    assert.equal(disk.held, 0);
  });

test('what is released takes its room too; without room it stays in quarantine and its study is as it was', async () => {
  const reception = new Reception();
  await reception.send(first);
  await reception.send(second);
  const disk = new ShortDisk(250_000);
  reception.room = disk;
  await assert.rejects(release(reception), { code: 'DISK_LOW' });
  assert.equal(reception.quarantine.count, 1);
  assert.equal(reception.files, 1);
  assert.equal(reception.disk.begun, 0);
  assert.equal(disk.held, 0);
  disk.left = 1_000_000;
  disk.taken = 0;
  assert.deepEqual(await release(reception), { kind: 'done' });
  assert.equal(disk.taken, second.length);
  assert.equal(reception.studies[0]?.objects.length, 2);
  assert.equal(disk.held, 0);
});

test('a write that fails makes the disk be looked at again', async () => {
  const reception = new Reception();
  const disk = new ShortDisk(1_000_000);
  reception.room = disk;
  await reception.send(first);
  reception.quarantineDisk.failing = true;
  await assert.rejects(reception.send(second), { code: 'STORE_FAILED' });
  assert.deepEqual([disk.looks, disk.held], [1, 0]);
});
