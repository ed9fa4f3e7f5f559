/** The matrix products of backpropagation through time: their shapes, their operations, and how fast they are. */
import { declare, type Engine } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import { cellOf } from '../model/cells/cell.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { FLUSH_MILLISECONDS } from '../training/step.ts';
import type { Work } from './measure.ts';

/** Replays between two waits for the device, at most. */
const REPLAYS = 64;

/** out [rows, columns] with `depth` terms in every sum, recorded `times` times. */
export interface Product {
  /** In the notation of docs/model.md: G for the gates. */
  readonly name: string;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly transpose: 'a' | 'b' | 'none';
  readonly times: number;
}

/** The products of one recurrent layer that reads vectors [T·B, H]. What has to wait its turn is one of T. */
export function layerProducts({ config }: LanguageModel, B: number, T: number): Product[] {
  const { hidden: H } = config;
  const G = cellOf(config).gates * H;
  return [
    { name: 'x·Wᵀ, all steps', rows: T * B, depth: H, columns: G, transpose: 'b', times: 1 },
    { name: 'h·Wᵀ, step by step', rows: B, depth: H, columns: G, transpose: 'b', times: T },
    { name: 'dG·W, step by step', rows: B, depth: G, columns: H, transpose: 'none', times: T },
    { name: 'dG·W, all steps', rows: T * B, depth: G, columns: H, transpose: 'none', times: 1 },
    { name: 'dGᵀ·x, all steps', rows: G, depth: T * B, columns: H, transpose: 'a', times: 1 },
  ];
}

/** Floating-point operations of a product: a multiplication and an addition for every term. */
export function productFlops({ rows, depth, columns, times }: Product): number {
  return 2 * rows * depth * columns * times;
}

/** Floating-point operations of a model's matrix products for each character that it reads. */
export function forwardFlops({ config, layout }: LanguageModel): number {
  // Looked up, not multiplied: the embedding, and the first weights where the input is one-hot.
  const table = config.embedding > 0 ? 'embedding.weight' : 'rnn.weight_ih_l0';
  return layout.entries
    .filter(({ name }) => name !== table && !name.includes('bias'))
    .reduce((sum, { rows, columns }) => sum + 2 * rows * columns, 0);
}

/** The same in training: the backward pass multiplies everything twice more, for the weights and for the inputs. */
export const trainingFlops = (model: LanguageModel): number => 3 * forwardFlops(model);

/** Computes a product over and over; the amount of work is its floating-point operations. */
export function productWork(engine: Engine, product: Product): Work {
  const { name, rows, depth, columns, transpose, times } = product;
  const transposes = { transposeA: transpose === 'a', transposeB: transpose === 'b' };
  const [height, width] = transpose === 'a' ? [depth, rows] : [rows, depth];
  const a = declare('a', 'input', times * height, width);
  const b =
    transpose === 'b' ? declare('b', 'parameter', columns, depth) : declare('b', 'parameter', depth, columns);
  const out = declare('out', 'state', times * rows, columns);
  const recorder = new Recorder(name);
  // As in the time loop: block t of one sequence is multiplied and added to block t of another.
  for (let t = 0; t < times; t++) {
    recorder.add('matmul', {
      out: out.slice(t * rows, rows),
      a: a.slice(t * height, height),
      b,
      ...transposes,
      accumulate: times > 1,
    });
  }
  const executable = engine.prepare(recorder.finish());
  for (const matrix of [a, b]) {
    engine.write(
      matrix,
      Float32Array.from({ length: matrix.length }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5),
    );
  }
  return async () => {
    const start = performance.now();
    let replays = 0;
    do {
      await executable.run();
      replays++;
    } while (replays < REPLAYS && performance.now() - start < FLUSH_MILLISECONDS);
    await engine.read(out.slice(0, 1));
    return replays * productFlops(product);
  };
}
