import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { divide, isSplit, parseSplit } from '../../src/text/split.ts';
import { idsIn } from './ids-in.ts';

const lengths = (n: number, split: string) => {
  const { train, validation, test } = divide(IdSequence.of(new Uint8Array(n)), parseSplit(split));
  return [train.length, validation.length, test.length];
};

describe('parseSplit', () => {
  it('when three percentages have the sum 100 then they are taken', () => {
    assert.deepEqual(parseSplit('90/5/5'), { train: 90, validation: 5, test: 5 });
    assert.deepEqual(parseSplit('100/0/0'), { train: 100, validation: 0, test: 0 });
    assert.deepEqual(parseSplit('99.8/0.1/0.1'), { train: 99.8, validation: 0.1, test: 0.1 });
    assert.equal(isSplit('99.8/0.1/0.1'), undefined);
  });

  const wrong = [
    '',
    '90',
    '90/10',
    '90/5/5/0',
    '90/5/6',
    '0/50/50',
    '110/-5/-5',
    'a/b/c',
    '90/5/',
    '9e1/5/5',
    ' 90/5/5',
    'NaN/1/1',
  ];
  for (const text of wrong) {
    it(`when the split is '${text}' then it is none`, () => {
      assert.match(isSplit(text)!, /sum 100/);
      assert.throws(() => parseSplit(text), RangeError);
    });
  }
});

describe('divide', () => {
  it('when a text is divided then the parts are contiguous, in order, and nothing is copied', () => {
    const ids = Uint8Array.from({ length: 40 }, (_, i) => i);
    const { train, validation, test } = divide(IdSequence.of(ids), parseSplit('90/5/5'));
    assert.deepEqual([train, validation, test].flatMap(idsIn), [...ids]);
    assert.deepEqual([train.length, validation.length, test.length], [36, 2, 2]);
    ids[39] = 99;
    assert.deepEqual(idsIn(test), [38, 99]);
  });

  it('when a share is no whole number of symbols then boundaries are rounded down', () => {
    assert.deepEqual(lengths(19, '90/5/5'), [17, 1, 1]);
    assert.deepEqual(lengths(1, '90/5/5'), [0, 0, 1]);
    assert.deepEqual(lengths(100, '29/1/70'), [29, 1, 70]); // 100 · 0.29 is 28.999999999999996
    assert.deepEqual(lengths(10_000, '0.57/50/49.43'), [57, 5000, 4943]); // 10,000 · 0.57 is 5699.999999999999
    assert.deepEqual(lengths(1000, '0.3/33.3/66.4'), [3, 333, 664]); // 0.3 + 33.3 is 33.599999999999994
  });

  it('when a share is 0 then its part is empty and no symbol is lost', () => {
    for (const n of [0, 1, 7, 1000]) {
      assert.deepEqual(lengths(n, '100/0/0'), [n, 0, 0]);
      assert.equal(lengths(n, '70.1/29.9/0')[2], 0);
    }
  });
});
