/**
 * The catalogue of cases for the engine contract: every operation with odd and with realistic sizes, its
 * settings and its allowed aliases, on seeded random data. `contract.test.ts` runs it on every engine.
 */
import type { OperationName } from '../../src/engine/engine.ts';
import { Random } from '../../src/random.ts';

export interface OperandCase {
  readonly rows: number;
  readonly columns: number;
  /** What it holds before the operation; absent for a mere output, which then holds NaN. */
  readonly values?: readonly number[];
  /** The operand that this one is the very same matrix as. */
  readonly sameAs?: string;
}

export interface OperationCase {
  readonly title: string;
  readonly op: OperationName;
  readonly operands: Readonly<Record<string, OperandCase>>;
  readonly settings: Readonly<Record<string, unknown>>;
  /** An absolute error that every engine is allowed. */
  readonly floor: number;
}

type Draft = Omit<OperationCase, 'floor'>;

/**
 * Near 0, the reference's own cross-entropy has no digits left, and in float32 the gradient of the squared error
 * is a difference of numbers near 1. Everywhere else only what is below the normal floats may be lost.
 */
const FLOORS: { readonly [K in OperationName]?: number } = {
  softmaxCrossEntropy: 1e-15,
  softmaxSquaredError: 3e-7,
};
const SMALLEST = 2 ** -126;

const random = new Random(20240607);

/** A matrix of numbers that float32 holds exactly, uniform in [low, high). */
function uniform(rows: number, columns: number, low = -1, high = 1): OperandCase {
  const values = Array.from({ length: rows * columns }, () =>
    Math.fround(low + (high - low) * random.uniform()),
  );
  return { rows, columns, values };
}

function integers(rows: number, columns: number, low: number, high: number): OperandCase {
  const values = Array.from({ length: rows * columns }, () => low + random.integer(high - low));
  return { rows, columns, values };
}

function constant(rows: number, columns: number, value: number): OperandCase {
  return { rows, columns, values: new Array(rows * columns).fill(Math.fround(value)) };
}

function output(rows: number, columns: number): OperandCase {
  return { rows, columns };
}

function same(operand: OperandCase, sameAs: string): OperandCase {
  return { rows: operand.rows, columns: operand.columns, sameAs };
}

/** Around and between the widths of a vector (4) and of a tile (8), and beyond a few of them. */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 65];

/** [rows, columns] of elementwise operations: all small sizes, and some of real models. */
const SHAPES: readonly (readonly [number, number])[] = [
  ...SIZES.map((size) => [1, size] as const),
  ...SIZES.map((size) => [size, 3] as const),
  [2, 7],
  [5, 4],
  [7, 65],
  [50, 128],
];

function* moving(): Generator<Draft> {
  for (const [rows, columns] of SHAPES) {
    const input = uniform(rows, columns);
    const title = `[${rows}, ${columns}]`;
    const value = Math.fround(random.uniform());
    yield { title, op: 'fill', operands: { out: output(rows, columns) }, settings: { value } };
    yield { title, op: 'copy', operands: { out: output(rows, columns), input }, settings: {} };
    const scale = uniform(rows, 1);
    const scaled = { out: output(rows, columns), input, scale };
    yield { title, op: 'scaleRows', operands: scaled, settings: {} };
    const zeros = { ...scaled, input: constant(rows, columns, Number.NaN), scale: constant(rows, 1, 0) };
    yield { title: `${title}, NaN times 0`, op: 'scaleRows', operands: zeros, settings: {} };
    const inPlace = { ...scaled, out: same(input, 'input') };
    yield { title: `${title}, in place`, op: 'scaleRows', operands: inPlace, settings: {} };
    const stored = {
      out: uniform(rows, columns),
      row: integers(1, 1, 0, rows),
      input: uniform(1, columns),
    };
    yield { title, op: 'storeRow', operands: stored, settings: {} };
  }
}

function matmul(
  [rows, depth, columns]: readonly [number, number, number],
  { transposeA = false, transposeB = false, accumulate = false, bias = false },
): Draft {
  const flags = Object.entries({ transposeA, transposeB, accumulate, bias }).flatMap(([name, on]) =>
    on ? [name] : [],
  );
  return {
    title: [`[${rows}, ${depth}] x [${depth}, ${columns}]`, ...flags].join(', '),
    op: 'matmul',
    operands: {
      out: accumulate ? uniform(rows, columns) : output(rows, columns),
      a: transposeA ? uniform(depth, rows) : uniform(rows, depth),
      b: transposeB ? uniform(columns, depth) : uniform(depth, columns),
      ...(bias && { bias: uniform(1, columns) }),
    },
    settings: { transposeA, transposeB, accumulate },
  };
}

function* products(): Generator<Draft> {
  const transposes = [{}, { transposeA: true }, { transposeB: true }];
  const extras = [{}, { accumulate: true }, { bias: true }, { accumulate: true, bias: true }];
  let turn = 0;
  for (const rows of SIZES) {
    for (const columns of SIZES) {
      for (const depth of [1, 2, 3, 4, 5, 8, 9, 33]) {
        for (const transpose of transposes) {
          yield matmul([rows, depth, columns], { ...transpose, ...extras[turn++ % extras.length] });
        }
      }
    }
  }
  // Sums longer than one block of depth, rows beyond one block of rows, and the shapes of training.
  const large = [
    [1, 513, 130],
    [3, 300, 37],
    [6, 256, 24],
    [7, 257, 203],
    [5, 700, 65],
    [67, 257, 31],
    [130, 600, 12],
    [50, 128, 512],
    [64, 512, 256],
    [129, 96, 97],
  ] as const;
  for (const shape of large) {
    for (const transpose of transposes) {
      for (const extra of extras) yield matmul(shape, { ...transpose, ...extra });
    }
  }
  yield matmul([256, 3001, 64], { transposeA: true });
  for (const extra of extras) yield matmul([300, 40, 36], { transposeB: true, ...extra });
}

function* sums(): Generator<Draft> {
  for (const [rows, columns] of [...SHAPES, [300, 17], [1, 40000]] as const) {
    const input = uniform(rows, columns);
    const title = `[${rows}, ${columns}]`;
    const scalar = { out: output(1, 1), input };
    yield { title, op: 'sumRows', operands: { out: output(1, columns), input }, settings: {} };
    yield { title, op: 'sum', operands: scalar, settings: { scale: 1 / rows } };
    yield { title, op: 'norm', operands: scalar, settings: {} };
    const huge = { out: output(1, 1), input: uniform(rows, columns, -1e30, 1e30) };
    yield { title: `${title}, huge numbers`, op: 'norm', operands: huge, settings: {} };
    const tiny = { out: output(1, 1), input: uniform(rows, columns, -1e-30, 1e-30) };
    yield { title: `${title}, tiny numbers`, op: 'norm', operands: tiny, settings: {} };
  }
}

function* gathers(): Generator<Draft> {
  const shapes = [
    [1, 1, 1],
    [1, 5, 3],
    [2, 65, 7],
    [3, 9, 8],
    [9, 3, 5],
    [40, 7, 65],
    [64, 97, 33],
    [500, 65, 128],
  ] as const;
  for (const [rows, count, width] of shapes) {
    for (const transpose of [false, true]) {
      const [tableRows, tableColumns] = transpose ? [width, count] : [count, width];
      const title = `${rows} of ${count}, width ${width}${transpose ? ', transpose' : ''}`;
      const ids = integers(rows, 1, 0, count);
      const operands = { out: output(rows, width), table: uniform(tableRows, tableColumns), ids };
      yield { title, op: 'gather', operands, settings: { transpose } };
      const biased = { ...operands, bias: uniform(1, width) };
      yield { title: `${title}, bias`, op: 'gather', operands: biased, settings: { transpose } };
      const gradient = { out: output(tableRows, tableColumns), ids, gradient: uniform(rows, width) };
      yield { title, op: 'gatherGradient', operands: gradient, settings: { transpose } };
    }
  }
}

function* cells(): Generator<Draft> {
  // Few rows of a wide layer too: threads share its hidden units.
  for (const [rows, width] of [...SHAPES, [1, 168], [3, 128]] as const) {
    const title = `[${rows}, ${width}]`;
    const hidden = () => uniform(rows, width);
    const wide = (gates: number) => uniform(rows, gates * width, -4, 4);
    const sigmoids = (gates: number) => uniform(rows, gates * width, 0, 1);
    for (const activation of ['tanh', 'relu']) {
      const settings = { activation };
      const forward = { hidden: output(rows, width), preactivation: wide(1) };
      yield { title: `${title}, ${activation}`, op: 'rnnForward', operands: forward, settings };
      const backward = {
        preactivationGradient: output(rows, width),
        hidden: hidden(),
        hiddenGradient: hidden(),
      };
      yield { title: `${title}, ${activation}`, op: 'rnnBackward', operands: backward, settings };
    }

    const lstmForward = {
      gates: wide(4),
      previousCell: hidden(),
      cell: output(rows, width),
      hidden: output(rows, width),
    };
    yield { title, op: 'lstmForward', operands: lstmForward, settings: {} };
    const gates = sigmoids(4);
    const lstmBackward = {
      gates,
      previousCell: hidden(),
      cell: hidden(),
      hiddenGradient: hidden(),
      cellGradient: hidden(),
      gatesGradient: output(rows, 4 * width),
    };
    yield { title, op: 'lstmBackward', operands: lstmBackward, settings: {} };
    const lstmInPlace = { ...lstmBackward, gatesGradient: same(gates, 'gates') };
    yield { title: `${title}, in place`, op: 'lstmBackward', operands: lstmInPlace, settings: {} };

    const gruForward = {
      inputGates: wide(3),
      hiddenGates: wide(3),
      previousHidden: hidden(),
      hidden: output(rows, width),
    };
    yield { title, op: 'gruForward', operands: gruForward, settings: {} };
    const [inputGates, hiddenGates] = [sigmoids(3), wide(3)];
    const gruBackward = {
      inputGates,
      hiddenGates,
      previousHidden: hidden(),
      hiddenGradient: hidden(),
      previousHiddenGradient: hidden(),
      inputGatesGradient: output(rows, 3 * width),
      hiddenGatesGradient: output(rows, 3 * width),
    };
    yield { title, op: 'gruBackward', operands: gruBackward, settings: {} };
    const gruInPlace = {
      ...gruBackward,
      inputGatesGradient: same(inputGates, 'inputGates'),
      hiddenGatesGradient: same(hiddenGates, 'hiddenGates'),
    };
    yield { title: `${title}, in place`, op: 'gruBackward', operands: gruInPlace, settings: {} };
    const oneInPlace = { ...gruBackward, hiddenGatesGradient: same(hiddenGates, 'hiddenGates') };
    yield { title: `${title}, one in place`, op: 'gruBackward', operands: oneInPlace, settings: {} };
  }
}

function* dropouts(): Generator<Draft> {
  for (const [rows, columns] of [...SHAPES, [4099, 6], [2, 8195]] as const) {
    const input = uniform(rows, columns);
    for (const [rate, drawn, stream] of [
      [0, 5, 0],
      [0.5, 2 ** 24 - 1, 0],
      [0.2, 4096, 3],
      [0.9, 0, 7],
    ] as const) {
      const title = `[${rows}, ${columns}], rate ${rate}`;
      const settings = { stream, rate };
      const seed = { rows: 1, columns: 1, values: [drawn] };
      const operands = { out: output(rows, columns), input, seed };
      yield { title, op: 'dropout', operands, settings };
      const inPlace = { ...operands, out: same(input, 'input') };
      yield { title: `${title}, in place`, op: 'dropout', operands: inPlace, settings };
    }
  }
}

function* losses(): Generator<Draft> {
  const shapes = [...SHAPES, [3, 2000], [400, 97]] as const;
  for (const op of ['softmaxCrossEntropy', 'softmaxSquaredError'] as const) {
    for (const [rows, columns] of shapes) {
      for (const spread of [3, 60]) {
        const logits = uniform(rows, columns, -spread, spread);
        const targets = integers(rows, 1, 0, columns);
        const title = `[${rows}, ${columns}] in ±${spread}`;
        const settings = { scale: Math.fround(1 / rows) };
        const operands = { losses: output(rows, 1), logits, targets };
        yield { title: `${title}, without gradient`, op, operands, settings };
        const all = { ...operands, gradient: output(rows, columns) };
        yield { title, op, operands: all, settings };
        const inPlace = { ...operands, gradient: same(logits, 'logits') };
        yield { title: `${title}, in place`, op, operands: inPlace, settings };
        const some = { ...all, targets: integers(rows, 1, -1, 1) };
        yield { title: `${title}, some without target`, op, operands: some, settings };
      }
    }
    const far = { ...uniform(4, 6), values: uniform(4, 6, -1e4, 1e4).values! };
    const equal = constant(4, 6, 1e8);
    for (const [title, logits] of Object.entries({ 'far apart': far, 'large and equal': equal })) {
      const operands = {
        losses: output(4, 1),
        logits,
        targets: integers(4, 1, 0, 6),
        gradient: output(4, 6),
      };
      yield { title, op, operands, settings: { scale: 1 } };
    }
  }
}

function* optimizers(): Generator<Draft> {
  for (const length of [...SIZES, 1003]) {
    for (const [clipNorm, norm, weightDecay] of [
      [0, 3, 0],
      [5, 3, 0.01],
      [1, 3, 0.01],
      [1, Number.POSITIVE_INFINITY, 0.01],
      [0, Number.NaN, 0],
    ] as const) {
      const operands = {
        parameters: uniform(1, length),
        gradient: uniform(1, length),
        norm: constant(1, 1, norm),
        rates: { rows: 1, columns: 3, values: [0.01, 0.271, 0.002997].map(Math.fround) },
      };
      const moment = uniform(1, length);
      const square = uniform(1, length, 0, 1);
      const title = `${length}, norm ${norm} clipped at ${clipNorm}, decay ${weightDecay}`;
      const common = { clipNorm, weightDecay };
      for (const decoupled of [false, true]) {
        yield {
          title: decoupled ? `${title}, decoupled` : title,
          op: 'adam',
          operands: { ...operands, firstMoment: moment, secondMoment: square },
          settings: { ...common, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decoupled },
        };
      }
      yield {
        title,
        op: 'rmsprop',
        operands: { ...operands, secondMoment: square },
        settings: { ...common, alpha: 0.95, epsilon: 1e-8 },
      };
      const velocity = { ...operands, velocity: moment };
      yield { title, op: 'sgd', operands: velocity, settings: { ...common, momentum: 0.9 } };
    }
  }
}

const groups = [moving, products, sums, gathers, cells, dropouts, losses, optimizers];

/** All cases by operation. */
export function catalogue(): Map<OperationName, OperationCase[]> {
  const cases = new Map<OperationName, OperationCase[]>();
  for (const group of groups) {
    for (const draft of group()) {
      const list = cases.get(draft.op) ?? [];
      list.push({ ...draft, floor: FLOORS[draft.op] ?? SMALLEST });
      cases.set(draft.op, list);
    }
  }
  return cases;
}
