/**
 * The WebGPU device that gpu.js and our own code share. gpu.js takes WebGPU from `navigator.gpu`, which Node does
 * not have: here the package `webgpu` (Dawn) is put there, so that devices come as the kernels need them.
 */
import * as gpujs from 'gpu.js';
import { CharloomError } from '../../errors.ts';
import type { AdapterDescription } from '../engine.ts';
import { describeAdapter } from './adapter-info.ts';
import { findAdapter, firstLine } from './probe.ts';

export interface GpuDevice {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  /**
   * To be asked after every wait for the device: one that is lost lets calls succeed, and computes nothing.
   * @throws CharloomError IO if the device was lost, failed, or ran out of memory
   * @throws Error if it refused a command, which is a defect of charloom. The first such event is what counts.
   */
  assertWorking(): void;
  /** The last release of all destroys the device. Another one can be acquired at once. */
  release(): Promise<void>;
}

/** What gpu.js 2.24.1 does not declare: the device that all its kernels share. */
const { WebGPUContext } = gpujs as unknown as {
  WebGPUContext: {
    acquire(): Promise<{ readonly adapter: GPUAdapter; readonly device: GPUDevice }>;
    destroy(): Promise<void>;
  };
};

/** gpu.js has a binding for each array argument, one for the output and one for its uniforms. */
const MOST_BINDINGS = 16;

/** The device while someone uses it. */
let current: { users: number; readonly opened: Promise<Opened> } | undefined;

/**
 * The device of the process, opened if nobody uses it yet.
 * @throws CharloomError UNAVAILABLE if there is no adapter: says what to install
 */
export async function acquireDevice(): Promise<GpuDevice> {
  const { hardware } = await findAdapter();
  current ??= { users: 0, opened: Opened.open(hardware) };
  const mine = current;
  mine.users++;
  let opened: Opened;
  try {
    opened = await mine.opened;
  } catch (cause) {
    if (current === mine) current = undefined;
    throw cause;
  }
  let released = false;
  return {
    device: opened.device,
    adapter: opened.adapter,
    assertWorking() {
      if (opened.failure) throw opened.failure;
    },
    async release() {
      if (released) return;
      released = true;
      if (--mine.users > 0) return;
      current = undefined;
      await opened.destroy();
    },
  };
}

class Opened {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  failure: Error | undefined;
  #destroyed = false;

  private constructor(device: GPUDevice, adapter: AdapterDescription) {
    this.device = device;
    this.adapter = adapter;
    device.lost.then(({ message }) => {
      if (!this.#destroyed) this.failure ??= failed(adapter, `was lost: ${firstLine(message)}`);
    });
    // In place of gpu.js's own handler, which prints.
    device.onuncapturederror = (event) => {
      event.preventDefault(); // or Dawn prints
      this.failure ??= failureOf(event.error, adapter);
    };
  }

  /** @throws CharloomError UNAVAILABLE if the device cannot be opened, against all expectation */
  static async open(hardware: boolean): Promise<Opened> {
    await offerWebGpu(hardware);
    try {
      const { adapter, device } = await WebGPUContext.acquire();
      return new Opened(device, describeAdapter(adapter.info, adapter.limits));
    } catch (cause) {
      const message = `no WebGPU: ${firstLine(cause instanceof Error ? cause.message : String(cause))}`;
      throw new CharloomError('UNAVAILABLE', message, '', { cause });
    }
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    await WebGPUContext.destroy();
  }
}

/** Makes `navigator.gpu`, once. */
async function offerWebGpu(hardware: boolean): Promise<void> {
  const host = globalThis as { navigator?: { gpu?: unknown } };
  if (host.navigator?.gpu) return;
  // Dawn looks at all adapters, and warns of Mesa's in software, which is often there beside a GPU.
  if (hardware) process.env.VK_LOADER_DRIVERS_DISABLE ??= '*lvp*';
  const { create, globals } = await import('webgpu');
  const { GPUBufferUsage, GPUMapMode, GPUShaderStage } = globals as typeof globalThis;
  Object.assign(globalThis, { GPUBufferUsage, GPUMapMode, GPUShaderStage }); // gpu.js wants them there
  const dawn = create([]);
  const gpu = {
    async requestAdapter(): Promise<GPUAdapter | null> {
      const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' });
      if (adapter) withOurDevices(adapter);
      return adapter;
    },
  };
  // Node has a navigator from version 21 on, without this.
  if (!host.navigator) Object.defineProperty(host, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(host.navigator, 'gpu', { value: gpu, configurable: true });
}

/** Gives the devices of `adapter` what our kernels need beyond what gpu.js asks for, and a loss that is not printed. */
function withOurDevices(adapter: GPUAdapter): void {
  const requestDevice = adapter.requestDevice.bind(adapter);
  const { maxStorageBuffersPerShaderStage, minStorageBufferOffsetAlignment } = adapter.limits;
  const limits = {
    maxStorageBuffersPerShaderStage: Math.min(MOST_BINDINGS, maxStorageBuffersPerShaderStage),
    minStorageBufferOffsetAlignment,
  };
  const value = async (descriptor: GPUDeviceDescriptor = {}) => {
    const device = await requestDevice({
      ...descriptor,
      requiredLimits: { ...descriptor.requiredLimits, ...limits },
    });
    // gpu.js must hear of a loss, to forget the device, but prints it unless the reason is this one.
    const lost = device.lost.then(({ message }) => ({ reason: 'destroyed', message }));
    Object.defineProperty(device, 'lost', { value: lost });
    return device;
  };
  Object.defineProperty(adapter, 'requestDevice', { value });
}

function failureOf(error: GPUError, adapter: AdapterDescription): Error {
  const what = firstLine(error.message);
  switch (error.constructor.name) {
    case 'GPUOutOfMemoryError':
      return new CharloomError(
        'IO',
        `the memory of ${adapter.name} is used up: ${what}`,
        'make --batch-size, --sequence-length or --hidden smaller, or take --device simd',
      );
    case 'GPUInternalError':
      return failed(adapter, `failed: ${what}`);
    default:
      return new Error(`WebGPU refuses a command: ${error.message}`);
  }
}

const failed = ({ name, driver }: AdapterDescription, what: string): CharloomError =>
  new CharloomError(
    'IO',
    `the GPU ${name} (${driver}) ${what}`,
    "'charloom resume' goes on from the last checkpoint, with --device simd also without the GPU",
  );
