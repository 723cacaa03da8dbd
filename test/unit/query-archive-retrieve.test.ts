/** What a retrieval sends of kept studies, and whose (PS3.4 annex C.4.2.1.4, C.6). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { QueryLevel } from '../../firmware/src/ports.ts';
import { explicitLittleEndian, heldStudy } from '../support/held-studies.ts';
import {
  all,
  ann,
  archiveOf,
  asked,
  kneeMr,
  type Keys,
  read,
  refusal,
  shared,
  uidsSelected,
} from '../support/held-archive.ts';

describe('what a retrieval sends', () => {
  it('all of a patient, of studies, of series, or single images', async () => {
    const cases: readonly (readonly ['PATIENT' | 'STUDY', QueryLevel, Keys, string[]])[] = [
      ['PATIENT', 'PATIENT', { '00100020': 'P1' }, ['1.1.1.1', '1.1.1.2', '1.1.2.1', '1.2.1.1']],
      ['PATIENT', 'STUDY', { '00100020': 'P1', '0020000D': '1.2' }, ['1.2.1.1']],
      ['PATIENT', 'STUDY', { '00100020': 'P2', '0020000D': '1.2' }, []],
      ['STUDY', 'STUDY', { '0020000D': ['1.2', '2.1', '9'] }, ['1.2.1.1', '2.1.1.1']],
      ['STUDY', 'SERIES', { '0020000D': '1.1', '0020000E': ['1.1.1', '1.2.1'] }, ['1.1.1.1', '1.1.1.2']],
      [
        'STUDY',
        'IMAGE',
        { '0020000D': '1.1', '0020000E': '1.1.1', '00080018': ['1.1.1.2', '1.1.2.1'] },
        ['1.1.1.2'],
      ],
    ];
    for (const [root, level, keys, expected] of cases)
      assert.deepEqual(await uidsSelected(all, asked(root, level, keys)), expected, JSON.stringify(keys));
  });

  it('what is named alone, where relational retrieval was negotiated', async () => {
    const keys = { '00080018': ['1.1.2.1', '2.1.1.1'] };
    assert.equal(refusal(await all.select(asked('STUDY', 'IMAGE', keys))), 'identifier');
    const query = asked('STUDY', 'IMAGE', keys, { relational: true });
    assert.deepEqual(await uidsSelected(all, query), ['1.1.2.1', '2.1.1.1']);
  });

  it('nothing by wildcard: an asterisk is that character', async () => {
    assert.deepEqual(await uidsSelected(all, asked('PATIENT', 'PATIENT', { '00100020': '*' })), []);
    assert.deepEqual(await uidsSelected(all, asked('STUDY', 'STUDY', { '0020000D': '*' })), []);
  });

  it('nothing for an identifier without its unique keys, or with those of levels below', async () => {
    const cases: readonly (readonly ['PATIENT' | 'STUDY', QueryLevel, Keys])[] = [
      ['STUDY', 'STUDY', {}],
      ['STUDY', 'STUDY', { '0020000D': '' }],
      ['STUDY', 'PATIENT', { '00100020': 'P1' }],
      ['PATIENT', 'PATIENT', { '00100020': ['P1', 'P2'] }],
      ['PATIENT', 'STUDY', { '0020000D': '1.1' }],
      ['STUDY', 'SERIES', { '0020000D': ['1.1', '1.2'], '0020000E': '1.1.1' }],
      ['STUDY', 'STUDY', { '0020000D': '1.1', '0020000E': '1.1.1' }],
    ];
    for (const [root, level, keys] of cases)
      assert.equal(refusal(await all.select(asked(root, level, keys))), 'identifier', JSON.stringify(keys));
  });

  it('never two patients as if they were one', async () => {
    const archive = shared();
    assert.equal(refusal(await archive.select(asked('STUDY', 'STUDY', { '0020000D': '1.1' }))), 'value');
    const named = asked('STUDY', 'STUDY', { '0020000D': '1.1', '00100020': 'P3' });
    assert.deepEqual(await uidsSelected(archive, named), ['1.1.7.1']);
    const series = asked('STUDY', 'SERIES', { '0020000D': '1.1', '0020000E': '1.1.7' });
    assert.deepEqual(await uidsSelected(archive, series), ['1.1.7.1']);

    const namesake = heldStudy({
      common: { patientId: 'P1', issuerOfPatientId: 'NORTH', studyInstanceUid: '6.1' },
      objects: [{ seriesInstanceUid: '6.1.1', sopInstanceUid: '6.1.1.1' }],
    });
    const two = archiveOf(kneeMr, namesake);
    assert.equal(refusal(await two.select(asked('PATIENT', 'PATIENT', { '00100020': 'P1' }))), 'value');
    const issuer = asked('PATIENT', 'PATIENT', { '00100020': 'P1', '00100021': 'NORTH' });
    assert.deepEqual(await uidsSelected(two, issuer), ['6.1.1.1']);
  });

  it('in another transfer syntax on demand', async () => {
    const jpeg = heldStudy({
      common: { ...ann, studyInstanceUid: '7.1' },
      objects: [{ sopInstanceUid: '7.1.1', transferSyntaxUid: '1.2.840.10008.1.2.4.70' }],
    });
    const result = await archiveOf(jpeg).select(asked('STUDY', 'STUDY', { '0020000D': '7.1' }));
    assert.ok(result.kind === 'objects');
    const [object] = result.objects;
    assert.ok(object);
    assert.deepEqual(object.transferSyntaxUids, ['1.2.840.10008.1.2.4.70', explicitLittleEndian]);
    assert.equal(await read(object), 'modality 7.1.1 0');
    assert.equal(
      await read(object, explicitLittleEndian),
      `1.2.840.10008.1.2.4.70 to ${explicitLittleEndian}: modality 7.1.1 0`,
    );
  });
});
