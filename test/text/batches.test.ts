import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import { Batches, type BatchPosition } from '../../src/text/batches.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';

interface Window {
  inputs: number[];
  targets: number[];
  epoch: number;
  startsEpoch: boolean;
}

function take(batches: Batches, count: number): Window[] {
  const size = batches.batchSize * batches.sequenceLength;
  return Array.from({ length: count }, () => {
    const inputs = new Int32Array(size);
    const targets = new Int32Array(size);
    const info = batches.next(inputs, targets);
    return { inputs: [...inputs], targets: [...targets], ...info };
  });
}

/** The definition, spelt out: slices of slices. */
function naive(ids: number[], B: number, T: number, epochs: number): Window[] {
  const streamLength = Math.floor(ids.length / B);
  const streams = Array.from({ length: B }, (_, b) => ids.slice(b * streamLength, (b + 1) * streamLength));
  const windows: Window[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let start = 0; start + T + 1 <= streamLength; start += T) {
      const timeSteps = (offset: number) =>
        Array.from({ length: T }, (_, t) => streams.map((stream) => stream[start + offset + t]!)).flat();
      windows.push({ inputs: timeSteps(0), targets: timeSteps(1), epoch, startsEpoch: start === 0 });
    }
  }
  return windows;
}

const numbers = (n: number) => Uint16Array.from({ length: n }, (_, i) => 1000 + i);
const textOf = (n: number) => IdSequence.of(numbers(n));

const shapes: [n: number, B: number, T: number][] = [
  [2, 1, 1],
  [10, 1, 3],
  [11, 2, 4],
  [12, 3, 3],
  [26, 2, 4],
  [100, 7, 5],
  [101, 4, 24],
  [1000, 13, 8],
];

describe('Batches', () => {
  for (const [n, B, T] of shapes) {
    it(`when ${n} symbols are cut into ${B} streams and windows of ${T} then they are those of the definition`, () => {
      const batches = new Batches(textOf(n), B, T);
      const expected = naive([...numbers(n)], B, T, 3);
      assert.equal(batches.windowsPerEpoch * 3, expected.length);
      assert.deepEqual(take(batches, expected.length), expected);
      assert.deepEqual(batches.position, { epoch: 3, window: 0 });
    });

    it(`when windows of ${T} follow each other (n ${n}, B ${B}) then streams go on and targets are the next inputs`, () => {
      const batches = new Batches(textOf(n), B, T);
      const windows = take(batches, batches.windowsPerEpoch);
      const inputs = windows.flatMap((window) => window.inputs);
      const targets = windows.flatMap((window) => window.targets);
      for (let row = 0; row < inputs.length; row++) {
        assert.equal(targets[row], inputs[row]! + 1);
        if (row >= B) assert.equal(inputs[row], targets[row - B]);
      }
    });

    it(`when restored at any position (n ${n}, B ${B}, T ${T}) then the same windows follow`, () => {
      const whole = new Batches(textOf(n), B, T);
      const count = Math.min(2 * whole.windowsPerEpoch + 1, 40);
      const positions: BatchPosition[] = [];
      const windows: Window[] = [];
      for (let i = 0; i < count; i++) {
        positions.push(whole.position);
        windows.push(...take(whole, 1));
      }
      for (const [i, position] of positions.entries()) {
        const restored = new Batches(textOf(n), B, T);
        restored.restore(JSON.parse(JSON.stringify(position)));
        assert.deepEqual(take(restored, count - i), windows.slice(i));
      }
    });
  }

  it('when the text is one symbol too short for a window then the error tells what there is and what is needed', () => {
    assert.equal(new Batches(textOf(4 * 9), 4, 8).windowsPerEpoch, 1);
    assert.throws(
      () => new Batches(textOf(4 * 9 - 1), 4, 8),
      (error) =>
        error instanceof CharloomError &&
        error.code === 'BAD_DATA' &&
        /35 characters.*needs 36/.test(error.message) &&
        /--batch-size.*--sequence-length/.test(error.hint),
    );
    assert.throws(() => new Batches(textOf(0), 1, 1), CharloomError);
  });

  it('when a size is no whole number from 1 on then a RangeError says so', () => {
    for (const [B, T] of [
      [0, 3],
      [1, 0],
      [1.5, 3],
      [1, Number.NaN],
    ] as const) {
      assert.throws(() => new Batches(textOf(10), B, T), RangeError);
    }
  });

  it('when the position to restore does not exist then it is bad data', () => {
    const batches = new Batches(textOf(10), 1, 3); // 3 windows
    for (const position of [
      { epoch: 0, window: 3 },
      { epoch: -1, window: 0 },
      { epoch: 0.5, window: 0 },
      { epoch: 0, window: Number.NaN },
    ]) {
      assert.throws(
        () => batches.restore(position),
        (error) => error instanceof CharloomError && error.code === 'BAD_DATA',
      );
    }
    assert.deepEqual(batches.position, { epoch: 0, window: 0 });
  });

  it('when the arrays to fill have another size then a RangeError says so', () => {
    const batches = new Batches(textOf(10), 1, 3);
    assert.throws(() => batches.next(new Int32Array(2), new Int32Array(3)), RangeError);
    assert.throws(() => batches.next(new Int32Array(3), new Int32Array(4)), RangeError);
  });
});
