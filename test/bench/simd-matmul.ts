/**
 * GFLOP/s of the simd engine's matrix products, at the shapes of training and sampling:
 * `node --import tsx test/bench/simd-matmul.ts`. A product that is named "x T" is recorded T times, as in the time
 * loop of a recurrent layer, so that its weights are packed once for all of them.
 */
import { declare, type Matrix } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { openSimd } from '../../src/engine/simd/open-simd.ts';

interface Shape {
  readonly name: string;
  /** out [rows, columns], with `depth` terms in every sum. */
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly transpose: 'A' | 'B' | 'none';
  readonly times: number;
}

const shapes: Shape[] = [
  { name: 'recurrent, forward', rows: 50, depth: 128, columns: 512, transpose: 'B', times: 50 },
  { name: 'recurrent, forward', rows: 64, depth: 256, columns: 1024, transpose: 'B', times: 64 },
  { name: 'recurrent, forward', rows: 64, depth: 512, columns: 2048, transpose: 'B', times: 64 },
  { name: 'recurrent, backward', rows: 50, depth: 512, columns: 128, transpose: 'none', times: 50 },
  { name: 'recurrent, backward', rows: 64, depth: 1024, columns: 256, transpose: 'none', times: 64 },
  { name: 'projection', rows: 3200, depth: 128, columns: 512, transpose: 'B', times: 1 },
  { name: 'projection', rows: 3200, depth: 256, columns: 1024, transpose: 'B', times: 1 },
  { name: 'head', rows: 3200, depth: 256, columns: 97, transpose: 'B', times: 1 },
  { name: 'weight gradient', rows: 512, depth: 2500, columns: 128, transpose: 'A', times: 1 },
  { name: 'weight gradient', rows: 1024, depth: 4096, columns: 256, transpose: 'A', times: 1 },
  { name: 'weight gradient', rows: 2048, depth: 4096, columns: 512, transpose: 'A', times: 1 },
  { name: 'sampling', rows: 1, depth: 128, columns: 512, transpose: 'B', times: 20 },
  { name: 'sampling', rows: 1, depth: 512, columns: 2048, transpose: 'B', times: 20 },
  { name: 'sampling, 4 texts', rows: 4, depth: 512, columns: 2048, transpose: 'B', times: 1 },
  { name: 'sampling, 16 texts', rows: 16, depth: 512, columns: 2048, transpose: 'B', times: 1 },
];

function random(matrix: Matrix): Float32Array {
  return Float32Array.from({ length: matrix.length }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);
}

/** Seconds of the fastest of several rounds, each long enough for the clock. */
async function fastest(run: () => Promise<void>): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < 6; round++) {
    const start = performance.now();
    let runs = 0;
    while (performance.now() - start < 100) {
      await run();
      runs++;
    }
    best = Math.min(best, (performance.now() - start) / runs / 1000);
  }
  return best;
}

const engine = await openSimd({ threads: 1 });
for (const { name, rows, depth, columns, transpose, times } of shapes) {
  const a = transpose === 'A' ? declare('a', 'input', depth, rows) : declare('a', 'input', rows, depth);
  const b =
    transpose === 'B' ? declare('b', 'parameter', columns, depth) : declare('b', 'parameter', depth, columns);
  const out = declare('out', 'state', rows, columns);
  const recorder = new Recorder(name);
  const transposes = { transposeA: transpose === 'A', transposeB: transpose === 'B' };
  for (let i = 0; i < times; i++) recorder.add('matmul', { out, a, b, ...transposes });
  const executable = engine.prepare(recorder.finish());
  engine.write(a, random(a));
  engine.write(b, random(b));
  const seconds = await fastest(() => executable.run());
  const shape = `[${rows}, ${depth}] x [${depth}, ${columns}]${times > 1 ? ` x ${times}` : ''}`;
  const speed = (2e-9 * rows * depth * columns * times) / seconds;
  console.log(`${name.padEnd(22)}${shape.padEnd(32)}${speed.toFixed(1).padStart(6)} GFLOP/s`);
}
await engine.close();
