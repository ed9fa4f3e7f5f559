import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countIds, IdSequence } from '../../src/text/id-sequence.ts';
import { idsIn } from './ids-in.ts';

const numbers = (n: number) => Uint16Array.from({ length: n }, (_, i) => i % 1000);

describe('IdSequence', () => {
  it('when a range is read then it is filled, and nothing beside it', () => {
    const sequence = IdSequence.of(numbers(10));
    const out = new Int32Array(5).fill(-1);
    sequence.read(3, out.subarray(1, 4));
    assert.deepEqual([...out], [-1, 3, 4, 5, -1]);
    sequence.read(10, new Int32Array(0));
  });

  it('when a part of a part is taken then it counts from its own start and ends where it ends', () => {
    const part = IdSequence.of(numbers(100)).part(10, 90).part(5, 8);
    assert.equal(part.length, 3);
    assert.deepEqual(idsIn(part), [15, 16, 17]);
    assert.throws(() => part.read(1, new Int32Array(3)), RangeError);
  });

  it('when ids are mapped then so is every part, and mapping twice is one after the other', () => {
    const table = Uint32Array.of(2, 0, 1);
    const mapped = IdSequence.of(Uint8Array.of(0, 1, 2, 0)).mapped(table);
    assert.deepEqual(idsIn(mapped), [2, 0, 1, 2]);
    assert.deepEqual(idsIn(mapped.part(1, 3).mapped(Uint32Array.of(70_000, 5, 6))), [70_000, 5]);
  });

  it('when a range does not exist then a RangeError says so', () => {
    const sequence = IdSequence.of(numbers(10));
    for (const [start, length] of [
      [-1, 1],
      [10, 1],
      [8, 3],
      [0.5, 1],
      [Number.NaN, 0],
    ] as const) {
      assert.throws(() => sequence.read(start, new Int32Array(length)), RangeError, `${start}`);
    }
    for (const [start, end] of [
      [-1, 5],
      [6, 5],
      [0, 11],
      [Number.NaN, 5],
    ] as const) {
      assert.throws(() => sequence.part(start, end), RangeError, `${start} ${end}`);
    }
  });

  it('when it is read in windows then they are all of it, in order, also of nothing', () => {
    for (const n of [0, 1, 16_384, 16_385, 40_000]) {
      const ids = [...IdSequence.of(numbers(n)).windows()].length;
      assert.equal(ids, Math.ceil(n / 16_384));
      let seen: number[] = [];
      for (const window of IdSequence.of(numbers(n)).windows()) seen = seen.concat([...window]);
      assert.deepEqual(seen, [...numbers(n)]);
    }
  });
});

describe('countIds', () => {
  it('when a text is longer than a window then every id is counted once', () => {
    const counts = countIds(IdSequence.of(numbers(40_500)), 1001);
    assert.equal(counts.length, 1001);
    assert.deepEqual([counts[0], counts[499], counts[500], counts[1000]], [41, 41, 40, 0]);
  });
});
