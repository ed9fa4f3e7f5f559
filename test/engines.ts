/** The engines that the tests run on. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Engine } from '../src/engine/engine.ts';
import { openEngine } from '../src/engine/open.ts';
import { CharloomError } from '../src/errors.ts';

/** The engines, by the names of `--device`. */
export const ENGINES = [
  'reference',
  'native',
  'simd',
  'gpu.js:webgpu',
  'gpu.js:webasm',
  'gpu.js:cpu',
] as const;

/** A value for each engine; those with vectors have the same, and all of gpu.js's. */
export function perEngine<T>(
  reference: T,
  vectors: T,
  gpu: T,
): Readonly<Record<(typeof ENGINES)[number], T>> {
  return {
    reference,
    native: vectors,
    simd: vectors,
    'gpu.js:webgpu': gpu,
    'gpu.js:webasm': gpu,
    'gpu.js:cpu': gpu,
  };
}

/** Why the named engine cannot run here; false, as tests to be skipped want it, if it can. */
export async function whyMissing(name: string): Promise<string | false> {
  try {
    await (await openEngine(name)).close();
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Runs `body` on the named engine and closes it; where the engine cannot run the test is skipped, with the reason. */
export async function withEngine(
  t: TestContext,
  name: string,
  body: (engine: Engine) => Promise<void>,
): Promise<void> {
  let engine: Engine;
  try {
    engine = await openEngine(name);
  } catch (error) {
    if (!(error instanceof CharloomError) || error.code !== 'UNAVAILABLE') throw error;
    t.skip(error.message);
    return;
  }
  try {
    assert.equal(engine.description.name, name, 'the engine asked for is the one that runs');
    await body(engine);
  } finally {
    await engine.close();
  }
}
