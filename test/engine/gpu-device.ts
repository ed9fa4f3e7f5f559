/** The WebGPU device, for tests that need it itself. */
import type { TestContext } from 'node:test';
import { acquireDevice, type GpuDevice } from '../../src/engine/gpu/adapter.ts';
import { CharloomError } from '../../src/errors.ts';

/** Runs `body` with the device; where there is none the test is skipped, with the reason. */
export async function withDevice(t: TestContext, body: (gpu: GpuDevice) => Promise<void>): Promise<void> {
  let gpu: GpuDevice;
  try {
    gpu = await acquireDevice();
  } catch (error) {
    if (!(error instanceof CharloomError) || error.code !== 'UNAVAILABLE') throw error;
    t.skip(error.message);
    return;
  }
  try {
    await body(gpu);
  } finally {
    await gpu.release();
  }
}
