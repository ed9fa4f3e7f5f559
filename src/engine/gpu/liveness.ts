/** What a program still needs: which results are read later, and which operations compute nothing that is. */
import { type Matrix, type Operation, operands, type Program, type Tensor } from '../engine.ts';

/** Written operands whose old content matters: they are added to, changed in part, or kept where nothing is to do. */
const UPDATES: { readonly [K in Operation['op']]?: readonly string[] } = {
  storeRow: ['out'],
  lstmForward: ['gates'],
  lstmBackward: ['cellGradient'],
  gruForward: ['inputGates'],
  gruBackward: ['previousHiddenGradient'],
  adam: ['parameters', 'firstMoment', 'secondMoment'],
  rmsprop: ['parameters', 'secondMoment'],
  sgd: ['parameters', 'velocity'],
};

function reads(operation: Operation, name: string, written: boolean): boolean {
  if (!written || UPDATES[operation.op]?.includes(name)) return true;
  return operation.op === 'matmul' && operation.accumulate === true;
}

/** One operand of one operation. */
interface Use {
  /** Of the operation in its list. */
  readonly index: number;
  readonly matrix: Matrix;
  readonly reads: boolean;
}

/** The uses of each tensor in a list of operations, in order: what a question has to look through. */
const USES = new WeakMap<readonly Operation[], ReadonlyMap<Tensor, readonly Use[]>>();

function usesOf(operations: readonly Operation[]): ReadonlyMap<Tensor, readonly Use[]> {
  let uses = USES.get(operations);
  if (!uses) {
    const collected = new Map<Tensor, Use[]>();
    for (const [index, operation] of operations.entries()) add(collected, usesBy(operation, index));
    USES.set(operations, collected);
    uses = collected;
  }
  return uses;
}

/** The operands of an operation, with those that it reads first: it reads before it writes. */
function usesBy(operation: Operation, index: number): Use[] {
  return operands(operation)
    .map(({ name, matrix, written }) => ({ index, matrix, reads: reads(operation, name, written) }))
    .sort((x, y) => Number(y.reads) - Number(x.reads));
}

function add(uses: Map<Tensor, Use[]>, more: readonly Use[]): void {
  for (const use of more) {
    const list = uses.get(use.matrix.tensor);
    if (list) list.push(use);
    else uses.set(use.matrix.tensor, [use]);
  }
}

/** Does any operation from index `start` on read an element of `matrix` that was not overwritten before? */
export function isRead(operations: readonly Operation[], start: number, matrix: Matrix): boolean {
  const uses = usesOf(operations).get(matrix.tensor) ?? [];
  for (let i = firstFrom(uses, start); i < uses.length; i++) {
    const answer = verdict(uses[i]!, matrix);
    if (answer !== undefined) return answer;
  }
  return matrix.tensor.kind !== 'temporary';
}

/** What a use tells of the content of `matrix`: true, it is read; false, all of it is overwritten; or nothing. */
function verdict({ matrix: used, reads }: Use, matrix: Matrix): boolean | undefined {
  const [end, usedEnd] = [matrix.offset + matrix.length, used.offset + used.length];
  if (used.offset >= end || matrix.offset >= usedEnd) return undefined;
  if (reads) return true;
  return used.offset <= matrix.offset && usedEnd >= end ? false : undefined;
}

/** Position of the first use at or after operation `start`, by bisection. */
function firstFrom(uses: readonly Use[], start: number): number {
  let [low, high] = [0, uses.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (uses[middle]!.index < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The operations without those whose results nothing reads. */
export function withoutDeadOperations({ operations }: Program): Operation[] {
  const kept: Operation[] = [];
  /** Of the operations kept so far, which are the later ones: from last to first. */
  const later = new Map<Tensor, Use[]>();
  const isAlive = (matrix: Matrix): boolean => {
    const uses = later.get(matrix.tensor) ?? [];
    for (let i = uses.length - 1; i >= 0; i--) {
      const answer = verdict(uses[i]!, matrix);
      if (answer !== undefined) return answer;
    }
    return matrix.tensor.kind !== 'temporary';
  };
  for (let i = operations.length - 1; i >= 0; i--) {
    const operation = operations[i]!;
    if (!operands(operation).some(({ matrix, written }) => written && isAlive(matrix))) continue;
    kept.push(operation);
    add(later, usesBy(operation, i).reverse());
  }
  return kept.reverse();
}
