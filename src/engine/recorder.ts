/**
 * Recording a program: declares temporaries, checks every operation's shapes and element types at the moment
 * it is recorded, and hands over a finished `Program`. A mistake in the model fails here, with names and
 * shapes, and not as a wrong number in an engine.
 */
import {
  declare,
  type LossOperands,
  type Matrix,
  mayAlias,
  type Operation,
  type OperationName,
  type Operations,
  type OptimizerOperands,
  operands,
  type Program,
} from './engine.ts';

/** Shape rules: each returns what must hold, as [label, actual, expected] triples. */
type Rule = [what: string, actual: number, expected: number];
const rules: { [K in OperationName]: (o: Operations[K]) => Rule[] } = {
  fill: () => [],
  copy: ({ out, input }) => same(out, { input }),
  scaleRows: ({ out, input, scale }) => [...same(out, { input }), ...shape('scale', scale, out.rows, 1)],
  storeRow: ({ out, row, input }) => [...shape('row', row, 1, 1), ...shape('input', input, 1, out.columns)],
  matmul: ({ out, a, b, transposeA, transposeB, bias }) => [
    ['rows of A', transposeA ? a.columns : a.rows, out.rows],
    ['columns of B', transposeB ? b.rows : b.columns, out.columns],
    ['inner size of A', transposeA ? a.rows : a.columns, transposeB ? b.columns : b.rows],
    ['transposed operands', transposeA && transposeB ? 2 : 1, 1],
    ...(bias ? shape('bias', bias, 1, out.columns) : []),
  ],
  sumRows: ({ out, input }) => shape('out', out, 1, input.columns),
  sum: ({ out }) => shape('out', out, 1, 1),
  norm: ({ out }) => shape('out', out, 1, 1),
  gather: ({ out, table, ids, transpose, bias }) => [
    ['width of the table', transpose ? table.rows : table.columns, out.columns],
    ...shape('ids', ids, out.rows, 1),
    ...(bias ? shape('bias', bias, 1, out.columns) : []),
  ],
  gatherGradient: ({ out, ids, gradient, transpose }) => [
    ['width of the table', transpose ? out.rows : out.columns, gradient.columns],
    ...shape('ids', ids, gradient.rows, 1),
  ],
  rnnForward: ({ hidden, preactivation }) => same(hidden, { preactivation }),
  rnnBackward: ({ preactivationGradient, hidden, hiddenGradient }) =>
    same(preactivationGradient, { hidden, hiddenGradient }),
  lstmForward: ({ gates, previousCell, cell, hidden }) => [
    ...same(hidden, { previousCell, cell }),
    ...shape('gates', gates, hidden.rows, 4 * hidden.columns),
  ],
  lstmBackward: ({ gates, previousCell, cell, hiddenGradient, cellGradient, gatesGradient }) => [
    ...same(hiddenGradient, { previousCell, cell, cellGradient }),
    ...shape('gates', gates, hiddenGradient.rows, 4 * hiddenGradient.columns),
    ...same(gates, { gatesGradient }),
  ],
  gruForward: ({ inputGates, hiddenGates, previousHidden, hidden }) => [
    ...same(hidden, { previousHidden }),
    ...shape('inputGates', inputGates, hidden.rows, 3 * hidden.columns),
    ...same(inputGates, { hiddenGates }),
  ],
  gruBackward: (o) => [
    ...same(o.hiddenGradient, {
      previousHidden: o.previousHidden,
      previousHiddenGradient: o.previousHiddenGradient,
    }),
    ...shape('inputGates', o.inputGates, o.hiddenGradient.rows, 3 * o.hiddenGradient.columns),
    ...same(o.inputGates, {
      hiddenGates: o.hiddenGates,
      inputGatesGradient: o.inputGatesGradient,
      hiddenGatesGradient: o.hiddenGatesGradient,
    }),
  ],
  dropout: ({ out, input, seed }) => [...same(out, { input }), ...shape('seed', seed, 1, 1)],
  softmaxCrossEntropy: lossRules,
  softmaxSquaredError: lossRules,
  adam: (o) => [...optimizerRules(o), ...same(o.parameters, { m: o.firstMoment, v: o.secondMoment })],
  rmsprop: (o) => [...optimizerRules(o), ...same(o.parameters, { v: o.secondMoment })],
  sgd: (o) => [...optimizerRules(o), ...same(o.parameters, { velocity: o.velocity })],
};

function shape(name: string, matrix: Matrix, rows: number, columns: number): Rule[] {
  return [
    [`rows of ${name}`, matrix.rows, rows],
    [`columns of ${name}`, matrix.columns, columns],
  ];
}

function same(model: Matrix, others: Record<string, Matrix>): Rule[] {
  return Object.entries(others).flatMap(([name, matrix]) => shape(name, matrix, model.rows, model.columns));
}

function lossRules(o: LossOperands): Rule[] {
  return [
    ...shape('losses', o.losses, o.logits.rows, 1),
    ...shape('targets', o.targets, o.logits.rows, 1),
    ...(o.gradient ? same(o.logits, { gradient: o.gradient }) : []),
  ];
}

function optimizerRules(o: OptimizerOperands): Rule[] {
  return [
    ...same(o.parameters, { gradient: o.gradient }),
    ...shape('norm', o.norm, 1, 1),
    ...shape('rates', o.rates, 1, 3),
  ];
}

/** Operands that hold integers; all others are f32. */
export const INTEGER_OPERANDS: ReadonlySet<string> = new Set(['ids', 'targets', 'row', 'seed']);

/** Records one program. */
export class Recorder {
  readonly name: string;
  readonly #operations: Operation[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Declares a temporary f32 matrix [rows, columns]. */
  temporary(name: string, rows: number, columns: number): Matrix {
    return declare(name, 'temporary', rows, columns);
  }

  /**
   * Appends one operation.
   * @throws TypeError when shapes or element types disagree or operands overlap in a way the catalogue forbids
   */
  add<K extends OperationName>(op: K, operandsAndSettings: Operations[K]): void {
    const operation = { op, ...operandsAndSettings } as Operation;
    for (const [what, actual, expected] of rules[op](operandsAndSettings)) {
      if (actual !== expected) this.#fail(op, `${what} is ${actual}, must be ${expected}`, operation);
    }
    const list = operands(operation);
    for (const { name, matrix } of list) {
      const type = INTEGER_OPERANDS.has(name) ? 'i32' : 'f32';
      if (matrix.tensor.type !== type)
        this.#fail(op, `${name} is ${matrix.tensor.type}, must be ${type}`, operation);
    }
    for (const written of list.filter((operand) => operand.written)) {
      for (const other of list) {
        if (other.name === written.name || !written.matrix.overlaps(other.matrix)) continue;
        if (!mayAlias(op, written.name, other.name) || !written.matrix.equals(other.matrix)) {
          this.#fail(op, `${written.name} overlaps ${other.name}`, operation);
        }
      }
    }
    this.#operations.push(operation);
  }

  /** The program as recorded so far. */
  finish(): Program {
    return { name: this.name, operations: [...this.#operations] };
  }

  #fail(op: string, problem: string, operation: Operation): never {
    const shapes = operands(operation).map(
      ({ name, matrix }) => `${name}=${matrix.tensor.name}[${matrix.rows}, ${matrix.columns}]`,
    );
    throw new TypeError(`program ${this.name}: ${op}: ${problem} (${shapes.join(', ')})`);
  }
}
