/**
 * GFLOP/s of gpu.js kernels for the matrix products of a training step, in every form that was tried:
 * `node --import tsx test/bench/gpu-matmul.ts [webgpu|webasm|cpu]`. The kernel that charloom uses is the first row
 * (`src/engine/gpu/kernels/matmul.ts`).
 */
import { declare, type Operations } from '../../src/engine/engine.ts';
import {
  type Command,
  type Kernel,
  kernel,
  type Size,
  type View,
  view1d,
  view2d,
} from '../../src/engine/gpu/commands.ts';
import { EncoderExecutor } from '../../src/engine/gpu/encoder.ts';
import { product } from '../../src/engine/gpu/kernels/matmul.ts';
import { PortableExecutor } from '../../src/engine/gpu/portable.ts';

type Transpose = 'none' | 'A' | 'B';

/** [M, K, N] of A·B, at the sizes of an LSTM with H = 256, B = 32, T = 64, shortened in the long direction. */
const SHAPES: Record<Transpose, readonly [M: number, K: number, N: number]> = {
  B: [512, 256, 1024], // x·Wᵀ, the projections
  none: [512, 1024, 256], // dG·W, the gradients of inputs
  A: [1024, 512, 256], // dGᵀ·x, the gradients of weights
};

interface Tile {
  /** Adjacent columns that a thread computes. */
  readonly columns: 1 | 2 | 4;
  /** Terms of the sum that one turn of the loop adds. */
  readonly unroll: number;
  /** Indices in variables, which gpu.js makes floats. */
  readonly hoisted?: boolean;
  /** One index into flat arrays, with the row lengths as constants. */
  readonly flat?: boolean;
}

const TILES: Record<string, Tile> = {
  'one value': { columns: 1, unroll: 1 },
  'one value, indices in variables': { columns: 1, unroll: 1, hoisted: true },
  'one value, 4 terms a turn': { columns: 1, unroll: 4 },
  'two columns': { columns: 2, unroll: 1 },
  'four columns': { columns: 4, unroll: 1 },
  'four columns, flat arrays': { columns: 4, unroll: 1, flat: true },
  'four columns, indices in variables': { columns: 4, unroll: 1, hoisted: true },
  'four columns, 2 terms a turn': { columns: 4, unroll: 2 },
  'four columns, 4 terms a turn': { columns: 4, unroll: 4 },
};

function tiled(transpose: Transpose, [M, K, N]: readonly [number, number, number], tile: Tile): Kernel {
  const { columns, unroll, hoisted, flat } = tile;
  const [x, y] = hoisted ? ['x', 'y'] : ['this.thread.x', 'this.thread.y'];
  const column = (j: number): string => (columns === 1 ? x : `${x} * ${columns} + ${j}`);
  const term = (u: number): string => (u === 0 ? 'k' : `k + ${u}`);
  const at = (row: string, column: string, width: string): string =>
    flat ? `[(${row}) * this.constants.${width} + ${column}]` : `[${row}][${column}]`;
  const a = (u: number): string => `a${transpose === 'A' ? at(term(u), y, 'M') : at(y, term(u), 'K')}`;
  const b = (j: number, u: number): string =>
    `b${transpose === 'B' ? at(column(j), term(u), 'K') : at(term(u), column(j), 'N')}`;
  const list = <T>(count: number, item: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => item(i));
  const source = `function (a, b) {
    ${hoisted ? 'const x = this.thread.x; const y = this.thread.y;' : ''}
    ${list(columns, (j) => `let s${j} = 0;`).join(' ')}
    for (let k = 0; k < this.constants.K; ${unroll === 1 ? 'k++' : `k += ${unroll}`}) {
      ${list(unroll, (u) => `const a${u} = ${a(u)};`).join(' ')}
      ${list(columns, (j) => `s${j} += ${list(unroll, (u) => `a${u} * ${b(j, u)}`).join(' + ')};`).join('\n      ')}
    }
    return ${columns === 1 ? 's0' : `[${list(columns, (j) => `s${j}`).join(', ')}]`};
  }`;
  return kernel('variant', source, { M, K, N }, {}, columns);
}

const mode = process.argv[2] ?? 'webgpu';
const executor =
  mode === 'webgpu' ? await EncoderExecutor.open() : new PortableExecutor(mode as 'webasm' | 'cpu');
console.log(
  `gpu.js:${mode}${executor instanceof EncoderExecutor ? ` on ${executor.adapter.name}` : ''}, GFLOP/s`,
);

const ROUNDS = 5;
const MILLISECONDS = 150;

interface Candidate {
  readonly name: string;
  readonly run: () => Promise<void>;
  best: number;
}

/** GFLOP/s of the best of several rounds, in which all candidates have their turns: the machine may change its pace. */
async function race(candidates: Candidate[], flops: number, out: View): Promise<void> {
  for (const { run } of candidates) await run();
  await executor.read(out);
  for (let round = 0; round < ROUNDS; round++) {
    for (const candidate of candidates) {
      const start = performance.now();
      let runs = 0;
      while (runs < 2 || performance.now() - start < MILLISECONDS) {
        await candidate.run();
        runs++;
      }
      await executor.read(out);
      candidate.best = Math.max(candidate.best, (flops * runs) / (performance.now() - start) / 1e6);
    }
  }
}

const rows = new Map<string, string[]>();
for (const [transpose, [M, K, N]] of Object.entries(SHAPES) as [Transpose, [number, number, number]][]) {
  const a = transpose === 'A' ? declare('a', 'input', K, M) : declare('a', 'input', M, K);
  const b = transpose === 'B' ? declare('b', 'input', N, K) : declare('b', 'input', K, N);
  const out = declare('out', 'state', M, N);
  for (const matrix of [a, b]) {
    const values = Float32Array.from({ length: matrix.length }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);
    executor.write(view2d(matrix), values);
  }
  const candidate = (name: string, kernel: Kernel, inputs: readonly View[], grid: Size): Candidate => {
    const command: Command = { kind: 'dispatch', kernel, inputs, output: view2d(out), grid };
    return { name, run: executor.prepare(name, [command]).run, best: 0 };
  };
  const operands: Operations['matmul'] = {
    out,
    a,
    b,
    transposeA: transpose === 'A',
    transposeB: transpose === 'B',
  };
  const used = product(operands);
  const candidates = [candidate('charloom', used.kernel, used.inputs, used.grid)];
  for (const [name, tile] of Object.entries(TILES)) {
    const view = tile.flat ? view1d : view2d;
    const kernel = tiled(transpose, [M, K, N], tile);
    candidates.push(candidate(name, kernel, [view(a), view(b)], [N / tile.columns, M]));
  }
  await race(candidates, 2 * M * K * N, { ...view2d(out), size: [1] });
  for (const { name, best } of candidates) {
    rows.set(name, [...(rows.get(name) ?? []), best.toFixed(2).padStart(8)]);
  }
}
console.log(`${''.padEnd(36)}${['A·Bᵀ', 'A·B', 'Aᵀ·B'].map((name) => name.padStart(8)).join(' ')}`);
for (const [name, values] of rows) console.log(`${name.padEnd(36)}${values.join(' ')}`);
await executor.close();
