/** The dropout mask as random numbers: are its elements independent, and do all engines draw the same? */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare, dropoutKeeps } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ENGINES, withEngine } from '../engines.ts';

const SIZE = 256;
const RATES = [0.1, 0.5];
const DRAWS = [
  { seed: 0, stream: 0 },
  { seed: 12345, stream: 1 },
  { seed: 2 ** 24 - 1, stream: 3 },
];

/** Standard deviations; among the few hundred statistics below a true coin passes 4.5 once in a thousand runs. */
const LIMIT = 4.5;

interface Draw {
  readonly seed: number;
  readonly stream: number;
}

/** 1 where the element of a SIZE by SIZE window is dropped. */
function drops(rate: number, { seed, stream }: Draw, firstRow = 0, firstColumn = 0): Uint8Array {
  return Uint8Array.from({ length: SIZE * SIZE }, (_, i) =>
    dropoutKeeps(seed % 2 ** 24, stream, firstRow + Math.floor(i / SIZE), firstColumn + (i % SIZE), rate)
      ? 0
      : 1,
  );
}

function total(mask: Uint8Array): number {
  return mask.reduce((sum, x) => sum + x, 0);
}

/** The correlation of two masks in standard deviations of independent ones: √(χ²) of their 2 × 2 table. */
function correlation(x: Uint8Array, y: Uint8Array): number {
  const n = x.length;
  const [p, q] = [total(x) / n, total(y) / n];
  const both = x.reduce((sum, xi, i) => sum + (xi & y[i]!), 0);
  return ((both / n - p * q) / Math.sqrt(p * (1 - p) * q * (1 - q))) * Math.sqrt(n);
}

/** χ² of the sums of `groups` equal groups against the rate, in standard deviations of that χ². */
function chiSquare(sums: readonly number[], members: number, rate: number): number {
  const variance = members * rate * (1 - rate);
  const chi = sums.reduce((sum, s) => sum + (s - members * rate) ** 2 / variance, 0);
  return (chi - sums.length) / Math.sqrt(2 * sums.length);
}

function assertRandom(statistic: number, label: string): void {
  assert.ok(Math.abs(statistic) < LIMIT, `${label}: ${statistic.toFixed(1)} standard deviations`);
}

describe('the dropout mask', () => {
  it('drops the share it is told to, in every row and in every column', () => {
    for (const rate of RATES) {
      for (const draw of DRAWS) {
        const mask = drops(rate, draw);
        const deviation = Math.sqrt(mask.length * rate * (1 - rate));
        assertRandom((total(mask) - mask.length * rate) / deviation, 'mean');
        const indices = [...Array(SIZE).keys()];
        const rows = indices.map((r) => total(mask.subarray(r * SIZE, (r + 1) * SIZE)));
        const columns = indices.map((c) => indices.reduce((sum, r) => sum + mask[r * SIZE + c]!, 0));
        assertRandom(chiSquare(rows, SIZE, rate), 'rows');
        assertRandom(chiSquare(columns, SIZE, rate), 'columns');
      }
    }
  });

  it('draws neighbours in rows and columns independently', () => {
    const distances = [1, 2, 3, 4, 8, 64, 256, 4096];
    for (const rate of RATES) {
      for (const draw of DRAWS) {
        const mask = drops(rate, draw);
        for (const distance of distances) {
          assertRandom(correlation(mask, drops(rate, draw, distance, 0)), `${distance} rows further`);
          assertRandom(correlation(mask, drops(rate, draw, 0, distance)), `${distance} columns further`);
        }
        assertRandom(correlation(mask, drops(rate, draw, 1, 1)), 'diagonal');
      }
    }
  });

  it('draws near seeds and streams independently', () => {
    for (const rate of RATES) {
      for (const { seed, stream } of DRAWS) {
        const mask = drops(rate, { seed, stream });
        for (const step of [1, 2, 64, 911, 4096, 8192, 2 ** 18]) {
          const other = drops(rate, { seed: seed + step, stream });
          assertRandom(correlation(mask, other), `seed + ${step}`);
        }
        for (const step of [1, 2, 5]) {
          const other = drops(rate, { seed, stream: stream + step });
          assertRandom(correlation(mask, other), `stream + ${step}`);
        }
      }
    }
  });

  for (const name of ENGINES) {
    it(`is the same on ${name}, bit for bit`, async (t) => {
      await withEngine(t, name, async (engine) => {
        for (const [rows, columns] of [
          [8200, 9],
          [3, 8200],
        ] as const) {
          const [input, out] = ['input', 'out'].map((label) => declare(label, 'state', rows, columns));
          const seed = declare('seed', 'input', 1, 1, 'i32');
          const recorder = new Recorder('dropout');
          recorder.add('dropout', { out: out!, input: input!, seed, stream: 5, rate: 0.3 });
          const executable = engine.prepare(recorder.finish());
          engine.write(input!, new Float32Array(rows * columns).fill(1));
          for (const drawn of [0, 4095, 2 ** 24 - 1]) {
            engine.write(seed, [drawn]);
            await executable.run();
            const kept = Array.from(await engine.read(out!), (value) => value !== 0);
            const expected = kept.map((_, i) =>
              dropoutKeeps(drawn, 5, Math.floor(i / columns), i % columns, 0.3),
            );
            assert.deepEqual(kept, expected);
          }
        }
      });
    });
  }
});
