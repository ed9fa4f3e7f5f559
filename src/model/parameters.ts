/**
 * The named weights of a model, as views of one flat tensor. One tensor for all weights makes the gradient
 * norm one operation, an optimizer two, and a checkpoint one read.
 *
 * Names, shapes and gate order are PyTorch's, so that a saved file loads there unchanged. In the notation of
 * the textbook W_xh = weight_ih, W_hh = weight_hh, W_hy = head.weight.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { declare, Matrix } from '../engine/engine.ts';
import type { Random } from '../random.ts';
import { cellOf } from './cells/cell.ts';
import type { ModelConfig } from './config.ts';

/** Views start at multiples of 64 elements: a cache line, and WebGPU's binding alignment. */
const ALIGNMENT = 64;

interface Entry {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly offset: number;
}

/** Where each weight of a model lies in a flat vector of `length` elements, padding included. */
export class ParameterLayout {
  readonly entries: readonly Entry[];
  readonly length: number;
  /** Weights that decay (matrices) lie before this element, those that do not (biases) from it on. */
  readonly decayedLength: number;

  constructor(config: ModelConfig) {
    const shapes = weightShapes(config);
    const matrices = shapes.filter(([, , columns]) => columns > 0);
    const biases = shapes.filter(([, , columns]) => columns === 0);
    const entries: Entry[] = [];
    let offset = 0;
    const place = (name: string, rows: number, columns: number): void => {
      entries.push({ name, rows, columns, offset });
      offset += Math.ceil((rows * columns) / ALIGNMENT) * ALIGNMENT;
    };
    for (const [name, rows, columns] of matrices) place(name, rows, columns);
    this.decayedLength = offset;
    for (const [name, length] of biases) place(name, 1, length);
    this.entries = entries;
    this.length = offset;
  }

  /** Number of weights, without padding. */
  get count(): number {
    return this.entries.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  }

  /** The named weights as views of `flat` [1, length]. */
  views(flat: Matrix): Weights {
    const views = new Map(
      this.entries.map(({ name, rows, columns, offset }) => [
        name,
        new Matrix(flat.tensor, flat.offset + offset, rows, columns),
      ]),
    );
    return (name) => {
      const view = views.get(name);
      if (!view) throw new RangeError(`the model has no weight ${name}`);
      return view;
    };
  }
}

/** Looks a weight (or its gradient) up by name. @throws RangeError if the model has none of that name */
export type Weights = (name: string) => Matrix;

/** Name, rows and columns of every weight; 0 columns says it is a vector of `rows` elements. */
function weightShapes(config: ModelConfig): [name: string, rows: number, columns: number][] {
  const { layers, hidden: H, embedding: E, vocabulary: V } = config;
  const { gates } = cellOf(config);
  const shapes: [string, number, number][] = [];
  if (E > 0) shapes.push(['embedding.weight', V, E]);
  for (let l = 0; l < layers; l++) {
    shapes.push([`rnn.weight_ih_l${l}`, gates * H, l > 0 ? H : E || V]);
    shapes.push([`rnn.weight_hh_l${l}`, gates * H, H]);
    shapes.push([`rnn.bias_ih_l${l}`, gates * H, 0]);
    shapes.push([`rnn.bias_hh_l${l}`, gates * H, 0]);
  }
  shapes.push(['head.weight', V, H], ['head.bias', V, 0]);
  return shapes;
}

/** The shape a weight has in a checkpoint: vectors have one dimension there, as in PyTorch. */
export function savedShape({ name, rows, columns }: Entry): number[] {
  return name.includes('bias') ? [columns] : [rows, columns];
}

/** Declares the flat tensor of weights. */
export function declareParameters(layout: ParameterLayout): Matrix {
  return declare('parameters', 'parameter', 1, layout.length);
}

/**
 * Initial weights, flat: recurrent matrices orthogonal, one block a gate (Saxe et al. 2014: keeps the norm of
 * what flows through time); input and output matrices uniform in ±1/√H; embedding standard normal; biases 0,
 * but 1 for the LSTM's forget gate (Jozefowicz et al. 2015), so that a new network remembers.
 */
export async function initialWeights(
  config: ModelConfig,
  layout: ParameterLayout,
  random: Random,
): Promise<Float32Array> {
  const flat = new Float32Array(layout.length);
  const H = config.hidden;
  const bound = 1 / Math.sqrt(H);
  for (const { name, rows, columns, offset } of layout.entries) {
    const weights = flat.subarray(offset, offset + rows * columns);
    if (name.includes('weight_hh')) {
      for (let gate = 0; gate < rows / H; gate++) {
        weights.set(await randomOrthogonal(H, random), gate * H * H);
      }
    } else if (name === 'embedding.weight') {
      for (let i = 0; i < weights.length; i++) weights[i] = random.normal();
    } else if (!name.includes('bias')) {
      for (let i = 0; i < weights.length; i++) weights[i] = bound * (2 * random.uniform() - 1);
    } else if (config.cell === 'lstm' && name.includes('bias_ih')) {
      weights.fill(1, H, 2 * H);
    }
  }
  return flat;
}

/**
 * A random orthogonal matrix [size, size]: Gram-Schmidt on rows of normal numbers. Its work grows with the cube of
 * the size (seconds from 1000 on), so it lets the event loop turn.
 */
async function randomOrthogonal(size: number, random: Random): Promise<Float64Array> {
  const q = Float64Array.from({ length: size * size }, () => random.normal());
  let breath = performance.now();
  for (let i = 0; i < size; i++) {
    const row = q.subarray(i * size, (i + 1) * size);
    for (let j = 0; j < i; j++) {
      const earlier = q.subarray(j * size, (j + 1) * size);
      const projection = dot(row, earlier);
      for (let k = 0; k < size; k++) row[k]! -= projection * earlier[k]!;
    }
    const scale = 1 / Math.sqrt(dot(row, row));
    for (let k = 0; k < size; k++) row[k]! *= scale;
    if (performance.now() - breath > 50) {
      await yieldToEventLoop();
      breath = performance.now();
    }
  }
  return q;
}

/** Σ x_k y_k in four sums side by side, which do not wait for each other. */
function dot(x: Float64Array, y: Float64Array): number {
  const whole = x.length - (x.length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < whole; k += 4) {
    a += x[k]! * y[k]!;
    b += x[k + 1]! * y[k + 1]!;
    c += x[k + 2]! * y[k + 2]!;
    d += x[k + 3]! * y[k + 3]!;
  }
  for (let k = whole; k < x.length; k++) a += x[k]! * y[k]!;
  return a + b + c + d;
}
