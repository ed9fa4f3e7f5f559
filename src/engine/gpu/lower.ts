/** From a recorded program to GPU commands. */
import type { Matrix, Operation, OperationName, Operations, OptimizerOperands, Program } from '../engine.ts';
import { lowerGruBackward, lowerGruForward } from './cells/gru.ts';
import { lowerLstmBackward, lowerLstmForward } from './cells/lstm.ts';
import { lowerRnnBackward, lowerRnnForward } from './cells/rnn.ts';
import { type CellOperation, type Chain, chainAt } from './chains.ts';
import { CommandList } from './command-list.ts';
import { type Command, type Kernel, type View, view1d, view2d } from './commands.ts';
import * as losses from './kernels/losses.ts';
import { dispatchProduct } from './kernels/matmul.ts';
import * as optimizers from './kernels/optimizers.ts';
import { PARTIALS, partialNorms, partialSums, sumRows, totalNorm, totalSum } from './kernels/reductions.ts';
import * as rows from './kernels/rows.ts';
import { isRead, withoutDeadOperations } from './liveness.ts';

/** The commands of a program: chains of cells first, everything else operation by operation. */
export function lower(program: Program): readonly Command[] {
  const operations = withoutDeadOperations(program);
  const list = new CommandList();
  for (let i = 0; i < operations.length; ) {
    const chain = chainAt(operations, i);
    if (chain) {
      lowerChain(list, chain, (matrix) => isRead(operations, chain.end, matrix));
      i = chain.end;
    } else {
      lowerOperation(list, operations[i]!);
      i++;
    }
  }
  return list.commands;
}

function lowerChain(
  list: CommandList,
  chain: Chain<CellOperation>,
  isRead: (matrix: Matrix) => boolean,
): void {
  const lowerCell = CELLS[chain.op] as (
    list: CommandList,
    chain: Chain<CellOperation>,
    isRead: (matrix: Matrix) => boolean,
  ) => void;
  lowerCell(list, chain, isRead);
}

const CELLS: {
  readonly [K in CellOperation]: (
    list: CommandList,
    chain: Chain<K>,
    isRead: (matrix: Matrix) => boolean,
  ) => void;
} = {
  rnnForward: lowerRnnForward,
  rnnBackward: lowerRnnBackward,
  lstmForward: lowerLstmForward,
  lstmBackward: lowerLstmBackward,
  gruForward: lowerGruForward,
  gruBackward: lowerGruBackward,
};

function lowerOperation(list: CommandList, operation: Operation): void {
  const lowerOne = OPERATIONS[operation.op as keyof typeof OPERATIONS] as (
    list: CommandList,
    operands: Operation,
  ) => void;
  lowerOne(list, operation);
}

/** Sums this short take less time in one thread than another dispatch would. */
const ONE_THREAD = 2048;

/** The search for the rows of an id is shared by threads until there are so many, ... */
const MANY_THREADS = 2 ** 20;
/** ... or until each looks through so few ids only, ... */
const SHORT_SEARCH = 128;
/** ... but not by more than this. */
const MOST_PARTS = 16;

/** Runs a kernel with a thread for each element of `out`. */
function map(list: CommandList, kernel: Kernel, inputs: readonly View[], out: Matrix): void {
  list.dispatch(kernel, inputs, view2d(out), [out.columns, out.rows]);
}

const OPERATIONS: {
  readonly [K in Exclude<OperationName, CellOperation>]: (list: CommandList, o: Operations[K]) => void;
} = {
  fill(list, { out, value }) {
    if (value === 0) list.clear(view1d(out));
    else map(list, rows.fill(value), [], out);
  },
  copy: (list, { out, input }) => list.copy(view1d(input), view1d(out)),
  scaleRows: (list, { out, input, scale }) => map(list, rows.scaleRows, [view2d(input), view1d(scale)], out),
  storeRow: (list, { out, row, input }) =>
    map(list, rows.storeRow, [view2d(out), view1d(row), view1d(input)], out),

  matmul: (list, operands) =>
    dispatchProduct(list, operands, operands.accumulate ? view2d(operands.out) : undefined),
  sumRows: (list, { out, input }) =>
    list.dispatch(sumRows(input.rows), [view2d(input)], view1d(out), [out.columns]),
  sum(list, { out, input, scale }) {
    let terms = view1d(input);
    if (input.length > ONE_THREAD) {
      terms = { tensor: list.scratch('partial sums', PARTIALS), offset: 0, size: [PARTIALS] };
      list.dispatch(partialSums(input.length), [view1d(input)], terms, [PARTIALS]);
    }
    list.dispatch(totalSum(terms.size[0], scale), [terms], view1d(out), [1]);
  },
  norm(list, { out, input }) {
    const parts: View = {
      tensor: list.scratch('partial norms', 2 * PARTIALS),
      offset: 0,
      size: [2, PARTIALS],
    };
    list.dispatch(partialNorms(input.length), [view1d(input)], parts, [PARTIALS]);
    list.dispatch(totalNorm, [parts], view1d(out), [1]);
  },

  gather(list, o) {
    map(list, rows.gather(o), [view2d(o.table), view1d(o.ids), ...(o.bias ? [view1d(o.bias)] : [])], o.out);
  },
  gatherGradient(list, o) {
    const { out, ids } = o;
    const inputs = [view1d(ids), view2d(o.gradient)];
    const parts = Math.max(
      1,
      Math.floor(Math.min(MANY_THREADS / out.length, ids.rows / SHORT_SEARCH, MOST_PARTS)),
    );
    if (parts === 1) return map(list, rows.gatherGradient(o, 1), inputs, out);
    const tensor = list.scratch('partial gradients', parts * out.length);
    const size = [out.columns, out.rows, parts] as const;
    list.dispatch(rows.gatherGradient(o, parts), inputs, { tensor, offset: 0, size }, size);
    const sums: View = { tensor, offset: 0, size: [out.length, parts] };
    list.dispatch(sumRows(parts), [sums], view1d(out), [out.length]);
  },

  dropout: (list, o) => map(list, rows.dropout(o), [view2d(o.input), view1d(o.seed)], o.out),

  softmaxCrossEntropy(list, { losses: out, logits, targets, gradient, scale }) {
    const inputs = [view2d(logits), view1d(targets), softmaxRows(list, logits)];
    list.dispatch(losses.crossEntropyLosses, inputs, view1d(out), [out.length]);
    if (gradient) map(list, losses.crossEntropyGradient(scale), inputs, gradient);
  },
  softmaxSquaredError(list, { losses: out, logits, targets, gradient, scale }) {
    const inputs = [view2d(logits), view1d(targets), softmaxRows(list, logits)];
    list.dispatch(losses.squaredErrorLosses(logits.columns), inputs, view1d(out), [out.length]);
    if (gradient) map(list, losses.squaredErrorGradient(scale), [...inputs, view1d(out)], gradient);
  },

  adam: (list, o) => update(list, optimizers.adam(o), o, [o.firstMoment, o.secondMoment]),
  rmsprop: (list, o) => update(list, optimizers.rmsprop(o), o, [o.secondMoment]),
  sgd: (list, o) => update(list, optimizers.sgd(o), o, [o.velocity]),
};

/** [R, 2]: what the loss kernels need to know of each row. */
function softmaxRows(list: CommandList, logits: Matrix): View {
  const rows: View = { tensor: list.scratch('softmax', 2 * logits.rows), offset: 0, size: [2, logits.rows] };
  list.dispatch(losses.softmaxRows(logits.columns), [view2d(logits)], rows, [logits.rows]);
  return rows;
}

function update(
  list: CommandList,
  kernel: Kernel,
  { parameters, gradient, norm, rates }: OptimizerOperands,
  moments: readonly Matrix[],
): void {
  const inputs = [parameters, gradient, norm, rates, ...moments].map(view1d);
  list.dispatchAll(kernel, inputs, [parameters, ...moments]);
}
