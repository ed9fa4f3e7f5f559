/**
 * A program on its way to commands: what has been emitted so far, where the operands are, and which matrices exist in other
 * forms (packed, transposed). Such a form is made once per replay and shared by all operations that read the same matrix,
 * until something is written into it.
 */
import { type Matrix, type Operation, operands, type Program, type Tensor } from '../engine.ts';
import { type Argument, type Command, Place, type Storage } from './commands.ts';
import * as op from './opcodes.ts';
import type { Target } from './target.ts';

/**
 * What has fewer rows gives threads too little to share by rows: they share its columns, if there is enough work. A time
 * step of so few texts may be shared by hidden units: then threads wait once for each other, for h.
 */
const FEW_ROWS = 8;

/** Work of a product, counted in barriers, from which on threads share its columns. */
const SHARED_WORK = 16;
/** The same of a time step that has less than a tile of rows: then the other way is one thread, or single rows. */
const SHARED_STEP_WORK = 4;

/** Elements of an operation without rows are shared by the cache line. */
export const LINE = 16;

/** Into what units a command is divided; see `Command`. */
export interface Share {
  readonly units: number;
  readonly grain?: number;
}

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
  /** Where the preparation leaves them: storage that outlives a replay and has no address yet. */
  readonly prepared: readonly Storage[];
  readonly commands: readonly Command[];
  /** Whether there are time steps of so few texts that they may as well be shared by hidden units. */
  readonly hasFewTexts: boolean;
}

/** The tensors that a program leaves changed. */
export function writtenTensors({ operations }: Program): Set<Tensor> {
  const written = operations.flatMap(operands).filter((operand) => operand.written);
  return new Set(written.map(({ matrix }) => matrix.tensor));
}

/** Collects the commands of one program, in order. */
export class Lowering implements Lowered {
  readonly preparation: Command[] = [];
  readonly sources = new Set<Tensor>();
  readonly prepared: Storage[] = [];
  readonly commands: Command[] = [];
  readonly target: Target;
  readonly #storageOf: (tensor: Tensor) => Storage;
  readonly #written: ReadonlySet<Tensor>;
  readonly #byUnits: boolean;
  readonly #temporaries = new Map<Tensor, Storage>();
  /** H of the gates, or preactivations, of time steps of few texts, if threads share them by hidden units; 0 if not. */
  readonly #stepGates = new Map<Tensor, number>();
  /** What other forms of a tensor's matrices are valid at this point of the program. */
  readonly #derived = new Map<Tensor, Derived[]>();

  constructor(program: Program, target: Target, storageOf: (tensor: Tensor) => Storage, byUnits: boolean) {
    this.target = target;
    this.#storageOf = storageOf;
    this.#written = writtenTensors(program);
    for (const operation of program.operations) {
      const [gates = [], H = 0] = gatesOf(operation);
      for (const { tensor, rows } of gates) {
        if (rows >= FEW_ROWS) continue;
        const shares =
          byUnits && sharesUnits(gates[0]!, H, target) && (this.#stepGates.get(tensor) ?? H) === H;
        this.#stepGates.set(tensor, shares ? H : 0);
      }
    }
    this.#byUnits = byUnits;
  }

  get hasFewTexts(): boolean {
    return this.#stepGates.size > 0;
  }

  /** Into how many groups of H columns the gates of a step fall whose hidden units threads share; 0 for all else. */
  columnGroups({ tensor, columns }: Matrix, H = this.#stepGates.get(tensor) ?? 0): number {
    return H > 0 && H === this.#stepGates.get(tensor) && columns % H === 0 ? columns / H : 0;
  }

  /** Into how many groups of columns a product falls of which threads share each; 0 if they share its rows. */
  productGroups(out: Matrix, work: number): number {
    if (out.rows >= FEW_ROWS) return 0;
    const groups = this.columnGroups(out);
    if (groups > 0) return groups;
    // A step that is not shared by hidden units stays whole: the cell is, and threads would wait for each other twice.
    const whole = !this.#byUnits && this.#stepGates.has(out.tensor);
    return work > SHARED_WORK * this.target.barrierWork && !whole ? 1 : 0;
  }

  /** Multiplications and additions of a product, or as many as it takes the time of. */
  productWork(rows: number, columns: number, depth: number): number {
    return productWork(rows, columns, depth, this.target);
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

  /** An operand of which unit u reads the u-th panel of columns of each group. */
  readColumns(matrix: Matrix, columnGroups: number): Place {
    return this.#place(matrix, 0, false, columnGroups);
  }

  /** The same of one that the unit writes, and perhaps reads. */
  writeColumns(matrix: Matrix, columnGroups: number): Place {
    return this.#place(matrix, 0, true, columnGroups);
  }

  #place(matrix: Matrix, elements: number, written: boolean, columnGroups = 0): Place {
    const [offset, bytes] = [matrix.offset * 4, matrix.length * 4];
    const unitBytes = elements * 4;
    const rowBytes = matrix.columns * 4;
    const storage = this.#storage(matrix.tensor);
    return new Place(storage, { offset, bytes, unitBytes, rowBytes, columnGroups, written });
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

  /** B, or Bᵀ if `transposed`, packed into panels of columns, and whether those hold bfloat16. */
  panels(b: Matrix, transposed: boolean): { place: Place; halves: boolean } {
    const [depth, columns] = transposed ? [b.columns, b.rows] : [b.rows, b.columns];
    const { panelColumns } = this.target;
    const units = Math.ceil(columns / panelColumns);
    const opcode = transposed ? op.PACK_TRANSPOSED : op.PACK;
    const form = transposed ? 'panels of the transpose' : 'panels';
    const halves = this.target.halves && this.#lasts(b.tensor);
    const elements = depth * units * panelColumns * (halves ? 0.5 : 1);
    const place = this.#derive(b, form, elements, (panels) => {
      const args = [panels, this.all(b), depth, columns, halves ? 1 : 0];
      return { opcode, units, grain: 1, arguments: args, work: b.length };
    });
    return { place, halves };
  }

  transpose(matrix: Matrix): Place {
    return this.#derive(matrix, 'transpose', matrix.length, (place) =>
      transposition(place, this.all(matrix), matrix.rows, matrix.columns),
    );
  }

  /** Whether the program leaves the tensor as it is, and other programs seldom change it. */
  #lasts(tensor: Tensor): boolean {
    return tensor.kind === 'parameter' && !this.#written.has(tensor);
  }

  #derive(matrix: Matrix, form: Form, elements: number, make: (place: Place) => Command): Place {
    const { tensor } = matrix;
    const known = this.#derived.get(tensor) ?? [];
    const same = known.find((derived) => derived.form === form && derived.matrix.equals(matrix));
    if (same) return same.place;
    const name = `${form} of ${tensor.name}`;
    const lasting = this.#lasts(tensor);
    const storage: Storage = { name, bytes: elements * 4, temporary: !lasting, address: 0 };
    (lasting ? this.preparation : this.commands).push(make(new Place(storage, { written: true })));
    if (lasting) {
      this.prepared.push(storage);
      this.sources.add(tensor);
    }
    const place = new Place(storage);
    this.#derived.set(tensor, [...known, { matrix, form, place }]);
    return place;
  }

  /** After a write: other forms of what was there are out of date. */
  forget(written: Matrix): void {
    const known = this.#derived.get(written.tensor);
    if (!known) return;
    const valid = known.filter(({ matrix }) => !matrix.overlaps(written));
    this.#derived.set(written.tensor, valid);
  }
}

export function temporary(name: string, bytes: number): Storage {
  return { name, bytes, temporary: true, address: 0 };
}

/** out [columns, rows] = inputᵀ */
export function transposition(out: Place, input: Place, rows: number, columns: number): Command {
  const args = [out, input, rows, columns];
  return { opcode: op.TRANSPOSE, units: rows, grain: LINE, arguments: args, work: rows * columns };
}

function productWork(rows: number, columns: number, depth: number, { leastRows }: Target): number {
  return 2 * Math.max(rows, leastRows) * columns * depth;
}

/** Whether threads are to share a time step with these gates by hidden units. */
function sharesUnits({ rows, columns }: Matrix, H: number, target: Target): boolean {
  const work = productWork(rows, columns, H, target);
  const least = rows < target.tileRows ? SHARED_STEP_WORK : SHARED_WORK;
  return H % target.panelColumns === 0 && work > least * target.barrierWork;
}

/** The gates, or preactivations, of a cell's forward step, and H. */
function gatesOf(operation: Operation): [gates: Matrix[], H: number] | [] {
  switch (operation.op) {
    case 'rnnForward':
      return [[operation.preactivation], operation.hidden.columns];
    case 'lstmForward':
      return [[operation.gates], operation.hidden.columns];
    case 'gruForward':
      return [[operation.hiddenGates, operation.inputGates], operation.hidden.columns];
    default:
      return [];
  }
}
