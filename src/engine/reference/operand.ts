import type { Matrix, OperationName, Operations } from '../engine.ts';

/** What a kernel sees of a matrix: its shape and its elements, row-major, a window on the tensor. */
export interface Operand {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array | Int32Array;
}

/** The operands of operation `K` as its kernel receives them: matrices bound to memory, settings unchanged. */
export type Bound<K extends OperationName> = {
  [F in keyof Operations[K]]: Operations[K][F] extends Matrix | undefined
    ? Operand | Extract<Operations[K][F], undefined>
    : Operations[K][F];
};

/** One kernel for every operation of a part of the catalogue. */
export type Kernels<K extends OperationName> = { readonly [Name in K]: (operands: Bound<Name>) => void };
