/** Queries over kept studies: levels, hierarchy, keys, answers (PS3.4 annex C.4.1, C.6). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FindQuery, QueryLevel } from '../../firmware/src/ports.ts';
import { HeldArchive } from '../../firmware/src/query/archive.ts';
import { matchesMax } from '../../firmware/src/query/limits.ts';
import { countingTurns } from '../support/counting-turns.ts';
import { ctImageStorage, explicitLittleEndian, heldStudy } from '../support/held-studies.ts';
import {
  all,
  ann,
  archiveOf,
  asked,
  column,
  found,
  type Keys,
  read,
  refusal,
  shared,
} from '../support/held-archive.ts';

describe('C-FIND at each level', () => {
  it('lists patients once each, with what is held of them', async () => {
    const keys = { '00100020': '', '00100010': '', '00201200': '', '00201202': '', '00201204': '' };
    const { answers, end } = await found(all, asked('PATIENT', 'PATIENT', keys));
    assert.equal(end, 'complete');
    assert.deepEqual(answers, [
      {
        '00080052': ['PATIENT'],
        '00080054': ['HILUM'],
        '00100010': ['Lovelace^Ann'],
        '00100020': ['P1'],
        '00201200': ['2'],
        '00201202': ['3'],
        '00201204': ['4'],
      },
      {
        '00080052': ['PATIENT'],
        '00080054': ['HILUM'],
        '00100010': ['Babbage^Bob'],
        '00100020': ['P2'],
        '00201200': ['1'],
        '00201202': ['1'],
        '00201204': ['1'],
      },
    ]);
  });

  it('lists studies with every attribute of theirs', async () => {
    const tags = [
      ...['00100010', '00100020', '00100021', '00100030', '00100040', '0020000D', '00080020', '00080030'],
      ...['00080050', '00080061', '00080062', '00080090', '00081030', '00200010', '00201206', '00201208'],
      ...['00080056', '00201200'],
    ];
    const keys = Object.fromEntries(tags.map((tag) => [tag, tag === '0020000D' ? '1.1' : '']));
    const { answers } = await found(all, asked('STUDY', 'STUDY', keys));
    assert.deepEqual(answers, [
      {
        '00080020': ['20260110'],
        '00080030': ['0915'],
        '00080050': ['A1'],
        '00080052': ['STUDY'],
        '00080054': ['HILUM'],
        '00080056': ['ONLINE'],
        '00080061': ['CT', 'SR'],
        '00080062': [ctImageStorage, '1.2.840.10008.5.1.4.1.1.88.11'],
        '00080090': ['Referrer^R'],
        '00081030': ['Head'],
        '00100010': ['Lovelace^Ann'],
        '00100020': ['P1'],
        '00100021': [],
        '00100030': ['19800101'],
        '00100040': ['F'],
        '0020000D': ['1.1'],
        '00200010': ['S1'],
        '00201200': ['2'],
        '00201206': ['2'],
        '00201208': ['3'],
      },
    ]);
  });

  it('lists series of a study', async () => {
    const keys = {
      '0020000D': '1.1',
      '0020000E': '',
      '00080060': '',
      '00200011': '',
      '0008103E': '',
      '00201209': '',
    };
    const { answers } = await found(all, asked('STUDY', 'SERIES', keys));
    const common = { '00080052': ['SERIES'], '00080054': ['HILUM'], '0020000D': ['1.1'] };
    assert.deepEqual(answers, [
      {
        ...common,
        '00080060': ['CT'],
        '0008103E': [],
        '0020000E': ['1.1.1'],
        '00200011': ['1'],
        '00201209': ['2'],
      },
      {
        ...common,
        '00080060': ['SR'],
        '0008103E': ['Report'],
        '0020000E': ['1.1.2'],
        '00200011': ['2'],
        '00201209': ['1'],
      },
    ]);
  });

  it('lists images of a series', async () => {
    const keys = {
      '0020000D': '1.1',
      '0020000E': '1.1.1',
      '00080018': '',
      '00080016': '',
      '00200013': '',
      '00083002': '',
    };
    const { answers } = await found(all, asked('STUDY', 'IMAGE', keys));
    assert.deepEqual(
      answers.map((answer) =>
        ['00080018', '00080016', '00200013', '00083002'].map((tag) => answer[tag]?.[0]),
      ),
      [
        ['1.1.1.1', ctImageStorage, '1', explicitLittleEndian],
        ['1.1.1.2', ctImageStorage, '2', explicitLittleEndian],
      ],
    );
  });
});

describe('matching at the levels', () => {
  const studies = async (keys: Keys, options: Partial<FindQuery> = {}): Promise<string[]> =>
    column(all, asked('STUDY', 'STUDY', { '0020000D': '', ...keys }, options), '0020000D');

  it('combines keys, all of which must match', async () => {
    assert.deepEqual(await studies({ '00100010': 'LOVELACE*' }), ['1.1', '1.2']);
    assert.deepEqual(await studies({ '00100010': 'LOVELACE*', '00080020': '20260111' }), ['1.2']);
    assert.deepEqual(await studies({ '00081030': 'H*' }), ['1.1']);
    assert.deepEqual(await studies({ '0020000D': ['1.1', '2.1', '9.9'] }), ['1.1', '2.1']);
  });

  it('matches computed attributes', async () => {
    assert.deepEqual(await studies({ '00080061': 'SR' }), ['1.1']);
    assert.deepEqual(await studies({ '00080061': ['MR', 'CR'] }), ['1.2', '2.1']);
    assert.deepEqual(await studies({ '00201208': '3' }), ['1.1']);
  });

  it('a study without the attribute matches no key but the universal one', async () => {
    assert.deepEqual(await studies({ '00080030': '00-' }), ['1.1', '1.2']);
    assert.deepEqual(await studies({ '00080030': '' }), ['1.1', '1.2', '2.1']);
  });

  it('ranges of date and time are two ranges, or one of instants where that is negotiated', async () => {
    const keys = { '00080020': '20260110-20260111', '00080030': '1800-0900' };
    assert.deepEqual(await studies(keys), []);
    // From the 10th at 18:00 to the 11th at 9:00; Bob's came on the 11th at no known time.
    assert.deepEqual(await studies(keys, { combinedDateTime: true }), ['2.1']);
    const evening = { '00080020': '20260110-20260111', '00080030': '0900-1900' };
    assert.deepEqual(await studies(evening), ['1.1', '1.2']);
    assert.deepEqual(await studies(evening, { combinedDateTime: true }), ['1.1', '1.2', '2.1']);
    const from = { '00080020': '20260110-', '00080030': '1200-' };
    assert.deepEqual(await studies(from, { combinedDateTime: true }), ['1.2', '2.1']);
  });

  it('says of keys that it does not know that they are unsupported, and leaves them out', async () => {
    const query = asked('STUDY', 'STUDY', {
      '0020000D': '1.1',
      '00081048': 'X',
      '00080060': 'MR',
      '00081120': '',
    });
    const result = all.find(query);
    assert.ok(result.kind === 'matches' && result.hasUnsupportedKeys);
    const { answers } = await found(all, query);
    assert.deepEqual(Object.keys(answers[0] ?? {}).sort(), ['00080052', '00080054', '0020000D']);
    const known = all.find(
      asked('STUDY', 'STUDY', { '0020000D': '', '00080005': 'ISO_IR 100', '00080201': '+0100' }),
    );
    assert.ok(known.kind === 'matches' && !known.hasUnsupportedKeys);
  });

  it('repeats the character set of the query, in which it is answered where that holds the text', async () => {
    const query = asked('STUDY', 'STUDY', { '0020000D': '1.1', '00080005': 'ISO_IR 100' });
    assert.deepEqual((await found(all, query)).answers[0]?.['00080005'], ['ISO_IR 100']);
  });
});

describe('the hierarchy', () => {
  it('asks for the unique key of each level above, unless relational queries were negotiated', async () => {
    const cases: readonly (readonly ['PATIENT' | 'STUDY', QueryLevel, Keys, string[]])[] = [
      ['PATIENT', 'STUDY', { '0020000D': '' }, ['1.1', '1.2', '2.1']],
      ['STUDY', 'SERIES', { '0020000D': '', '0020000E': '' }, ['1.1', '1.1', '1.2', '2.1']],
      ['STUDY', 'SERIES', { '0020000D': ['1.1', '1.2'], '0020000E': '' }, ['1.1', '1.1', '1.2']],
      ['STUDY', 'IMAGE', { '0020000D': '1.1', '00080018': '' }, ['1.1', '1.1', '1.1']],
      ['STUDY', 'IMAGE', { '0020000D': '', '00080018': ['1.2.1.1', '2.1.1.1', '9'] }, ['1.2', '2.1']],
      ['PATIENT', 'STUDY', { '00100020': 'P*', '0020000D': '' }, ['1.1', '1.2', '2.1']],
    ];
    for (const [root, level, keys, expected] of cases) {
      assert.equal(refusal(all.find(asked(root, level, keys))), 'identifier', JSON.stringify(keys));
      const query = asked(root, level, keys, { relational: true });
      assert.deepEqual(await column(all, query, '0020000D'), expected, JSON.stringify(keys));
    }
  });

  it('matches series keys of a relational query for images', async () => {
    const keys = { '00100020': 'P1', '00080060': 'CT', '00080018': '', '00200013': '2' };
    const query = asked('STUDY', 'IMAGE', keys, { relational: true });
    assert.deepEqual(await column(all, query, '00080018'), ['1.1.1.2']);
  });

  it('tolerates other keys of the levels above, and matches them', async () => {
    const keys = { '00100020': 'P1', '00100010': 'Lovelace*', '0020000D': '', '00081030': 'Knee' };
    assert.deepEqual(await column(all, asked('PATIENT', 'STUDY', keys), '0020000D'), ['1.2']);
  });

  it('refuses what is no level of the model', () => {
    assert.equal(refusal(all.find(asked('STUDY', 'PATIENT', {}))), 'identifier');
    assert.equal(refusal(all.find(asked('STUDY', undefined, { '0020000D': '' }))), 'identifier');
    assert.equal(refusal(all.find(asked('STUDY', 'FRAME' as QueryLevel, {}))), 'identifier');
  });

  it('refuses a key that cannot be understood, without repeating it', () => {
    const result = all.find(asked('STUDY', 'STUDY', { '00080020': 'Lovelace' }));
    assert.equal(refusal(result), 'value');
    assert.ok(!JSON.stringify(result).includes('Lovelace'));
    const bytes = { '00080052': { vr: 'CS', values: ['STUDY'] }, '00100020': { vr: 'UN', values: ['AAAA'] } };
    assert.equal(refusal(all.find(asked('STUDY', 'STUDY', {}, { identifier: bytes }))), 'value');
  });
});

describe('what a query sees', () => {
  it('the newest version of an instance, once', async () => {
    const corrected = heldStudy({
      common: { ...ann, studyInstanceUid: '3.1' },
      objects: [
        {
          seriesInstanceUid: '3.1.1',
          sopInstanceUid: '3.1.1.1',
          instanceNumber: '1',
          patientName: 'Lovelace^An',
        },
        { seriesInstanceUid: '3.1.1', sopInstanceUid: '3.1.1.2', instanceNumber: '2' },
        {
          seriesInstanceUid: '3.1.1',
          sopInstanceUid: '3.1.1.1',
          instanceNumber: '11',
          studyDescription: 'Corrected',
        },
      ],
    });
    const archive = archiveOf(corrected);
    const images = asked('STUDY', 'IMAGE', { '0020000D': '3.1', '0020000E': '3.1.1', '00200013': '' });
    assert.deepEqual(await column(archive, images, '00200013'), ['11', '2']);
    const studies = asked('STUDY', 'STUDY', { '0020000D': '', '00081030': '', '00201208': '' });
    const { answers } = await found(archive, studies);
    assert.deepEqual([answers[0]?.['00081030'], answers[0]?.['00201208']], [['Corrected'], ['2']]);
  });

  it('a fetched study under the local patient ID, and what the PACS sent back of it only once', async () => {
    const common = { ...ann, patientId: 'FOREIGN', issuerOfPatientId: 'NORTH', studyInstanceUid: '4.1' };
    const images = [1, 2].map((n) => ({ seriesInstanceUid: '4.1.1', sopInstanceUid: `4.1.1.${n}` }));
    const fetched = heldStudy({
      origin: { kind: 'fetched', source: 'north', studyId: 'x' as never },
      common,
      objects: images,
    });
    const returned = heldStudy({
      origin: { kind: 'returned' },
      common: { ...common, patientId: 'LOCAL-1', issuerOfPatientId: '' },
      objects: [...images.slice(0, 1), { seriesInstanceUid: '4.1.9', sopInstanceUid: '4.1.9.1' }],
    });
    const archive = archiveOf(returned, fetched);
    const query = asked('STUDY', 'STUDY', { '00100020': '', '0020000D': '', '00201208': '' });
    const { answers } = await found(archive, query);
    assert.deepEqual(
      answers.map((answer) => [answer['00100020'], answer['00201208']]),
      [[['LOCAL-1'], ['3']]],
    );
    const selected = await archive.select(asked('STUDY', 'STUDY', { '0020000D': '4.1' }));
    assert.ok(selected.kind === 'objects');
    const texts = await Promise.all(selected.objects.map((object) => read(object)));
    assert.deepEqual(texts, ['fetched 4.1.1.1 0', 'fetched 4.1.1.2 1', 'returned 4.1.9.1 1']);
  });

  it('no study of which no object has come yet', async () => {
    const archive = archiveOf(heldStudy({ common: { studyInstanceUid: '5.1' }, objects: [] }));
    assert.deepEqual((await found(archive, asked('STUDY', 'STUDY', { '0020000D': '' }))).answers, []);
  });

  it('two patients under one study UID as two studies', async () => {
    assert.deepEqual(await column(shared(), asked('STUDY', 'STUDY', { '00100020': '' }), '00100020'), [
      'P1',
      'P3',
    ]);
  });
});

describe('a long search', () => {
  const many = (count: number): HeldArchive =>
    archiveOf(
      heldStudy({
        common: { studyInstanceUid: '8.1' },
        objects: Array.from({ length: count }, (_, index) => ({
          seriesInstanceUid: '8.1.1',
          sopInstanceUid: `8.1.1.${index}`,
        })),
      }),
    );
  const images = (options: Partial<FindQuery> = {}): FindQuery =>
    asked('STUDY', 'IMAGE', { '0020000D': '8.1', '0020000E': '8.1.1', '00080018': '' }, options);

  it('is listed up to the limit, and says that there is more', async () => {
    assert.equal((await found(many(matchesMax), images())).end, 'complete');
    const { answers, end } = await found(many(matchesMax + 1), images());
    assert.deepEqual([answers.length, end], [matchesMax, 'limit']);
  });

  /** How often others had a turn while this was searched in vain. */
  async function turnsDuring(archive: HeldArchive, query: FindQuery): Promise<number> {
    const { result, turns } = await countingTurns(() => found(archive, query));
    assert.equal(result.answers.length, 0);
    return turns;
  }

  const manyStudies = (): HeldArchive => {
    const studies = Array.from({ length: 3_000 }, (_, index) =>
      heldStudy({
        common: { studyInstanceUid: `9.${index}`, studyDescription: 'Head' },
        objects: [{ sopInstanceUid: `9.${index}.1` }],
      }),
    );
    const catalogue = new Map(studies.map((study) => [study.created.studyInstanceUid, [study]]));
    return new HeldArchive({
      catalogue: {
        studyInstanceUids: () => catalogue.keys(),
        studiesUnder: (uid) => catalogue.get(uid) ?? [],
      },
      deliveredAs: () => undefined,
      dataSetOf: () => assert.fail(),
      transcoder: { targets: () => [], transcode: () => assert.fail() },
    });
  };

  it('gives everybody else a turn, the sooner the more its keys cost', async () => {
    const archive = manyStudies();
    const cheap = asked('STUDY', 'STUDY', { '0020000D': '', '00081030': 'none' });
    assert.ok((await turnsDuring(archive, cheap)) >= 5);
    const alternatives = Array.from({ length: 60 }, (_, index) => `*${index}`);
    const dear = asked('STUDY', 'STUDY', { '0020000D': '', '00081030': alternatives });
    assert.ok((await turnsDuring(archive, dear)) >= 300);
  });

  it('takes turns with the others that search: many at a time leave everybody else what one leaves', async () => {
    const archive = manyStudies();
    const search = (): Promise<unknown> => found(archive, asked('STUDY', 'STUDY', { '00081030': 'none' }));
    const { turns: ofOne } = await countingTurns(search);
    const { turns: ofTen } = await countingTurns(() => Promise.all(Array.from({ length: 10 }, search)));
    assert.ok(ofTen >= 9 * ofOne, `${ofOne} turns, and ${ofTen} of ten`);
    const short = async (): Promise<void> => {
      for (let time = 0; time < 20; time++)
        await found(many(1), asked('STUDY', 'STUDY', { '0020000D': '', '00081030': 'none' }));
    };
    assert.ok((await countingTurns(short)).turns >= 20, 'short ones too');
  });

  it('gives everybody else a turn within one large study', async () => {
    const query = asked('STUDY', 'IMAGE', { '0020000D': '8.1', '0020000E': '8.1.1', '00200013': '1' });
    assert.ok((await turnsDuring(many(3_000), query)) >= 5);
  });

  it('gives everybody else a turn while many SOP instances are looked up within one study', async () => {
    const strangers = Array.from({ length: 15_000 }, (_, index) => `7.${index}`);
    const keys = { '0020000D': '8.1', '0020000E': '8.1.1', '00080018': strangers };
    const archive = many(1);
    assert.ok((await turnsDuring(archive, asked('STUDY', 'IMAGE', keys))) >= 50, 'to find them');
    const selecting = await countingTurns(() => archive.select(asked('STUDY', 'IMAGE', keys)));
    assert.ok(selecting.turns >= 50, 'to send them');
  });

  it('gives everybody else a turn between studies in which many SOP instances are looked up', async () => {
    const studies = Array.from({ length: 20 }, (_, index) => [
      heldStudy({
        common: { studyInstanceUid: `9.${index}` },
        objects: [{ sopInstanceUid: `9.${index}.1` }],
      }),
    ]);
    const uids = studies.map((_, index) => `9.${index}`);
    const strangers = Array.from({ length: 2_000 }, (_, index) => `7.${index}`);
    const keys = { '0020000D': uids, '00080018': strangers };
    const query = asked('STUDY', 'IMAGE', keys, { relational: true });
    assert.ok((await turnsDuring(archiveOf(...studies.flat()), query)) >= uids.length);
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    const query = asked('STUDY', 'STUDY', { '0020000D': '' }, { signal: controller.signal });
    const result = all.find(query);
    assert.ok(result.kind === 'matches');
    await result.matches.next();
    controller.abort();
    assert.deepEqual(await result.matches.next(), { done: true, value: 'cancelled' });
    assert.deepEqual(
      await all.select(asked('STUDY', 'STUDY', { '0020000D': '1.1' }, { signal: controller.signal })),
      {
        kind: 'cancelled',
      },
    );
  });
});
