/** Attribute matching of PS3.4 C.2.2.2, case by case, and the wildcard against a regular expression of the same meaning. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  keyAlternativesMax,
  keyCharactersMax,
  keyUidsMax,
  valueCharactersMax,
} from '../../firmware/src/query/limits.ts';
import { compileKey, type KeyVr } from '../../firmware/src/query/matching.ts';
import { characters, matchesWildcard } from '../../firmware/src/query/wildcard.ts';

function matches(vr: KeyVr, key: string | readonly string[], value: string): boolean {
  const match = compileKey(vr, typeof key === 'string' ? [key] : key);
  assert.equal(match.kind, 'matcher', `${key.toString()} as ${vr}`);
  return match.kind === 'matcher' && match.matches(value);
}

type Case = readonly [
  vr: KeyVr,
  key: string | readonly string[],
  matching: readonly string[],
  other: readonly string[],
];

const cases: Readonly<Record<string, readonly Case[]>> = {
  'single value matching (C.2.2.2.1)': [
    ['LO', '4711', ['4711'], ['4711 A', '471', '', '14711']],
    ['LO', 'Abc', ['Abc'], ['abc', 'ABC']],
    ['SH', ' A1 ', ['A1'], ['A2']],
    ['CS', 'CT', ['CT'], ['ct', 'CTX']],
    ['LO', 'a.c', ['a.c'], ['abc']],
    // The same text, composed and decomposed.
    ['LO', 'Mu\u0308ller', ['M\u00fcller'], ['Muller']],
    ['IS', '7', ['7', '07', ' 7 ', '+7'], ['70', '', '-7']],
    ['IS', '-07', ['-7'], ['7']],
    ['DA', '20260228', ['20260228', '2026.02.28'], ['20260227', '', 'yesterday']],
    [
      'TM',
      '101530',
      ['101530', '101530.25', '10:15:30', '1015', '10'],
      ['101529', '101531', '11', '', 'noon'],
    ],
    ['TM', '10', ['10', '1059', '105959.999999'], ['095959', '110000']],
  ],
  'person names (C.2.2.2.1, PS3.5 6.2.1)': [
    ['PN', 'doe^JOHN', ['Doe^John', 'DOE^JOHN^^^', ' Doe ^ John '], ['Doe', 'Doe^Johnny', 'John^Doe', '']],
    ['PN', 'Doe^John^^', ['Doe^John'], ['Doe^John^M']],
    ['PN', 'MÜLLER^Ö*', ['Müller^Özgür', 'Mu\u0308ller^O\u0308'], ['Muller^Ozgur']],
    ['PN', 'Doe^John^*', ['Doe^John', 'Doe^John^M'], ['Doe^Johnny', 'Doe']],
    ['PN', 'Doe*', ['Doe', 'Doe^John', 'Doering^A'], ['A^Doe']],
    ['PN', '*^John', ['Doe^John'], ['Doe^John^M', 'John']],
    ['PN', 'D?e^*', ['Doe^A', 'Dée^'], ['Dooe^A']],
    ['PN', 'Yamada^Tarou', ['Yamada^Tarou=山田^太郎=やまだ^たろう'], ['Yamada^Hanako=山田^花子']],
    ['PN', '山田*', ['Yamada^Tarou=山田^太郎=やまだ^たろう', '山田^太郎'], ['Yamada^Tarou']],
    ['PN', '=山田^太郎', ['Yamada^Tarou=山田^太郎', 'X=山田^太郎=y'], ['山田^太郎']],
    ['PN', 'Yamada^*=山田^*', ['Yamada^Tarou=山田^太郎'], ['Yamada^Tarou', '山田^太郎=Yamada^Tarou']],
  ],
  'list of UID matching (C.2.2.2.2)': [
    ['UI', '1.2.3', ['1.2.3'], ['1.2.30', '1.2', '']],
    ['UI', ['1.2.3', '1.2.4'], ['1.2.3', '1.2.4'], ['1.2.5']],
    // No wildcards in UIDs.
    ['UI', '1.2.*', [], ['1.2.3']],
  ],
  'wild card matching (C.2.2.2.4)': [
    ['LO', '*MR*', ['MR', 'HEAD MR', 'MRA'], ['mr', 'M R']],
    ['LO', 'A?', ['AB', 'A*', 'A山'], ['A', 'ABC']],
    ['LO', 'A**B', ['AB', 'AxB'], ['A']],
    ['SH', '?*', ['A', 'AB'], ['']],
    ['CS', 'C*', ['CT', 'CR'], ['MR']],
    ['LO', '[a-z]*', ['[a-z]x'], ['b']],
  ],
  'range matching (C.2.2.2.5)': [
    ['DA', '20260101-20260131', ['20260101', '20260115', '20260131'], ['20251231', '20260201', '']],
    ['DA', '20260101-', ['20260101', '99991231'], ['20251231', '', 'x']],
    ['DA', '-20260131', ['00010101', '20260131'], ['20260201', '']],
    ['DA', '2026.01.01-20260131', ['20260102'], ['20260201']],
    ['TM', '0800-1200', ['080000', '1159', '120059.9'], ['075959', '120100', '']],
    ['TM', '2200-', ['22', '235959'], ['2159']],
    ['TM', '-06', ['0000', '065959'], ['07']],
  ],
  'several values of other VRs: one of them': [
    ['CS', ['CT', 'MR'], ['CT', 'MR'], ['US']],
    ['LO', ['A*', 'B'], ['AX', 'B'], ['BX']],
    ['CS', ['CT', ''], ['CT'], ['MR', '']],
  ],
};

for (const [title, rows] of Object.entries(cases)) {
  describe(title, () => {
    for (const [vr, key, matching, other] of rows) {
      it(`${vr} ${JSON.stringify(key)}`, () => {
        for (const value of matching) assert.ok(matches(vr, key, value), `should match ${value}`);
        for (const value of other) assert.ok(!matches(vr, key, value), `should not match ${value}`);
      });
    }
  });
}

describe('universal matching (C.2.2.2.3)', () => {
  for (const values of [[], [''], ['  '], ['*'], ['**'], ['', '']]) {
    it(JSON.stringify(values), () => {
      for (const vr of ['LO', 'PN', 'UI', 'DA', 'TM', 'IS', 'CS'] as const)
        assert.equal(compileKey(vr, values).kind, 'universal');
    });
  }
});

describe('a key that cannot be understood', () => {
  const keys: readonly (readonly [KeyVr, string])[] = [
    ['DA', 'today'],
    ['DA', '202601'],
    ['DA', '20261301'],
    ['DA', '20260132'],
    ['DA', '-'],
    ['DA', '20260101-x'],
    ['DA', '2026*'],
    ['TM', '2500'],
    ['TM', '1260'],
    ['TM', '12-13-14'],
    ['IS', '1*'],
    ['IS', '1.5'],
    ['LO', 'x'.repeat(keyCharactersMax + 1)],
  ];
  for (const [vr, key] of keys) {
    it(`${vr} ${key.slice(0, 20)} is malformed, and the reason does not repeat it`, () => {
      const match = compileKey(vr, [key]);
      assert.ok(match.kind === 'malformed');
      assert.ok(!match.reason.includes(key));
    });
  }

  it('too many values', () => {
    for (const [vr, valuesMax] of [
      ['UI', keyUidsMax],
      ['LO', keyAlternativesMax],
      ['PN', keyAlternativesMax],
    ] as const) {
      const values = Array.from({ length: valuesMax + 1 }, (_, index) => `1.2.${index}`);
      assert.equal(compileKey(vr, values).kind, 'malformed');
      assert.equal(compileKey(vr, values.slice(1)).kind, 'matcher');
    }
  });
});

describe('what a key costs', () => {
  it('is told by its alternatives', () => {
    const cost = (vr: KeyVr, values: readonly string[]): number | undefined => {
      const match = compileKey(vr, values);
      return match.kind === 'matcher' ? match.cost : undefined;
    };
    assert.deepEqual(
      [cost('LO', ['A']), cost('PN', ['A*', 'B', '']), cost('UI', ['1', '2', '3'])],
      [1, 2, 1],
    );
  });

  it('does not grow with what an object says in a value beyond all measure', () => {
    const long = 'a'.repeat(valueCharactersMax);
    assert.ok(matches('LO', '*a', `${long}b`));
    assert.ok(!matches('LO', '*b', `${long}b`));
  });
});

describe('the wildcard', () => {
  const seed = 20_260_301;

  it('means what the regular expression of the same pattern means', () => {
    const letters = fc.constantFrom('a', 'b', '^', '.', '山', '\u{1F9E0}');
    const pattern = fc.array(fc.oneof(letters, fc.constantFrom('*', '?')), { maxLength: 10 });
    const text = fc.array(letters, { maxLength: 12 });
    fc.assert(
      fc.property(pattern, text, (parts, value) => {
        const source = parts
          .map((part) => (part === '*' ? '.*' : part === '?' ? '.' : part.replace(/[\^.]/, '\\$&')))
          .join('');
        const expected = new RegExp(`^${source}$`, 'su').test(value.join(''));
        assert.equal(matchesWildcard(parts, value), expected);
      }),
      { seed, numRuns: 5_000 },
    );
  });

  it('takes at most pattern times text steps for what brings backtracking matchers down', () => {
    let steps = 0;
    const pattern = characters('*a'.repeat(200) + 'b');
    const counted = new Proxy(pattern, {
      get(target, property, receiver): unknown {
        if (typeof property === 'string' && /^\d+$/.test(property)) steps += 1;
        return Reflect.get(target, property, receiver);
      },
    });
    const text = characters('a'.repeat(300));
    assert.equal(matchesWildcard(counted, text), false);
    assert.ok(steps <= 4 * pattern.length * text.length, `${steps} steps`);
  });
});
