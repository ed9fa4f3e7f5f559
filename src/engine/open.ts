/** The one place that knows which engines exist. Loads an engine's code only when it is asked for. */
import { CharloomError } from '../errors.ts';
import type { AdapterDescription, Engine, EngineDescription, WeightType } from './engine.ts';

/** What an engine may be told. */
export interface EngineOptions {
  /** Threads of `simd` and `native`; all processors there are, if not given. The other engines have none to choose. */
  readonly threads?: number | undefined;
  /**
   * With `bf16`, weights that a program only reads may be kept as bfloat16, which `native` reads in half the time. It rounds
   * them by itself; where every engine is to compute with the same numbers, they are rounded before they are written.
   */
  readonly weights?: WeightType | undefined;
  /** Shows that there is something to wait for, such as a compiler. */
  readonly show?: (<T>(text: string, work: Promise<T>) => Promise<T>) | undefined;
}

/** That can be asked for: a slip of the finger is not to take all memory. */
const MOST_THREADS = 256;

const openGpu = async (mode: 'webgpu' | 'webasm' | 'cpu') =>
  (await import('./gpu/gpu-engine.ts')).GpuEngine.open(mode);

async function openHardwareGpu(): Promise<Engine> {
  // Where there is none, that costs a look, and not the loading of gpu.js.
  await (await import('./gpu/probe.ts')).requireHardware();
  return openGpu('webgpu');
}

const openSimd = async (options: EngineOptions) => (await import('./simd/open-simd.ts')).openSimd(options);

const openNative = async (options: EngineOptions) =>
  (await import('./native/native-engine.ts')).NativeEngine.open(options);

/** The native engine where there is a C compiler, which is the faster one on every processor, else simd. */
async function openFastestOnProcessor(options: EngineOptions): Promise<Engine> {
  try {
    return await openNative(options);
  } catch (error) {
    if (error instanceof CharloomError && error.code === 'UNAVAILABLE') return openSimd(options);
    throw error;
  }
}

/** The engines by name, in the order in which they are listed, and how to open each. */
const ENGINES: Record<string, (options: EngineOptions) => Promise<Engine>> = {
  native: openNative,
  simd: openSimd,
  'gpu.js:webgpu': () => openGpu('webgpu'),
  'gpu.js:webasm': () => openGpu('webasm'),
  'gpu.js:cpu': () => openGpu('cpu'),
  reference: async () => new (await import('./reference/reference-engine.ts')).ReferenceEngine(),
};

/** What `--device` takes beside the exact names. */
const CHOICES: Record<string, (options: EngineOptions) => Promise<Engine>> = {
  auto: openSimd,
  cpu: openFastestOnProcessor,
  gpu: openHardwareGpu,
};

export const DEVICES = [...Object.keys(CHOICES), ...Object.keys(ENGINES)];

/**
 * Opens the engine that `device` asks for: an exact name, which is what runs or fails; `auto`, which is `simd`; `cpu`,
 * which is `native`, or `simd` where that cannot be compiled; `gpu`, which is a GPU in hardware.
 *
 * @throws CharloomError USAGE for an unknown name or a number of threads out of range, UNAVAILABLE if the engine cannot
 *   run here
 */
export async function openEngine(device: string, options: EngineOptions = {}): Promise<Engine> {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw new CharloomError(
      'USAGE',
      `--threads ${threads}: expected a whole number from 1 to ${MOST_THREADS}`,
    );
  }
  if (!DEVICES.includes(device)) {
    throw new CharloomError('USAGE', `unknown device '${device}'`, `choose one of ${DEVICES.join(', ')}`);
  }
  return (CHOICES[device] ?? ENGINES[device]!)(options);
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
export async function listEngines(options: EngineOptions = {}): Promise<EngineStatus[]> {
  const list: EngineStatus[] = [];
  for (const name of Object.keys(ENGINES)) {
    try {
      const { detail, adapter } = await describe(name, options);
      list.push({ name, available: true, detail, ...(adapter && { adapter }) });
    } catch (error) {
      const hint = error instanceof CharloomError ? error.hint : '';
      const message = error instanceof Error ? error.message.split('\n', 1)[0]! : String(error);
      list.push({ name, available: false, detail: [message, hint].filter(Boolean).join('; ') });
    }
  }
  return list;
}

/** @throws whatever opening it throws */
async function describe(name: string, options: EngineOptions): Promise<EngineDescription> {
  if (name === 'gpu.js:webgpu') {
    // In a process of its own: drivers print what they please, and some crash.
    const adapter = await (await import('./gpu/probe.ts')).probeAdapter();
    return { name, detail: `WebGPU on ${adapter.name}`, adapter };
  }
  const engine = await ENGINES[name]!(options);
  await engine.close();
  return engine.description;
}
