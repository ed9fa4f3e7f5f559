/**
 * From a recorded program to the commands of a walker. Most operations are one command; products and gathers
 * may need an operand in another form first (packed, transposed): see `lowering.ts`.
 */
import {
  dropoutThreshold,
  type Matrix,
  type OperationName,
  type Operations,
  type OptimizerOperands,
  operands,
  type Program,
  type Tensor,
} from '../engine.ts';
import { type Argument, Float, NOWHERE, Place, type Storage } from './commands.ts';
import { LINE, type Lowered, Lowering, type Share, temporary, transposition } from './lowering.ts';
import * as op from './opcodes.ts';
import type { Target } from './target.ts';

/** The gradient of a table is transposed at the end if a replay gathers at least this share of its columns. */
const TRANSPOSE_SHARE = 1 / 4;

/** A larger product, counted in barriers, is several commands, so that none keeps signals and timers waiting for long. */
const COMMAND_WORK = 4e4;

/** All of it is one thread's work. */
const ALONE: Share = { units: 1 };

/**
 * The commands of a program.
 *
 * @param byUnits whether threads share time steps of few texts by hidden units, where that is worth it, and not by texts
 */
export function lower(
  program: Program,
  target: Target,
  storageOf: (tensor: Tensor) => Storage,
  byUnits: boolean,
): Lowered {
  const lowering = new Lowering(program, target, storageOf, byUnits);
  for (const operation of program.operations) {
    (lowerings[operation.op] as (o: unknown, to: Lowering) => void)(operation, lowering);
    for (const { matrix, written } of operands(operation)) if (written) lowering.forget(matrix);
  }
  return lowering;
}

/** A matrix as units of a command that treats all elements alike: its rows, or the elements of a single row. */
function pieces({ rows, columns }: Matrix): Share & { elements: number } {
  return rows > 1 ? { units: rows, elements: columns } : { units: columns, grain: LINE, elements: 1 };
}

/** The arguments of every command stand in the order in which the walkers read them. */
const lowerings: { readonly [K in OperationName]: (o: Operations[K], to: Lowering) => void } = {
  fill({ out, value }, to) {
    const { elements, ...share } = pieces(out);
    to.emit(op.FILL, share, [to.write(out, elements), elements, new Float(value)], out.length);
  },

  copy({ out, input }, to) {
    const { elements, ...share } = pieces(out);
    const places = [to.write(out, elements), to.read(input, elements)];
    to.emit(op.COPY, share, [...places, elements], out.length);
  },

  scaleRows({ out, input, scale }, to) {
    const places = [to.write(out), to.read(input), to.read(scale)];
    to.emit(op.SCALE_ROWS, { units: out.rows }, [...places, out.columns], out.length);
  },

  storeRow({ out, row, input }, to) {
    const places = [to.anywhere(out), to.all(row), to.all(input)];
    to.emit(op.STORE_ROW, ALONE, [...places, out.rows, out.columns], out.columns);
  },

  matmul({ out, a, b, transposeA, transposeB, accumulate, bias }, to) {
    const depth = transposeA ? a.rows : a.columns;
    const work = to.productWork(out.rows, out.columns, depth);
    const { place: panels, halves } = to.panels(b, transposeB ?? false);
    const form = (accumulate ? op.ACCUMULATE : 0) | (halves ? op.HALVES : 0);
    const added = [bias ? to.all(bias) : NOWHERE, form];
    const groups = to.productGroups(out, work);
    if (!transposeA && groups > 0) {
      const share = { units: Math.ceil(out.columns / groups / to.target.panelColumns) };
      const shape = [out.rows, out.columns, depth, groups];
      const places = [to.writeColumns(out, groups), to.all(a), panels];
      to.emit(op.MATMUL_BY_COLUMNS, share, [...places, ...added, ...shape], work);
      return;
    }
    const rows = Math.max(1, Math.floor((out.rows * COMMAND_WORK * to.target.barrierWork) / work));
    for (let first = 0; first < out.rows; first += rows) {
      const units = Math.min(rows, out.rows - first);
      const part = to.write(out.slice(first, units));
      const shape = [units, out.columns, depth];
      const share = { units };
      const partWork = to.productWork(units, out.columns, depth);
      if (transposeA) {
        const from = [to.all(a), first, a.columns];
        to.emit(op.MATMUL_TRANSPOSED, share, [part, ...from, panels, ...added, ...shape], partWork);
      } else {
        const from = to.read(a.slice(first, units));
        to.emit(op.MATMUL, share, [part, from, panels, ...added, ...shape], partWork);
      }
    }
  },

  sumRows({ out, input }, to) {
    const places = [to.write(out, 1), to.all(input)];
    const share = { units: out.columns, grain: LINE };
    to.emit(op.SUM_ROWS, share, [...places, input.rows, input.columns], input.length);
  },

  sum({ out, input, scale }, to) {
    const { partials, blocks } = sumBlocks(op.SUM_BLOCKS, input, to);
    to.emit(op.FINISH_SUM, ALONE, [to.write(out), partials, blocks, new Float(scale)], blocks);
  },

  norm({ out, input }, to) {
    const { partials, blocks } = sumBlocks(op.SQUARE_BLOCKS, input, to);
    to.emit(op.FINISH_NORM, ALONE, [to.write(out), partials, blocks], blocks);
  },

  gather({ out, table, ids, transpose, bias }, to) {
    const source = transpose ? to.transpose(table) : to.all(table);
    const places = [to.write(out), source, to.read(ids), bias ? to.all(bias) : NOWHERE];
    const shape = [transpose ? table.columns : table.rows, out.columns];
    to.emit(op.GATHER_ROWS, { units: out.rows }, [...places, ...shape], out.length);
  },

  gatherGradient({ out, ids, gradient, transpose }, to) {
    const { rows, columns: width } = gradient;
    const count = transpose ? out.columns : out.rows;
    const from = [to.all(ids), to.all(gradient), rows, count, width];
    const share = { units: width, grain: LINE };
    const work = out.length + gradient.length;
    if (!transpose) {
      to.emit(op.SCATTER_ROWS, share, [to.anywhere(out), ...from], work);
    } else if (rows < count * TRANSPOSE_SHARE) {
      to.emit(op.SCATTER_COLUMNS, share, [to.write(out), ...from], work);
    } else {
      const sums = temporary(`transpose of ${out.tensor.name}`, out.length * 4);
      to.emit(op.SCATTER_ROWS, share, [new Place(sums, { written: true }), ...from], work);
      to.commands.push(transposition(to.anywhere(out), new Place(sums), count, width));
    }
  },

  rnnForward({ hidden, preactivation, activation }, to) {
    const { share, shape, read, write } = forwardStep(hidden, preactivation, to);
    const places = [write(hidden), read(preactivation)];
    to.emit(op.RNN_FORWARD, share, [...shape, ...places, activation === 'relu' ? 1 : 0], 32 * hidden.length);
  },

  rnnBackward({ preactivationGradient, hidden, hiddenGradient, activation }, to) {
    const places = [to.write(preactivationGradient), to.read(hidden), to.read(hiddenGradient)];
    const settings = [hidden.columns, activation === 'relu' ? 1 : 0];
    to.emit(op.RNN_BACKWARD, { units: hidden.rows }, [...places, ...settings], 4 * hidden.length);
  },

  lstmForward({ gates, previousCell, cell, hidden }, to) {
    const { share, shape, read, write } = forwardStep(hidden, gates, to);
    const places = [write(gates), read(previousCell), write(cell), write(hidden)];
    to.emit(op.LSTM_FORWARD, share, [...shape, ...places], 160 * cell.length);
  },

  lstmBackward({ gates, previousCell, cell, hiddenGradient, cellGradient, gatesGradient }, to) {
    const forward = [gates, previousCell, cell, hiddenGradient].map((matrix) => to.read(matrix));
    const places = [...forward, to.write(cellGradient), to.write(gatesGradient)];
    to.emit(op.LSTM_BACKWARD, { units: cell.rows }, [...places, cell.columns], 64 * cell.length);
  },

  gruForward({ inputGates, hiddenGates, previousHidden, hidden }, to) {
    const { share, shape, read, write } = forwardStep(hidden, hiddenGates, to);
    const places = [write(inputGates), read(hiddenGates), read(previousHidden), write(hidden)];
    to.emit(op.GRU_FORWARD, share, [...shape, ...places], 100 * hidden.length);
  },

  gruBackward(o, to) {
    const places = [
      ...[o.inputGates, o.hiddenGates, o.previousHidden, o.hiddenGradient].map((matrix) => to.read(matrix)),
      ...[o.previousHiddenGradient, o.inputGatesGradient, o.hiddenGatesGradient].map((matrix) =>
        to.write(matrix),
      ),
    ];
    const { rows, columns, length } = o.hiddenGradient;
    to.emit(op.GRU_BACKWARD, { units: rows }, [...places, columns], 32 * length);
  },

  dropout({ out, input, seed, stream, rate }, to) {
    const places = [to.write(out), to.read(input), to.all(seed)];
    const settings = [stream, dropoutThreshold(rate), new Float(1 / (1 - rate))];
    to.emit(op.DROPOUT, { units: out.rows }, [...places, ...settings, out.columns], 16 * out.length);
  },

  softmaxCrossEntropy({ losses, logits, targets, gradient, scale }, to) {
    const places = [to.write(losses), to.read(logits), to.read(targets)];
    const settings = [gradient ? to.write(gradient) : NOWHERE, new Float(scale), logits.columns];
    to.emit(op.CROSS_ENTROPY, { units: logits.rows }, [...places, ...settings], 32 * logits.length);
  },

  softmaxSquaredError({ losses, logits, targets, gradient, scale }, to) {
    const places = [to.write(losses), to.read(logits), to.read(targets)];
    // Without a gradient the probabilities of a row need a place.
    const probabilities = gradient
      ? to.write(gradient)
      : new Place(temporary('probabilities', logits.length * 4), {
          unitBytes: logits.columns * 4,
          written: true,
        });
    const settings = [probabilities, gradient ? 1 : 0, new Float(scale), logits.columns];
    to.emit(op.SQUARED_ERROR, { units: logits.rows }, [...places, ...settings], 32 * logits.length);
  },

  adam(o, to) {
    const decay1 = [new Float(o.beta1), new Float(1 - o.beta1)];
    const decay2 = [new Float(o.beta2), new Float(1 - o.beta2)];
    const settings = [...decay1, ...decay2, new Float(o.epsilon), o.decoupled ? 1 : 0];
    update(op.ADAM, o, [o.firstMoment, o.secondMoment], settings, to);
  },

  rmsprop(o, to) {
    const settings = [new Float(o.alpha), new Float(1 - o.alpha), new Float(o.epsilon)];
    update(op.RMSPROP, o, [o.secondMoment], settings, to);
  },

  sgd(o, to) {
    update(op.SGD, o, [o.velocity], [new Float(o.momentum)], to);
  },
};

/** How threads share a cell's forward step: by rows of the batch or, as they share the product before it, by hidden units. */
function forwardStep(
  { rows, columns: H }: Matrix,
  gates: Matrix,
  to: Lowering,
): { share: Share; shape: number[]; read: (m: Matrix) => Place; write: (m: Matrix) => Place } {
  const byColumns = to.columnGroups(gates, H) > 0;
  return {
    share: { units: byColumns ? H / to.target.panelColumns : rows },
    shape: [rows, H, byColumns ? 1 : 0],
    read: (matrix) => (byColumns ? to.readColumns(matrix, matrix.columns / H) : to.read(matrix)),
    write: (matrix) => (byColumns ? to.writeColumns(matrix, matrix.columns / H) : to.write(matrix)),
  };
}

/** An optimizer's command: what all of them start with, then their own settings. */
function update(
  opcode: number,
  o: OptimizerOperands,
  moments: Matrix[],
  settings: Argument[],
  to: Lowering,
): void {
  const inputs = [to.read(o.gradient, 1), to.all(o.norm), to.all(o.rates)];
  const places = [to.write(o.parameters, 1), ...inputs, ...moments.map((moment) => to.write(moment, 1))];
  const common = [new Float(o.clipNorm), new Float(o.weightDecay)];
  const share = { units: o.parameters.length, grain: LINE };
  to.emit(opcode, share, [...places, ...common, ...settings], 16 * o.parameters.length);
}

/** The first half of a sum over many numbers: one float64 for each block. */
function sumBlocks(opcode: number, input: Matrix, to: Lowering): { partials: Place; blocks: number } {
  const blocks = Math.ceil(input.length / op.SUM_BLOCK);
  const storage = temporary(`partial sums of ${input.tensor.name}`, blocks * 8);
  const partials = new Place(storage, { unitBytes: 8, written: true });
  const from = to.read(input, op.SUM_BLOCK);
  to.emit(opcode, { units: blocks }, [partials, from, input.length], input.length);
  return { partials: new Place(storage), blocks };
}
