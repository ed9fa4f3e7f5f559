/** The threads beside the main one. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CharloomError } from '../../errors.ts';
import type { WorkerContext } from './simd-engine.ts';

/**
 * All of a worker's JavaScript: it says that it is there and then stays inside WebAssembly. A string, because it needs no
 * TypeScript loader then, which would take longer to start than the thread itself.
 */
const SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const { module, memory, thread, workspace } = workerData;
const { exports } = new WebAssembly.Instance(module, { env: { memory, 'performance.now': () => performance.now() } });
parentPort.postMessage('ready');
exports.serve(thread, workspace);
parentPort.close();
`;

/**
 * Starts threads 1 to `threads` − 1 and waits until they are there. They end with an empty list of commands, or with the
 * process, which they do not keep alive.
 * @throws CharloomError UNAVAILABLE if the system refuses a thread
 */
export async function startWorkers(threads: number, context: WorkerContext): Promise<void> {
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    return new Worker(SOURCE, { eval: true, execArgv: [], workerData: { ...context, thread: i + 1 } });
  });
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')));
  } catch (cause) {
    await Promise.all(workers.map((worker) => worker.terminate()));
    throw new CharloomError(
      'UNAVAILABLE',
      `the simd engine cannot start ${threads} threads: ${cause}`,
      'give fewer --threads',
      { cause },
    );
  }
  for (const worker of workers) worker.unref();
}
