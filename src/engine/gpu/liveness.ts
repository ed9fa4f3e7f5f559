/** What a program still needs: which results are read later, and which operations compute nothing that is. */
import { type Matrix, type Operation, operands, type Program } from '../engine.ts';

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

/** Does any operation from index `start` on read an element of `matrix` that was not overwritten before? */
export function isRead(operations: readonly Operation[], start: number, matrix: Matrix): boolean {
  for (let i = start; i < operations.length; i++) {
    const operation = operations[i]!;
    let covered = false;
    for (const { name, matrix: other, written } of operands(operation)) {
      if (other.tensor !== matrix.tensor) continue;
      const end = matrix.offset + matrix.length;
      if (other.offset >= end || matrix.offset >= other.offset + other.length) continue;
      if (reads(operation, name, written)) return true;
      covered ||= other.offset <= matrix.offset && other.offset + other.length >= end;
    }
    if (covered) return false;
  }
  return matrix.tensor.kind !== 'temporary';
}

/** The operations without those whose results nothing reads. */
export function withoutDeadOperations({ operations }: Program): Operation[] {
  let kept: Operation[] = [];
  for (const operation of operations.toReversed()) {
    const alive = operands(operation).some(({ matrix, written }) => written && isRead(kept, 0, matrix));
    if (alive) kept = [operation, ...kept];
  }
  return kept;
}
