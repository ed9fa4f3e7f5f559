/**
 * The named weights of a model, as views of one flat tensor. One tensor for all weights makes the gradient
 * norm one operation, an optimizer two, and a checkpoint one read.
 *
 * Names, shapes and gate order are PyTorch's, so that a saved file loads there unchanged. In the notation of
 * the textbook W_xh = weight_ih, W_hh = weight_hh, W_hy = head.weight.
 */
import { declare, Matrix } from '../engine/engine.ts';
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
