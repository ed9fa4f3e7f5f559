/**
 * What a program becomes on a GPU: a list of commands over views of tensors, the same for every executor.
 *
 * All memory holds 32-bit floats, because gpu.js kernels read and write nothing else: integers up to 2²⁴ are
 * exact in it, and no token id, row index or seed is larger.
 */
import type { Matrix, Tensor } from '../engine.ts';

/** Sizes as gpu.js orders them: x fastest, then y, then z. */
export type Size = readonly [x: number, y?: number, z?: number];

/** A contiguous array of `size` in `tensor`, from element `offset` on; a kernel indexes it [z][y][x]. */
export interface View {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly size: Size;
}

/** A kernel function for gpu.js, before it is compiled. */
export interface Kernel {
  readonly name: string;
  /**
   * JavaScript of the function, one thread of the grid: its arguments are arrays, it returns the value (or the
   * `components` values) of that thread's place in the output. It sees `this.thread.{x,y,z}` and
   * `this.constants`. Text, because build tools rewrite functions in ways gpu.js cannot parse.
   */
  readonly source: string;
  /** Integer constants: sizes, loop bounds, offsets. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Real constants. */
  readonly factors: Readonly<Record<string, number>>;
  /** Values that a thread returns, adjacent in the output. */
  readonly components: 1 | 2 | 4;
}

export type Command =
  /** Runs a kernel over a grid. The output's tensor is not among the inputs' tensors. */
  | {
      readonly kind: 'dispatch';
      readonly kernel: Kernel;
      readonly inputs: readonly View[];
      readonly output: View;
      readonly grid: Size;
    }
  /** Copies one view to another of the same length and of another tensor. */
  | { readonly kind: 'copy'; readonly from: View; readonly to: View }
  | { readonly kind: 'clear'; readonly view: View };

/** Describes a kernel. Equal arguments make kernels that executors compile once. */
export function kernel(
  name: string,
  source: string,
  sizes: Record<string, number> = {},
  factors: Record<string, number> = {},
  components: Kernel['components'] = 1,
): Kernel {
  return { name, source, sizes, factors, components };
}

/** Equal for kernels that compile to the same code. */
export function kernelKey({ source, sizes, factors }: Kernel): string {
  return JSON.stringify([source, sizes, factors]);
}

/** Elements of a size. */
export function volume([x, y = 1, z = 1]: Size): number {
  return x * y * z;
}

/** The matrix [rows, columns], indexed [row][column]. */
export function view2d({ tensor, offset, rows, columns }: Matrix): View {
  return { tensor, offset, size: [columns, rows] };
}

/** The matrix as a flat array. */
export function view1d({ tensor, offset, length }: Matrix): View {
  return { tensor, offset, size: [length] };
}
