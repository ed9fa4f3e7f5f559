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

/** A product with fewer rows gives threads too little to share by rows: they share its columns, if there is enough work. */
const FEW_ROWS = 8;

/** The gradient of a table is transposed at the end if a replay gathers at least this share of its columns. */
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

/** A program as commands. */
export interface Lowered {
  /**
   * Weights in the form in which kernels want them: of matrices that the program itself only reads. Once is enough, until
   * one of `sources` changes.
   */
  readonly preparation: readonly Command[];
  readonly sources: ReadonlySet<Tensor>;
  readonly commands: readonly Command[];
}

/** Where tensors and other data that outlive a replay are stored. */
export interface Storages {
  of(tensor: Tensor): Storage;
  allocate(name: string, bytes: number): Storage;
}

/** The commands of a program. */
export function lower(program: Program, storages: Storages): Lowered {
  const lowering = new Lowering(program, storages);
  for (const operation of program.operations) {
    (lowerings[operation.op] as (o: unknown, to: Lowering) => void)(operation, lowering);
    for (const { matrix, written } of operands(operation)) if (written) lowering.forget(matrix);
  }
  return lowering;
}

/** The tensors that a program leaves changed. */
export function writtenTensors({ operations }: Program): Set<Tensor> {
  const written = operations.flatMap(operands).filter((operand) => operand.written);
  return new Set(written.map(({ matrix }) => matrix.tensor));
}

class Lowering implements Lowered {
  readonly preparation: Command[] = [];
  readonly sources = new Set<Tensor>();
  readonly commands: Command[] = [];
  readonly #storages: Storages;
  readonly #written: ReadonlySet<Tensor>;
  readonly #temporaries = new Map<Tensor, Storage>();
  /** What other forms of a tensor's matrices are valid at this point of the program. */
  readonly #derived = new Map<Tensor, Derived[]>();

  constructor(program: Program, storages: Storages) {
    this.#storages = storages;
    this.#written = writtenTensors(program);
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
    if (tensor.kind !== 'temporary') return this.#storages.of(tensor);
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
    const units = Math.ceil(columns / op.TILE_COLUMNS);
    const opcode = transposed ? op.PACK_TRANSPOSED : op.PACK;
    const form = transposed ? 'panels of the transpose' : 'panels';
    return this.#derive(b, form, depth * units * op.TILE_COLUMNS, (place) => {
      const args = [place, this.all(b), depth, columns];
      return { opcode, units, grain: 1, arguments: args, work: b.length };
    });
  }

  transpose(matrix: Matrix): Place {
    return this.#derive(matrix, 'transpose', matrix.length, (place) =>
      transposition(place, this.all(matrix), matrix.rows, matrix.columns),
    );
  }

  #derive(matrix: Matrix, form: Form, elements: number, make: (place: Place) => Command): Place {
    const { tensor } = matrix;
    const known = this.#derived.get(tensor) ?? [];
    const same = known.find((derived) => derived.form === form && sameView(derived.matrix, matrix));
    if (same) return same.place;
    const name = `${form} of ${tensor.name}`;
    const lasting = tensor.kind === 'parameter' && !this.#written.has(tensor);
    const storage = lasting ? this.#storages.allocate(name, elements * 4) : temporary(name, elements * 4);
    (lasting ? this.preparation : this.commands).push(make(new Place(storage, { written: true })));
    if (lasting) this.sources.add(tensor);
    const place = new Place(storage);
    this.#derived.set(tensor, [...known, { matrix, form, place }]);
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

/** out [columns, rows] = inputᵀ */
function transposition(out: Place, input: Place, rows: number, columns: number): Command {
  const args = [out, input, rows, columns];
  return { opcode: op.TRANSPOSE, units: rows, grain: LINE, arguments: args, work: rows * columns };
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
    const panels = to.panels(b, transposeB ?? false);
    if (!transposeA && out.rows < FEW_ROWS && work > SHARED_WORK) {
      const share = { units: Math.ceil(out.columns / op.TILE_COLUMNS), grain: 3 };
      const places = [to.anywhere(out), to.all(a), panels];
      to.emit(op.MATMUL_BY_COLUMNS, share, [...places, ...flags, out.rows, out.columns, depth], work);
      return;
    }
    const rows = Math.max(1, Math.floor((out.rows * COMMAND_WORK) / work));
    for (let first = 0; first < out.rows; first += rows) {
      const units = Math.min(rows, out.rows - first);
      const part = to.write(out.slice(first, units));
      const shape = [units, out.columns, depth];
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
