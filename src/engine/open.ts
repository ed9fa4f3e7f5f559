/** The one place that knows which engines exist. Loads an engine's code only when it is asked for. */
import { CharloomError } from '../errors.ts';
import type { Engine } from './engine.ts';

/** The engines by name, fastest first, and how to open each. */
const ENGINES: Record<string, () => Promise<Engine>> = {
  simd: async () => (await import('./simd/simd-engine.ts')).SimdEngine.open(),
  reference: async () => new (await import('./reference/reference-engine.ts')).ReferenceEngine(),
};

/** Engines that the contract names and that this version does not have yet. */
const PLANNED = ['native', 'gpu.js:webgpu', 'gpu.js:webasm', 'gpu.js:cpu'];

/** What `--device` takes beside the exact names. */
const CHOICES: Record<string, readonly string[]> = {
  auto: ['simd'],
  cpu: ['simd'],
  gpu: [],
};

export const DEVICES = [...Object.keys(CHOICES), ...Object.keys(ENGINES), ...PLANNED];

/**
 * Opens the engine that `device` asks for: an exact name, or `auto`, `cpu` or `gpu`. What was asked for is what
 * runs; nothing falls back silently.
 *
 * @throws CharloomError USAGE for an unknown name, UNAVAILABLE if the engine cannot run here
 */
export async function openEngine(device: string): Promise<Engine> {
  if (!DEVICES.includes(device)) {
    throw new CharloomError('USAGE', `unknown device '${device}'`, `choose one of ${DEVICES.join(', ')}`);
  }
  const name = Object.hasOwn(CHOICES, device) ? CHOICES[device]![0] : device;
  const open = name && ENGINES[name];
  if (!open) {
    throw new CharloomError(
      'UNAVAILABLE',
      `device '${device}': this version of charloom has no such engine`,
      `use --device cpu, or see what there is with 'charloom devices'`,
    );
  }
  return open();
}

export interface EngineStatus {
  readonly name: string;
  readonly available: boolean;
  /** What it runs on, or why it cannot. */
  readonly detail: string;
}

/** Tries every engine in turn: what it runs on, or why it is unavailable. */
export async function listEngines(): Promise<EngineStatus[]> {
  const list: EngineStatus[] = [];
  for (const [name, open] of Object.entries(ENGINES)) {
    try {
      const engine = await open();
      list.push({ name, available: true, detail: engine.description.detail });
      await engine.close();
    } catch (error) {
      if (!(error instanceof CharloomError)) throw error;
      list.push({ name, available: false, detail: [error.message, error.hint].filter(Boolean).join('; ') });
    }
  }
  for (const name of PLANNED)
    list.push({ name, available: false, detail: 'not in this version of charloom' });
  return list;
}
