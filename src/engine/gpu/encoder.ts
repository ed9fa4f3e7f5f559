/**
 * Runs commands on WebGPU. gpu.js compiles the kernels; buffers and bind groups are made once, and a replay is
 * one command buffer. Nothing is read back unless `read` asks.
 */
import { GPU } from 'gpu.js';
import { CharloomError } from '../../errors.ts';
import type { AdapterDescription, Tensor } from '../engine.ts';
import { acquireDevice, type GpuDevice } from './adapter.ts';
import { align } from './align.ts';
import { type Command, kernelKey, type View, volume } from './commands.ts';
import { type CompiledKernel, compile } from './compile.ts';
import type { Executor, Replayable } from './executor.ts';

// GPUBufferUsage and GPUMapMode, whose values the specification fixes
const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const UNIFORM = 0x40;
const STORAGE = 0x80;
const READ = 0x1;

/** Replays submitted and not finished. Without a bound, what they hold would pile up; with one, the GPU never waits. */
const IN_FLIGHT = 3;

type Dispatch = Extract<Command, { kind: 'dispatch' }>;

/** Puts one command into a command buffer; a dispatch goes into the compute pass. */
type Step =
  | {
      readonly pipeline: GPUComputePipeline;
      readonly bindings: GPUBindGroup;
      readonly groups: [number, number, number];
    }
  | ((encoder: GPUCommandEncoder) => void);

export class EncoderExecutor implements Executor {
  readonly adapter: AdapterDescription;
  readonly #gpu: GpuDevice;
  readonly #compiler = new GPU({ mode: 'webgpu' });
  readonly #kernels = new Map<string, Promise<CompiledKernel>>();
  readonly #buffers = new Map<Tensor, GPUBuffer>();
  readonly #uniforms: GPUBuffer[] = [];
  readonly #pending: Promise<unknown>[] = [];

  private constructor(gpu: GpuDevice) {
    this.#gpu = gpu;
    this.adapter = gpu.adapter;
  }

  /** @throws CharloomError UNAVAILABLE if there is no adapter */
  static async open(): Promise<EncoderExecutor> {
    return new EncoderExecutor(await acquireDevice());
  }

  prepare(name: string, commands: readonly Command[]): Replayable {
    const aligned = align(commands, this.#gpu.device.limits.minStorageBufferOffsetAlignment / 4);
    for (const command of aligned) for (const view of viewsOf(command)) this.#buffer(view.tensor);
    const ready = this.#link(aligned);
    ready.catch(() => {}); // the first replay reports it
    let steps: readonly Step[] | undefined;
    return {
      run: async () => {
        // Once compiled, a replay is submitted before anything can come between.
        steps ??= await ready;
        await this.#replay(name, steps);
      },
    };
  }

  write(target: View, values: ArrayLike<number>): void {
    this.#gpu.device.queue.writeBuffer(
      this.#buffer(target.tensor),
      target.offset * 4,
      Float32Array.from(values),
    );
  }

  async read(source: View): Promise<Float32Array> {
    const { device } = this.#gpu;
    const size = volume(source.size) * 4;
    const staging = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#buffer(source.tensor), source.offset * 4, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(READ);
      this.#gpu.assertWorking();
      return new Float32Array(staging.getMappedRange().slice(0));
    } catch (cause) {
      this.#gpu.assertWorking();
      throw cause;
    } finally {
      staging.destroy();
    }
  }

  memoryBytes(): number {
    let bytes = 0;
    for (const buffer of this.#buffers.values()) bytes += buffer.size;
    return bytes;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pending, ...this.#kernels.values()]);
    for (const buffer of [...this.#buffers.values(), ...this.#uniforms]) buffer.destroy();
    this.#buffers.clear();
    await this.#compiler.destroy();
    await this.#gpu.release();
  }

  async #replay(name: string, steps: readonly Step[]): Promise<void> {
    this.#gpu.assertWorking();
    const { device } = this.#gpu;
    const encoder = device.createCommandEncoder({ label: name });
    let pass: GPUComputePassEncoder | undefined;
    for (const step of steps) {
      if (typeof step === 'function') {
        pass?.end();
        pass = undefined;
        step(encoder);
      } else {
        pass ??= encoder.beginComputePass();
        pass.setPipeline(step.pipeline);
        pass.setBindGroup(0, step.bindings);
        pass.dispatchWorkgroups(...step.groups);
      }
    }
    pass?.end();
    device.queue.submit([encoder.finish()]);
    this.#pending.push(device.queue.onSubmittedWorkDone());
    if (this.#pending.length < IN_FLIGHT) return;
    await this.#pending.shift();
    this.#gpu.assertWorking();
  }

  /** Compiles what the commands need and makes the bind groups; uniforms share one buffer. */
  async #link(commands: readonly Command[]): Promise<readonly Step[]> {
    const { device } = this.#gpu;
    const dispatches = commands.filter((command) => command.kind === 'dispatch');
    const kernels = await Promise.all(dispatches.map((dispatch) => this.#kernel(dispatch)));
    const alignment = device.limits.minUniformBufferOffsetAlignment;
    const largest = Math.max(alignment, ...kernels.map(({ uniformBytes }) => uniformBytes));
    const stride = Math.ceil(largest / alignment) * alignment;
    const uniforms = device.createBuffer({
      label: 'uniforms',
      size: stride * Math.max(1, dispatches.length),
      usage: UNIFORM | COPY_DST,
    });
    this.#uniforms.push(uniforms);
    let count = 0;
    return commands.map((command): Step => {
      if (command.kind !== 'dispatch') return this.#transfer(command);
      const offset = stride * count;
      return this.#dispatch(command, kernels[count++]!, { buffer: uniforms, offset });
    });
  }

  #dispatch(
    { inputs, output, grid }: Dispatch,
    kernel: CompiledKernel,
    place: { buffer: GPUBuffer; offset: number },
  ): Step {
    const { groups, uniforms } = kernel.dispatch(
      grid,
      inputs.map(({ size }) => size),
    );
    const { device } = this.#gpu;
    device.queue.writeBuffer(place.buffer, place.offset, uniforms);
    const resources = [
      { ...place, size: kernel.uniformBytes },
      ...[...inputs, output].map((view) => ({
        buffer: this.#buffer(view.tensor),
        offset: view.offset * 4,
        size: volume(view.size) * 4,
      })),
    ];
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const bindings = device.createBindGroup({ layout: kernel.layout, entries });
    return { pipeline: kernel.pipeline, bindings, groups };
  }

  #transfer(command: Exclude<Command, Dispatch>): Step {
    if (command.kind === 'clear') {
      const { tensor, offset, size } = command.view;
      const buffer = this.#buffer(tensor);
      return (encoder) => encoder.clearBuffer(buffer, offset * 4, volume(size) * 4);
    }
    const [from, to] = [this.#buffer(command.from.tensor), this.#buffer(command.to.tensor)];
    const [start, end, bytes] = [command.from.offset * 4, command.to.offset * 4, volume(command.to.size) * 4];
    return (encoder) => encoder.copyBufferToBuffer(from, start, to, end, bytes);
  }

  #kernel({ kernel, inputs, grid }: Dispatch): Promise<CompiledKernel> {
    const key = `${kernelKey(kernel)}${inputs.length} ${grid.length}`;
    let compiled = this.#kernels.get(key);
    if (!compiled) {
      compiled = compile(this.#compiler, kernel, inputs.length, grid.length);
      this.#kernels.set(key, compiled);
    }
    return compiled;
  }

  /** @throws CharloomError UNAVAILABLE if the tensor is too large for the adapter */
  #buffer(tensor: Tensor): GPUBuffer {
    let buffer = this.#buffers.get(tensor);
    if (!buffer) {
      const { device } = this.#gpu;
      const size = tensor.length * 4;
      const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
      if (size > limit) {
        throw new CharloomError(
          'UNAVAILABLE',
          `${tensor.name} needs ${size} bytes in one piece; ${this.adapter.name} gives at most ${limit}`,
          'make the model, the batch or the sequence smaller, or use --device cpu',
        );
      }
      buffer = device.createBuffer({ label: tensor.name, size, usage: STORAGE | COPY_SRC | COPY_DST });
      this.#buffers.set(tensor, buffer);
    }
    return buffer;
  }
}

function viewsOf(command: Command): readonly View[] {
  switch (command.kind) {
    case 'dispatch':
      return [...command.inputs, command.output];
    case 'copy':
      return [command.from, command.to];
    case 'clear':
      return [command.view];
  }
}
