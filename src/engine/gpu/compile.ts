/**
 * Compiling kernels for WebGPU with gpu.js. This is the only place that relies on what gpu.js does not
 * promise: its version is pinned, and `test/engine/gpu.test.ts` fails if any of it changes.
 */
import type { GPU } from 'gpu.js';
import { type Kernel, type Size, volume } from './commands.ts';
import { argument, settings } from './portable.ts';

/** The part we use of what `createKernel` of gpu.js 2.24.1 makes in the mode `webgpu`. */
interface WebGPUKernel {
  /** Translates to WGSL at once, and compiles it. Takes arguments as calls do. */
  build(...samples: unknown[]): Promise<void>;
  readonly computePipeline: GPUComputePipeline;
  readonly bindGroupLayout: GPUBindGroupLayout;
  /** Where the uniform buffer holds what; offsets in bytes. */
  readonly paramsLayout: {
    readonly byteLength: number;
    readonly arrayArgs: readonly { readonly dimsOffset: number }[];
  };
  readonly componentCount: number;
  /** Workgroups for a grid; the second is what the uniform buffer wants to hear of it. */
  _computeDispatch(grid: readonly number[]): { groups: [number, number, number]; dispatchWidth: number };
}

/** A kernel for grids of one rank. Bindings: 0 uniforms, 1… inputs in order, last the output. */
export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Bytes of the uniform buffer. */
  readonly uniformBytes: number;
  /** The workgroups of a grid, and the content of the uniform buffer for it. */
  dispatch(grid: Size, inputs: readonly Size[]): { groups: [number, number, number]; uniforms: Uint32Array };
}

const padded = ([x, y = 1, z = 1]: Size): [number, number, number] => [x, y, z];

/** Compiles `kernel` for `arity` inputs and grids of `rank` dimensions. */
export async function compile(
  gpu: GPU,
  kernel: Kernel,
  arity: number,
  rank: number,
): Promise<CompiledKernel> {
  const shortcut = gpu.createKernel(kernel.source, {
    ...settings(kernel),
    output: new Array(rank).fill(1) as [number],
    pipeline: true,
  });
  const built = (shortcut as unknown as { kernel: WebGPUKernel }).kernel;
  // Sizes of arguments and grid reach the shader as uniforms; the sample's do not matter.
  await built.build(...new Array(arity).fill(argument(new Float32Array(1), [1])));
  if (built.componentCount !== kernel.components) {
    throw new Error(`${kernel.name} returns ${built.componentCount} values, not ${kernel.components}`);
  }
  const { paramsLayout } = built;
  return {
    pipeline: built.computePipeline,
    layout: built.bindGroupLayout,
    uniformBytes: paramsLayout.byteLength,
    dispatch(grid, inputs) {
      const { groups, dispatchWidth } = built._computeDispatch(padded(grid));
      const uniforms = new Uint32Array(paramsLayout.byteLength / 4);
      uniforms.set([...padded(grid), dispatchWidth]);
      for (const [i, { dimsOffset }] of paramsLayout.arrayArgs.entries()) {
        uniforms.set([...padded(inputs[i]!), volume(inputs[i]!)], dimsOffset / 4);
      }
      return { groups, uniforms };
    },
  };
}
