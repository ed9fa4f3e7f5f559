/**
 * Finding the time loops in a program. The model records a step as two operations: the recurrent product and
 * the cell. A GPU wants one dispatch for a step and wide ones for whatever need not wait its turn, so the
 * engine looks for chains: cells of one kind, each fed by the product of the one before, moving through
 * sequences block by block.
 */
import { Matrix, mayAlias, type Operation, type Operations, WRITES } from '../engine.ts';
import { isRead } from './liveness.ts';

export type CellOperation =
  | 'rnnForward'
  | 'rnnBackward'
  | 'lstmForward'
  | 'lstmBackward'
  | 'gruForward'
  | 'gruBackward';

/** Steps of one cell in order of execution: forward in time, or backward. */
export interface Chain<K extends CellOperation> {
  readonly op: K;
  readonly steps: readonly Operations[K][];
  /** The first of the products that feed the steps; absent if none does. */
  readonly product?: Operations['matmul'];
  /** Index of the first operation after the chain. */
  readonly end: number;
}

interface Pattern {
  /** Operands that move by one block from step to step: forward for +1, backward for −1. */
  readonly moves: readonly string[];
  readonly direction: 1 | -1;
  /** [operand of a step, operand of the next step] that are the same matrix. */
  readonly carries: readonly (readonly [string, string])[];
  /** What the product writes, and whether it adds to it. */
  readonly fed: string;
  readonly accumulates: boolean;
  /** The operand of the step before that the product multiplies with the weights. */
  readonly recurrent: string;
  /** Operands that lie in one sequence. Sequences have no memory in common, but for gradients in the gates' places. */
  readonly sequences: readonly (readonly string[])[];
}

const PATTERNS: { readonly [K in CellOperation]: Pattern } = {
  rnnForward: {
    moves: ['preactivation', 'hidden'],
    direction: 1,
    carries: [],
    fed: 'preactivation',
    accumulates: true,
    recurrent: 'hidden',
    sequences: [['preactivation'], ['hidden']],
  },
  rnnBackward: {
    moves: ['preactivationGradient', 'hidden', 'hiddenGradient'],
    direction: -1,
    carries: [],
    fed: 'hiddenGradient',
    accumulates: true,
    recurrent: 'preactivationGradient',
    sequences: [['preactivationGradient'], ['hidden'], ['hiddenGradient']],
  },
  lstmForward: {
    moves: ['gates', 'previousCell', 'cell', 'hidden'],
    direction: 1,
    carries: [['cell', 'previousCell']],
    fed: 'gates',
    accumulates: true,
    recurrent: 'hidden',
    sequences: [['gates'], ['previousCell', 'cell'], ['hidden']],
  },
  lstmBackward: {
    moves: ['gates', 'previousCell', 'cell', 'hiddenGradient', 'gatesGradient'],
    direction: -1,
    carries: [['cellGradient', 'cellGradient']],
    fed: 'hiddenGradient',
    accumulates: true,
    recurrent: 'gatesGradient',
    sequences: [['gates'], ['gatesGradient'], ['previousCell', 'cell'], ['hiddenGradient'], ['cellGradient']],
  },
  gruForward: {
    moves: ['inputGates', 'hiddenGates', 'previousHidden', 'hidden'],
    direction: 1,
    carries: [['hidden', 'previousHidden']],
    fed: 'hiddenGates',
    accumulates: false,
    recurrent: 'hidden',
    sequences: [['inputGates'], ['hiddenGates'], ['previousHidden', 'hidden']],
  },
  gruBackward: {
    moves: [
      'inputGates',
      'hiddenGates',
      'previousHidden',
      'hiddenGradient',
      'previousHiddenGradient',
      'inputGatesGradient',
      'hiddenGatesGradient',
    ],
    direction: -1,
    carries: [['previousHiddenGradient', 'hiddenGradient']],
    fed: 'hiddenGradient',
    accumulates: true,
    recurrent: 'hiddenGatesGradient',
    sequences: [
      ['inputGates'],
      ['hiddenGates'],
      ['inputGatesGradient'],
      ['hiddenGatesGradient'],
      ['previousHidden'],
      ['hiddenGradient', 'previousHiddenGradient'],
    ],
  },
};

type Step = Record<string, Matrix>;

/** The longest chain that starts at operation `start`: with the product that feeds it, or with a cell alone. */
export function chainAt(operations: readonly Operation[], start: number): Chain<CellOperation> | undefined {
  const first = operations[start]!;
  const forward = first.op === 'matmul' ? fedStep(operations, start, 1) : undefined;
  if (!forward && !isCell(first)) return undefined;
  const cell = (forward ? operations[start + 1] : first) as Operation & { op: CellOperation };
  const pattern = PATTERNS[cell.op];
  const steps = [cell];
  let product = forward;
  let end = start + (forward ? 2 : 1);
  // Forward every step is fed, or none; backward the first never is.
  while (forward || pattern.direction === -1) {
    const next = fedStep(operations, end, pattern.direction);
    const step = operations[end + 1] as typeof cell;
    if (!next || step.op !== cell.op || !follows(pattern, steps.at(-1)!, step, next, product)) break;
    product ??= next;
    steps.push(step);
    end += 2;
  }
  if (product && entangled(pattern, cell.op, steps, product)) {
    // One after the other, as the program has them.
    return forward ? undefined : { op: cell.op, steps: [cell] as never, end: start + 1 };
  }
  return { op: cell.op, steps: steps as never, end, ...(product && { product }) };
}

/** Does a step write memory that another reads as something else? A chain would write it later. */
function entangled(
  pattern: Pattern,
  op: CellOperation,
  steps: readonly Operation[],
  { a, b, bias }: Operations['matmul'],
): boolean {
  const writes: readonly string[] = [...WRITES[op], pattern.fed];
  const spans = pattern.sequences.flatMap((names, sequence) =>
    names.map((name) => {
      const ends = [steps[0]!, steps.at(-1)!].map((step) => operand(step, name));
      const from = Math.min(...ends.map(({ offset }) => offset));
      const to = Math.max(...ends.map(({ offset, length }) => offset + length));
      return { name, sequence, tensor: ends[0]!.tensor, from, to, written: writes.includes(name) };
    }),
  );
  const read = (matrix: Matrix, sequence: number) => ({
    name: '',
    sequence,
    tensor: matrix.tensor,
    from: matrix.offset,
    to: matrix.offset + matrix.length,
    written: false,
  });
  const states = pattern.sequences.findIndex((names) => names.includes(pattern.recurrent));
  const all = [...spans, read(a, states), read(b, -1), ...(bias ? [read(bias, -1)] : [])];
  return all.some(
    (x) =>
      x.written &&
      all.some(
        (y) =>
          y.sequence !== x.sequence &&
          y.tensor === x.tensor &&
          y.from < x.to &&
          x.from < y.to &&
          !(mayAlias(op, x.name, y.name) && y.from === x.from && y.to === x.to),
      ),
  );
}

function isCell(operation: Operation): operation is Operation & { op: CellOperation } {
  return Object.hasOwn(PATTERNS, operation.op);
}

/** The product at `index` if the operation after it is a cell, in this direction of time, that it feeds. */
function fedStep(
  operations: readonly Operation[],
  index: number,
  direction: 1 | -1,
): Operations['matmul'] | undefined {
  const product = operations[index];
  const cell = operations[index + 1];
  if (product?.op !== 'matmul' || !cell || !isCell(cell)) return undefined;
  const pattern = PATTERNS[cell.op];
  const fits =
    pattern.direction === direction &&
    product.out.equals(operand(cell, pattern.fed)) &&
    (product.accumulate ?? false) === pattern.accumulates &&
    (product.transposeB ?? false) === (direction === 1) &&
    !product.transposeA &&
    (direction === 1 || !product.bias) &&
    (cell.op !== 'rnnForward' || product.a.columns === cell.hidden.columns) &&
    // The gates are computed again, from the hidden states of all steps, where the cell has put the last.
    (cell.op !== 'lstmForward' || adjacent(product.a, cell.hidden, 1)) &&
    (cell.op !== 'gruForward' || product.a.equals(cell.previousHidden));
  if (!fits) return undefined;
  // Gates are replaced or computed again; a sum that stays where it is, and that is read later, must be there.
  const replaced = cell.op === 'lstmForward' || cell.op === 'gruForward';
  return replaced || !isRead(operations, index + 2, product.out) ? product : undefined;
}

function follows(
  pattern: Pattern,
  previous: Operation,
  step: Operation,
  product: Operations['matmul'],
  first: Operations['matmul'] | undefined,
): boolean {
  const sameWeights =
    !first ||
    (product.b.equals(first.b) &&
      (product.bias && first.bias ? product.bias.equals(first.bias) : product.bias === first.bias));
  return (
    sameWeights &&
    product.a.equals(operand(previous, pattern.recurrent)) &&
    pattern.moves.every((name) =>
      adjacent(operand(previous, name), operand(step, name), pattern.direction),
    ) &&
    pattern.carries.every(([from, to]) => operand(previous, from).equals(operand(step, to))) &&
    ('activation' in previous && 'activation' in step ? previous.activation === step.activation : true)
  );
}

function operand(operation: Operation, name: string): Matrix {
  return (operation as unknown as Step)[name]!;
}

/** Is `y` the block after (before, for direction −1) `x`? */
function adjacent(x: Matrix, y: Matrix, direction: 1 | -1): boolean {
  return (
    x.tensor === y.tensor &&
    x.rows === y.rows &&
    x.columns === y.columns &&
    y.offset === x.offset + direction * x.length
  );
}

/** The `count` blocks that begin with `first`, as one matrix. */
export function blocks(first: Matrix, count: number): Matrix {
  return new Matrix(first.tensor, first.offset, first.rows * count, first.columns);
}
