/** The `simd` engine in Node.js: kernels from their file, and worker threads. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { CharloomError } from '../../errors.ts';
import { SimdEngine } from './simd-engine.ts';
import { startWorkers } from './workers.ts';

/**
 * @param threads how many compute, this one included; all processors there are, if not given
 * @throws CharloomError if the kernels are not there or cannot run
 */
export async function openSimd({
  threads = availableParallelism(),
}: {
  threads?: number | undefined;
} = {}): Promise<SimdEngine> {
  try {
    const module = new WebAssembly.Module(await readFile(new URL('./kernels.wasm', import.meta.url)));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    return new SimdEngine({ module, memory, threads, startWorkers });
  } catch (cause) {
    if (cause instanceof CharloomError) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CharloomError(
      'UNAVAILABLE',
      missing
        ? 'the kernels of the simd engine have not been built'
        : `the simd engine cannot start: ${cause}`,
      missing ? 'run `npm run build:wasm`' : 'it needs a Node.js with WebAssembly SIMD and threads',
      { cause },
    );
  }
}
