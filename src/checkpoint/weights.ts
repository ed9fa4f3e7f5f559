/** A model's weights as named tensors of a file, and back. */
import { join } from 'node:path';
import { CharloomError } from '../errors.ts';
import { type ParameterLayout, savedShape } from '../model/parameters.ts';
import { loadModel } from './checkpoint.ts';
import { MODEL } from './manifest.ts';
import type { SafeTensor } from './safetensors.ts';

/** The named tensors of the flat weights, with PyTorch's names and shapes. */
export function weightsToTensors(
  layout: ParameterLayout,
  flat: Float32Array | Float64Array,
): Map<string, SafeTensor> {
  return new Map(
    layout.entries.map((entry) => {
      const data = flat.slice(entry.offset, entry.offset + entry.rows * entry.columns);
      return [entry.name, floatTensor(savedShape(entry), data)];
    }),
  );
}

/** A float tensor of the precision that its engine computes in. */
export function floatTensor(shape: number[], data: Float32Array | Float64Array): SafeTensor {
  return { dtype: data instanceof Float64Array ? 'F64' : 'F32', shape, data };
}

/**
 * The weights of a checkpoint, flat, and what `loadModel` tells of it beside them.
 * @param dir folder of the checkpoint
 * @throws CharloomError as `loadModel` and `weightsFromTensors`
 */
export async function loadWeights(
  dir: string,
  layout: ParameterLayout,
): Promise<Omit<Awaited<ReturnType<typeof loadModel>>, 'model'> & { readonly weights: Float64Array }> {
  const { model, ...rest } = await loadModel(dir);
  return { ...rest, weights: weightsFromTensors(layout, model, join(dir, MODEL)) };
}

/**
 * The flat weights from a file's tensors.
 * @throws CharloomError BAD_DATA if a weight is missing, has another shape or type, or is not the model's
 */
export function weightsFromTensors(
  layout: ParameterLayout,
  tensors: ReadonlyMap<string, SafeTensor>,
  file: string,
): Float64Array {
  // All of them first: until then the size of the model is only what config.json says.
  const weights = layout.entries.map((entry) => floatsOf(tensors, entry.name, savedShape(entry), file));
  const flat = new Float64Array(layout.length);
  for (const [i, { offset }] of layout.entries.entries()) flat.set(weights[i]!, offset);
  if (tensors.size > layout.entries.length) {
    const known = new Set(layout.entries.map(({ name }) => name));
    const stranger = [...tensors.keys()].find((name) => !known.has(name));
    throw new CharloomError('BAD_DATA', `${file}: the model of config.json has no weight '${stranger}'`);
  }
  return flat;
}

/**
 * The values of a float tensor that must have a certain shape.
 * @throws CharloomError BAD_DATA if it is missing, of another shape, or not of floats that are finite
 */
export function floatsOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  file: string,
): Float32Array | Float64Array {
  const tensor = tensors.get(name);
  if (!tensor) throw new CharloomError('BAD_DATA', `${file}: there is no tensor '${name}'`);
  if (tensor.shape.join() !== shape.join()) {
    throw new CharloomError(
      'BAD_DATA',
      `${file}: ${name} has the shape [${tensor.shape.join(', ')}], config.json says [${shape.join(', ')}]`,
    );
  }
  if (!(tensor.data instanceof Float32Array || tensor.data instanceof Float64Array)) {
    throw new CharloomError('BAD_DATA', `${file}: ${name} is of type ${tensor.dtype}, must be F32 or F64`);
  }
  if (!tensor.data.every(Number.isFinite)) {
    throw new CharloomError('BAD_DATA', `${file}: ${name} holds values that are not finite`);
  }
  return tensor.data;
}
