/**
 * W_ih x_t + b_ih for many steps at once, and its gradients. The input is either a sequence of vectors or a
 * sequence of token ids that stand for one-hot vectors, whose product with a matrix is one of its columns.
 */
import type { Matrix } from '../engine/engine.ts';
import type { Recorder } from '../engine/recorder.ts';

/** Vectors [T·B, W], or ids [T·B, 1] that stand for one-hot vectors. */
export type LayerInput = { readonly vectors: Matrix } | { readonly ids: Matrix };

/** Rows [first, first + count) of an input. */
export function sliceInput(input: LayerInput, first: number, count: number): LayerInput {
  return 'ids' in input
    ? { ids: input.ids.slice(first, count) }
    : { vectors: input.vectors.slice(first, count) };
}

/** out [T·B, gates·H] = x W_ihᵀ + b_ih. */
export function recordProjection(
  recorder: Recorder,
  out: Matrix,
  input: LayerInput,
  weight: Matrix,
  bias: Matrix,
): void {
  if ('ids' in input) {
    recorder.add('gather', { out, table: weight, ids: input.ids, transpose: true, bias });
  } else {
    recorder.add('matmul', { out, a: input.vectors, b: weight, transposeB: true, bias });
  }
}

/**
 * From `outGradient` [T·B, gates·H]: the gradient of W_ih, and, if `inputGradient` [T·B, W] is given (the
 * input is then a sequence of vectors), that of the input. The bias's is left to the layer, which shares it.
 */
export function recordProjectionBackward(
  recorder: Recorder,
  outGradient: Matrix,
  input: LayerInput,
  weight: Matrix,
  weightGradient: Matrix,
  inputGradient?: Matrix,
): void {
  if ('ids' in input) {
    recorder.add('gatherGradient', {
      out: weightGradient,
      ids: input.ids,
      gradient: outGradient,
      transpose: true,
    });
  } else {
    recorder.add('matmul', { out: weightGradient, a: outGradient, b: input.vectors, transposeA: true });
  }
  if (inputGradient) recorder.add('matmul', { out: inputGradient, a: outGradient, b: weight });
}
