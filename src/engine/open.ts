/** The one place that knows which engines exist. Loads an engine's code only when it is asked for. */
import { CharloomError } from '../errors.ts';
import type { AdapterDescription, Engine, EngineDescription } from './engine.ts';

/** What an engine may be told. */
export interface EngineOptions {
  /** Threads of `simd`; all processors there are, if not given. The other engines have none to choose. */
  readonly threads?: number | undefined;
}

/** More threads than any machine has cores for would only take memory. */
const MOST_THREADS = 256;

const openGpu: typeof import('./gpu/gpu-engine.ts')['GpuEngine']['open'] = async (mode, options) =>
  (await import('./gpu/gpu-engine.ts')).GpuEngine.open(mode, options);

async function openHardwareGpu(): Promise<Engine> {
  // Where there is none, that costs a look, and not the loading of gpu.js.
  await (await import('./gpu/probe.ts')).findAdapter({ requireHardware: true });
  return openGpu('webgpu', { requireHardware: true });
}

const openSimd = async (options: EngineOptions) =>
  (await import('./simd/simd-engine.ts')).SimdEngine.open(options);

/** The engines by name, in the order in which they are listed, and how to open each. */
const ENGINES: Record<string, (options: EngineOptions) => Promise<Engine>> = {
  simd: openSimd,
  'gpu.js:webgpu': () => openGpu('webgpu'),
  'gpu.js:webasm': () => openGpu('webasm'),
  'gpu.js:cpu': () => openGpu('cpu'),
  reference: async () => new (await import('./reference/reference-engine.ts')).ReferenceEngine(),
};

/** Engines that the contract names and that this version does not have yet. */
const PLANNED = ['native'];

/** What `--device` takes beside the exact names. */
const CHOICES: Record<string, (options: EngineOptions) => Promise<Engine>> = {
  auto: openSimd,
  cpu: openSimd,
  gpu: openHardwareGpu,
};

export const DEVICES = [...Object.keys(CHOICES), ...Object.keys(ENGINES), ...PLANNED];

/**
 * Opens the engine that `device` asks for: an exact name, or `auto`, `cpu` or `gpu`. What was asked for is what
 * runs; nothing falls back silently.
 *
 * @throws CharloomError USAGE for an unknown name or a number of threads out of range, UNAVAILABLE if the engine cannot
 *   run here
 */
export async function openEngine(device: string, options: EngineOptions = {}): Promise<Engine> {
  const { threads = 1 } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new CharloomError(
      'USAGE',
      `--threads ${threads}: expected a whole number from 1 to ${MOST_THREADS}`,
    );
  }
  if (!DEVICES.includes(device)) {
    throw new CharloomError('USAGE', `unknown device '${device}'`, `choose one of ${DEVICES.join(', ')}`);
  }
  const open = CHOICES[device] ?? ENGINES[device];
  if (!open) {
    throw new CharloomError(
      'UNAVAILABLE',
      `device '${device}': this version of charloom has no such engine`,
      `use --device cpu, or see what there is with 'charloom devices'`,
    );
  }
  return open(options);
}

export interface EngineStatus {
  readonly name: string;
  readonly available: boolean;
  /** What it runs on, or why it cannot. */
  readonly detail: string;
  /** What GPU, or program in its stead, it runs on, if it needs one. */
  readonly adapter?: AdapterDescription;
}

/** Tries every engine in turn: what it runs on, or why it is unavailable. One that is broken does not end the list. */
export async function listEngines(): Promise<EngineStatus[]> {
  const list: EngineStatus[] = [];
  for (const name of Object.keys(ENGINES)) {
    try {
      const { detail, adapter } = await describe(name);
      list.push({ name, available: true, detail, ...(adapter && { adapter }) });
    } catch (error) {
      const hint = error instanceof CharloomError ? error.hint : '';
      const message = error instanceof Error ? error.message.split('\n', 1)[0]! : String(error);
      list.push({ name, available: false, detail: [message, hint].filter(Boolean).join('; ') });
    }
  }
  for (const name of PLANNED)
    list.push({ name, available: false, detail: 'not in this version of charloom' });
  return list;
}

/** @throws whatever opening it throws */
async function describe(name: string): Promise<EngineDescription> {
  if (name === 'gpu.js:webgpu') {
    // In a process of its own: drivers print what they please, and some crash.
    const adapter = await (await import('./gpu/probe.ts')).probeAdapter();
    return { name, detail: `WebGPU on ${adapter.name}`, adapter };
  }
  const engine = await ENGINES[name]!({});
  await engine.close();
  return engine.description;
}
