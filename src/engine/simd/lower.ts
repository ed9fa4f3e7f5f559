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

/** A product with fewer multiplications and additions than this is not worth waiting for other threads. */
const SHARED_WORK = 4e5;

/** A larger product is several commands, so that none keeps signals and timers waiting for long. */
const COMMAND_WORK = 1e9;

/** Into what units a command is divided; see `Command`. */
interface Share {
  readonly units: number;
  readonly grain?: number;
}

/** All of it is one thread's work. */
const ALONE: Share = { units: 1 };

/** Elements of an operation without rows are shared by the cache line. */
const LINE = 16;

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

  emit(opcode: number, { units, grain = 1 }: Share, args: Argument[], work: number): void {
    this.commands.push({ opcode, units, grain, arguments: args, work });
  }

  /** An operand that every unit may read anywhere. */
  all(matrix: Matrix): Place {
    return this.#place(matrix, 0, false);
  }

  /** An operand that every unit may read and write anywhere. */
  anywhere(matrix: Matrix): Place {
    return this.#place(matrix, 0, true);
  }

  /** An operand of which unit u reads the u-th `elements` elements: a row, if not said otherwise. */
  read(matrix: Matrix, elements = matrix.columns): Place {
    return this.#place(matrix, elements, false);
  }

  /** The same of one that the unit writes, and perhaps reads. */
  write(matrix: Matrix, elements = matrix.columns): Place {
    return this.#place(matrix, elements, true);
  }

  #place(matrix: Matrix, elements: number, written: boolean): Place {
    const [offset, bytes] = [matrix.offset * 4, matrix.length * 4];
    return new Place(this.#storage(matrix.tensor), { offset, bytes, unitBytes: elements * 4, written });
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
      const share = { units: width / op.TILE_COLUMNS };
      this.emit(opcode, share, [place, this.all(b), depth, columns], b.length);
    });
  }

  transpose(matrix: Matrix): Place {
    return this.#derive(matrix, 'transpose', matrix.length, (place) => {
      this.transposeInto(place, this.all(matrix), matrix.rows, matrix.columns);
    });
  }

  /** out [columns, rows] = inputᵀ */
  transposeInto(out: Place, input: Place, rows: number, columns: number): void {
    this.emit(op.TRANSPOSE, { units: rows, grain: 16 }, [out, input, rows, columns], rows * columns);
  }

  /** Whether the program gathers enough columns of this table to make a transposed copy worth its while. */
  gathersMany(table: Matrix): boolean {
    return (this.#gathered.get(table.tensor) ?? 0) >= table.columns * TRANSPOSE_SHARE;
  }

  #derive(matrix: Matrix, form: Form, elements: number, make: (place: Place) => void): Place {
    const known = this.#derived.get(matrix.tensor) ?? [];
    const same = known.find((derived) => derived.form === form && sameView(derived.matrix, matrix));
    if (same) return same.place;
    const storage = temporary(`${form} of ${matrix.tensor.name}`, elements * 4);
    make(new Place(storage, { written: true }));
    const place = new Place(storage);
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

/** A matrix as units of a command that treats all elements alike: its rows, or the elements of a single row. */
function pieces({ rows, columns }: Matrix): Share & { elements: number } {
  return rows > 1 ? { units: rows, elements: columns } : { units: columns, grain: LINE, elements: 1 };
}

/** The arguments of every command stand in the order in which `assembly/walk.ts` reads them. */
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
    const work = 2 * out.length * depth;
    const flags = [bias ? to.all(bias) : NOWHERE, accumulate ? 1 : 0];
    if (!transposeA && out.rows <= FEW_ROWS) {
      const share = { units: out.columns, grain: work < SHARED_WORK ? out.columns : LINE };
      const places = [to.anywhere(out), to.all(a), to.all(b)];
      const opcode = transposeB ? op.FEW_ROWS_TRANSPOSED : op.FEW_ROWS;
      to.emit(opcode, share, [...places, ...flags, out.rows, out.columns, depth], work);
      return;
    }
    const panels = to.panels(b, transposeB ?? false);
    const rows = Math.max(1, Math.floor((out.rows * COMMAND_WORK) / work));
    for (let first = 0; first < out.rows; first += rows) {
      const units = Math.min(rows, out.rows - first);
      const part = to.write(out.slice(first, units));
      const shape = [out.columns, depth];
      const share = { units };
      const partWork = 2 * units * out.columns * depth;
      if (transposeA) {
        const from = [to.all(a), first, a.columns];
        to.emit(op.MATMUL_TRANSPOSED, share, [part, ...from, panels, ...flags, ...shape], partWork);
      } else {
        const from = to.read(a.slice(first, units));
        to.emit(op.MATMUL, share, [part, from, panels, ...flags, ...shape], partWork);
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
    const direct = transpose && !to.gathersMany(table);
    const source = transpose && !direct ? to.transpose(table) : to.all(table);
    const places = [to.write(out), source, to.read(ids), bias ? to.all(bias) : NOWHERE];
    const shape = [transpose ? table.columns : table.rows, out.columns];
    const opcode = direct ? op.GATHER_COLUMNS : op.GATHER_ROWS;
    to.emit(opcode, { units: out.rows }, [...places, ...shape], out.length);
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
      to.transposeInto(to.anywhere(out), new Place(sums), count, width);
    }
  },

  rnnForward({ hidden, preactivation, activation }, to) {
    const places = [to.write(hidden), to.read(preactivation)];
    const settings = [hidden.columns, activation === 'relu' ? 1 : 0];
    to.emit(op.RNN_FORWARD, { units: hidden.rows }, [...places, ...settings], 32 * hidden.length);
  },

  rnnBackward({ preactivationGradient, hidden, hiddenGradient, activation }, to) {
    const places = [to.write(preactivationGradient), to.read(hidden), to.read(hiddenGradient)];
    const settings = [hidden.columns, activation === 'relu' ? 1 : 0];
    to.emit(op.RNN_BACKWARD, { units: hidden.rows }, [...places, ...settings], 4 * hidden.length);
  },

  lstmForward({ gates, previousCell, cell, hidden }, to) {
    const places = [to.write(gates), to.read(previousCell), to.write(cell), to.write(hidden)];
    to.emit(op.LSTM_FORWARD, { units: cell.rows }, [...places, cell.columns], 160 * cell.length);
  },

  lstmBackward({ gates, previousCell, cell, hiddenGradient, cellGradient, gatesGradient }, to) {
    const forward = [gates, previousCell, cell, hiddenGradient].map((matrix) => to.read(matrix));
    const places = [...forward, to.write(cellGradient), to.write(gatesGradient)];
    to.emit(op.LSTM_BACKWARD, { units: cell.rows }, [...places, cell.columns], 64 * cell.length);
  },

  gruForward({ inputGates, hiddenGates, previousHidden, hidden }, to) {
    const places = [to.write(inputGates), to.read(hiddenGates), to.read(previousHidden), to.write(hidden)];
    to.emit(op.GRU_FORWARD, { units: hidden.rows }, [...places, hidden.columns], 100 * hidden.length);
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

/** An optimizer's command: what all of them start with, then their own settings. */
function update(
  opcode: number,
  o: Operations['adam'] | Operations['rmsprop'] | Operations['sgd'],
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
