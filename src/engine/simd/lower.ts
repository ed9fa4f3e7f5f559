/**
 * From a recorded program to the commands of the walker. Most operations are one command; products and gathers
 * may need an operand in another form first (packed, transposed), which is made once per replay and shared by
 * all operations that read the same matrix, until something is written into it.
 */
import {
  dropoutThreshold,
  type Matrix,
  type OperationName,
  type Operations,
  operands,
  type Program,
  type Tensor,
} from '../engine.ts';
import * as op from './assembly/opcodes.ts';
import { type Argument, type Command, Float, NOWHERE, Place, type Storage } from './commands.ts';

/** With at most so many rows, a product reads its weights as they lie. */
const FEW_ROWS = 3;

/** A table is transposed as soon as a replay gathers this share of its columns. */
const TRANSPOSE_SHARE = 1 / 4;

type Form = 'panels' | 'panels of the transpose' | 'transpose';

interface Derived {
  readonly matrix: Matrix;
  readonly form: Form;
  readonly place: Place;
}

/** The commands of a program. `storageOf` finds the storage of a tensor that is not temporary. */
export function lower(program: Program, storageOf: (tensor: Tensor) => Storage): Command[] {
  const lowering = new Lowering(program, storageOf);
  for (const operation of program.operations) {
    (lowerings[operation.op] as (o: unknown, to: Lowering) => void)(operation, lowering);
    for (const { matrix, written } of operands(operation)) if (written) lowering.forget(matrix);
  }
  return lowering.commands;
}

class Lowering {
  readonly commands: Command[] = [];
  readonly #storageOf: (tensor: Tensor) => Storage;
  readonly #temporaries = new Map<Tensor, Storage>();
  /** What other forms of a tensor's matrices are valid at this point of the program. */
  readonly #derived = new Map<Tensor, Derived[]>();
  /** Rows that the program gathers from the columns of each table. */
  readonly #gathered = new Map<Tensor, number>();

  constructor(program: Program, storageOf: (tensor: Tensor) => Storage) {
    this.#storageOf = storageOf;
    for (const operation of program.operations) {
      if (operation.op !== 'gather') continue;
      const { tensor } = operation.table;
      this.#gathered.set(tensor, (this.#gathered.get(tensor) ?? 0) + operation.out.rows);
    }
  }

  emit(opcode: number, args: Argument[], work: number): void {
    this.commands.push({ opcode, arguments: args, work });
  }

  at(matrix: Matrix): Place {
    return new Place(this.#storage(matrix.tensor), matrix.offset * 4);
  }

  atOptional(matrix: Matrix | undefined): Argument {
    return matrix ? this.at(matrix) : NOWHERE;
  }

  #storage(tensor: Tensor): Storage {
    if (tensor.kind !== 'temporary') return this.#storageOf(tensor);
    let storage = this.#temporaries.get(tensor);
    if (!storage) {
      storage = temporary(tensor.name, tensor.length * 4);
      this.#temporaries.set(tensor, storage);
    }
    return storage;
  }

  /** B, or Bᵀ if `transposed`, packed into panels of columns. */
  panels(b: Matrix, transposed: boolean): Place {
    const [depth, columns] = transposed ? [b.columns, b.rows] : [b.rows, b.columns];
    const width = Math.ceil(columns / op.TILE_COLUMNS) * op.TILE_COLUMNS;
    return this.#derive(b, transposed ? 'panels of the transpose' : 'panels', depth * width, (place) => {
      const opcode = transposed ? op.PACK_TRANSPOSED : op.PACK;
      this.emit(opcode, [place, this.at(b), depth, columns], b.length);
    });
  }

  transpose(matrix: Matrix): Place {
    return this.#derive(matrix, 'transpose', matrix.length, (place) => {
      this.emit(op.TRANSPOSE, [place, this.at(matrix), matrix.rows, matrix.columns], matrix.length);
    });
  }

  /** Whether the program gathers enough columns of this table to make a transposed copy worth its while. */
  gathersMany(table: Matrix): boolean {
    return (this.#gathered.get(table.tensor) ?? 0) >= table.columns * TRANSPOSE_SHARE;
  }

  #derive(matrix: Matrix, form: Form, elements: number, make: (place: Place) => void): Place {
    const known = this.#derived.get(matrix.tensor) ?? [];
    const same = known.find((derived) => derived.form === form && sameView(derived.matrix, matrix));
    if (same) return same.place;
    const place = new Place(temporary(`${form} of ${matrix.tensor.name}`, elements * 4));
    make(place);
    this.#derived.set(matrix.tensor, [...known, { matrix, form, place }]);
    return place;
  }

  /** After a write: other forms of what was there are out of date. */
  forget(written: Matrix): void {
    const known = this.#derived.get(written.tensor);
    if (!known) return;
    const valid = known.filter(({ matrix }) => !overlap(matrix, written));
    this.#derived.set(written.tensor, valid);
  }
}

function temporary(name: string, bytes: number): Storage {
  return { name, bytes, temporary: true, address: 0 };
}

function sameView(x: Matrix, y: Matrix): boolean {
  return x.offset === y.offset && x.rows === y.rows && x.columns === y.columns;
}

function overlap(x: Matrix, y: Matrix): boolean {
  return x.offset < y.offset + y.length && y.offset < x.offset + x.length;
}

/** The arguments of every command stand in the order in which `assembly/walk.ts` reads them. */
const lowerings: { readonly [K in OperationName]: (o: Operations[K], to: Lowering) => void } = {
  fill({ out, value }, to) {
    to.emit(op.FILL, [to.at(out), out.length, new Float(value)], out.length);
  },

  copy({ out, input }, to) {
    to.emit(op.COPY, [to.at(out), to.at(input), out.length * 4], out.length);
  },

  scaleRows({ out, input, scale }, to) {
    const places = [to.at(out), to.at(input), to.at(scale)];
    to.emit(op.SCALE_ROWS, [...places, out.rows, out.columns], out.length);
  },

  storeRow({ out, row, input }, to) {
    const places = [to.at(out), to.at(row), to.at(input)];
    to.emit(op.STORE_ROW, [...places, out.rows, out.columns], out.columns);
  },

  matmul({ out, a, b, transposeA, transposeB, accumulate, bias }, to) {
    const depth = transposeA ? a.rows : a.columns;
    const few = !transposeA && out.rows <= FEW_ROWS;
    const weights = few ? to.at(b) : to.panels(b, transposeB ?? false);
    const opcode = few
      ? transposeB
        ? op.FEW_ROWS_TRANSPOSED
        : op.FEW_ROWS
      : transposeA
        ? op.MATMUL_TRANSPOSED
        : op.MATMUL;
    const places = [to.at(out), to.at(a), weights, to.atOptional(bias)];
    const shape = [out.rows, out.columns, depth];
    to.emit(opcode, [...places, accumulate ? 1 : 0, ...shape], 2 * out.length * depth);
  },

  sumRows({ out, input }, to) {
    to.emit(op.SUM_ROWS, [to.at(out), to.at(input), input.rows, input.columns], input.length);
  },

  sum({ out, input, scale }, to) {
    to.emit(op.SUM, [to.at(out), to.at(input), input.length, new Float(scale)], input.length);
  },

  norm({ out, input }, to) {
    to.emit(op.NORM, [to.at(out), to.at(input), input.length], input.length);
  },

  gather({ out, table, ids, transpose, bias }, to) {
    const direct = transpose && !to.gathersMany(table);
    const source = transpose && !direct ? to.transpose(table) : to.at(table);
    const places = [to.at(out), source, to.at(ids), to.atOptional(bias)];
    const shape = [out.rows, transpose ? table.columns : table.rows, out.columns];
    to.emit(direct ? op.GATHER_COLUMNS : op.GATHER_ROWS, [...places, ...shape], out.length);
  },

  gatherGradient({ out, ids, gradient, transpose }, to) {
    const { rows, columns: width } = gradient;
    const count = transpose ? out.columns : out.rows;
    const [idPlace, gradientPlace] = [to.at(ids), to.at(gradient)];
    const work = out.length + gradient.length;
    if (!transpose) {
      to.emit(op.SCATTER_ROWS, [to.at(out), idPlace, gradientPlace, rows, count, width], work);
    } else if (rows < count * TRANSPOSE_SHARE) {
      to.emit(op.SCATTER_COLUMNS, [to.at(out), idPlace, gradientPlace, rows, count, width], work);
    } else {
      const sums = new Place(temporary(`transpose of ${out.tensor.name}`, out.length * 4));
      to.emit(op.SCATTER_ROWS, [sums, idPlace, gradientPlace, rows, count, width], work);
      to.emit(op.TRANSPOSE, [to.at(out), sums, count, width], out.length);
    }
  },

  rnnForward({ hidden, preactivation, activation }, to) {
    const relu = activation === 'relu' ? 1 : 0;
    to.emit(op.RNN_FORWARD, [to.at(hidden), to.at(preactivation), hidden.length, relu], 32 * hidden.length);
  },

  rnnBackward({ preactivationGradient, hidden, hiddenGradient, activation }, to) {
    const places = [to.at(preactivationGradient), to.at(hidden), to.at(hiddenGradient)];
    const relu = activation === 'relu' ? 1 : 0;
    to.emit(op.RNN_BACKWARD, [...places, hidden.length, relu], 4 * hidden.length);
  },

  lstmForward({ gates, previousCell, cell, hidden }, to) {
    const places = [to.at(gates), to.at(previousCell), to.at(cell), to.at(hidden)];
    to.emit(op.LSTM_FORWARD, [...places, hidden.rows, hidden.columns], 160 * hidden.length);
  },

  lstmBackward({ gates, previousCell, cell, hiddenGradient, cellGradient, gatesGradient }, to) {
    const places = [gates, previousCell, cell, hiddenGradient, cellGradient, gatesGradient].map((matrix) =>
      to.at(matrix),
    );
    to.emit(op.LSTM_BACKWARD, [...places, cell.rows, cell.columns], 64 * cell.length);
  },

  gruForward({ inputGates, hiddenGates, previousHidden, hidden }, to) {
    const places = [to.at(inputGates), to.at(hiddenGates), to.at(previousHidden), to.at(hidden)];
    to.emit(op.GRU_FORWARD, [...places, hidden.rows, hidden.columns], 100 * hidden.length);
  },

  gruBackward(o, to) {
    const places = [
      to.at(o.inputGates),
      to.at(o.hiddenGates),
      to.at(o.previousHidden),
      to.at(o.hiddenGradient),
      to.at(o.previousHiddenGradient),
      to.at(o.inputGatesGradient),
      to.at(o.hiddenGatesGradient),
    ];
    const { rows, columns, length } = o.hiddenGradient;
    to.emit(op.GRU_BACKWARD, [...places, rows, columns], 32 * length);
  },

  dropout({ out, input, seed, stream, rate }, to) {
    const places = [to.at(out), to.at(input), to.at(seed)];
    const settings = [stream, dropoutThreshold(rate), new Float(1 / (1 - rate))];
    to.emit(op.DROPOUT, [...places, ...settings, out.rows, out.columns], 16 * out.length);
  },

  softmaxCrossEntropy({ losses, logits, targets, gradient, scale }, to) {
    const places = [to.at(losses), to.at(logits), to.at(targets), to.atOptional(gradient)];
    const shape = [logits.rows, logits.columns];
    to.emit(op.CROSS_ENTROPY, [...places, new Float(scale), ...shape], 32 * logits.length);
  },

  softmaxSquaredError({ losses, logits, targets, gradient, scale }, to) {
    const places = [to.at(losses), to.at(logits), to.at(targets), to.atOptional(gradient)];
    const shape = [logits.rows, logits.columns];
    const probabilities = gradient ? NOWHERE : new Place(temporary('probabilities', logits.columns * 4));
    to.emit(op.SQUARED_ERROR, [...places, new Float(scale), ...shape, probabilities], 32 * logits.length);
  },

  adam(o, to) {
    const moments = [to.at(o.firstMoment), to.at(o.secondMoment)];
    const decay1 = [new Float(o.beta1), new Float(1 - o.beta1)];
    const decay2 = [new Float(o.beta2), new Float(1 - o.beta2)];
    to.emit(
      op.ADAM,
      [...updateArguments(o, to, moments), ...decay1, ...decay2, new Float(o.epsilon), o.decoupled ? 1 : 0],
      16 * o.parameters.length,
    );
  },

  rmsprop(o, to) {
    const settings = [new Float(o.alpha), new Float(1 - o.alpha), new Float(o.epsilon)];
    const places = updateArguments(o, to, [to.at(o.secondMoment)]);
    to.emit(op.RMSPROP, [...places, ...settings], 16 * o.parameters.length);
  },

  sgd(o, to) {
    const places = updateArguments(o, to, [to.at(o.velocity)]);
    to.emit(op.SGD, [...places, new Float(o.momentum)], 8 * o.parameters.length);
  },
};

/** What all optimizer commands start with. */
function updateArguments(
  o: Operations['adam'] | Operations['rmsprop'] | Operations['sgd'],
  to: Lowering,
  moments: Place[],
): Argument[] {
  const places = [to.at(o.parameters), to.at(o.gradient), to.at(o.norm), to.at(o.rates), ...moments];
  return [...places, o.parameters.length, new Float(o.clipNorm), new Float(o.weightDecay)];
}
