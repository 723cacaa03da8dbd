/**
 * The services of a box under requests with fixed seeds: none fails in a way that it did not foresee.
 * `HILUM_FUZZ_CASES` and `HILUM_FUZZ_FIRST_SEED` as for dimse-fuzz.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAssociation, uids } from '../../firmware/dimse/index.ts';
import {
  availabilityService,
  commitmentResultService,
  QueryRetrieveScp,
} from '../../firmware/dimse/index.ts';
import { quarantineObjectsMax } from '../../firmware/src/ingest/limits.ts';
import { realClock } from '../fakes/real-clock.ts';
import { converse } from '../support/dimse-conversation.ts';
import { until } from '../support/dimse-peer.ts';
import { serviceCase } from '../support/dimse-service-fuzz.ts';
import { archiveOf, headCt } from '../support/held-archive.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { WorkflowBox, workflowAeTitle } from '../support/workflow-box.ts';

const cases = Number(process.env['HILUM_FUZZ_CASES'] ?? 2_000);
const firstSeed = Number(process.env['HILUM_FUZZ_FIRST_SEED'] ?? 1);
/** Ten times what they take: a case that costs more than it should must not pass for slow. */
const options = { timeout: 30_000 + 10 * cases };
const atOnce = 8;
/** An administrator looks through the quarantine before it is full: what is refused then says nothing of the services. */
const quarantinedMax = quarantineObjectsMax / 2;

test(`the services of a box survive ${cases} conversations`, options, async () => {
  const taken = { results: 0, notifications: 0 };
  const queryRetrieve = new QueryRetrieveScp({
    archive: archiveOf(headCt),
    destinationOf: () => undefined,
    logger: new RecordingLogger(),
  });
  const box = await WorkflowBox.open(undefined, [
    ...queryRetrieve.services,
    commitmentResultService(async () => {
      taken.results++;
    }),
    availabilityService(async () => {
      taken.notifications++;
    }),
  ]);
  const statuses = new Map<number, number>();
  const unforeseen: string[] = [];
  let next = firstSeed;
  let discarded = 0;
  const emptyQuarantine = async (): Promise<void> => {
    if (box.quarantine.count <= quarantinedMax) return;
    for (const { id } of box.quarantine.list())
      if ((await box.quarantine.discard(id, 'admin')).kind === 'done') discarded += 1;
  };
  const worker = async (): Promise<void> => {
    while (next < firstSeed + cases) {
      const seed = next++;
      for (const { status = -1 } of await converse(box.port, serviceCase(seed)))
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await emptyQuarantine();
      const wrong = box.logger.lines.splice(0).filter((line) => line.startsWith('error'));
      if (wrong.length > 0) unforeseen.push(`near seed ${seed}: ${wrong.join('; ')}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, worker));
    await until(() => box.associations === 0);
    const association = await openAssociation({
      host: '127.0.0.1',
      port: box.port,
      callingAeTitle: 'CT_1',
      calledAeTitle: workflowAeTitle,
      contexts: [
        { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
      ],
      clock: realClock,
    });
    assert.equal((await association.echo()).status, 0);
    await association.release();
  } finally {
    await box.stop();
    await queryRetrieve.stop();
  }
  assert.deepEqual(unforeseen, []);
  // One case in five is held back.
  if (cases > 10 * quarantineObjectsMax)
    assert(discarded > cases / 20, `${discarded} objects were discarded`);
  const summary = JSON.stringify([...statuses].map(([status, times]) => [status.toString(16), times]));
  // That the cases reach what they are for: matches, steps and commitments that were taken, refusals of each kind.
  for (const status of [0x0000, 0xff00, 0x0106, 0x0112, 0x0115, 0x0120, 0xa801, 0xa900, 0xc000])
    assert(statuses.has(status), `no 0x${status.toString(16)} among ${summary}`);
  assert(taken.results > 0 && taken.notifications > 0, JSON.stringify(taken));
});
