/** Reading a text: people see how far it is. */
import { bytes, progress } from './terminal/format.ts';
import { waiting } from './terminal/wait.ts';

/** @param read reads the text; to be given what it is to call as it goes on, see `ReadOptions` */
export function readText<T>(
  read: (onProgress: (bytes: number, total: number | undefined) => void) => Promise<T>,
): Promise<T> {
  const start = performance.now();
  let done = 0;
  let total: number | undefined;
  const work = read((...state) => {
    [done, total] = state;
  });
  return waiting('reading the text', work, () =>
    done > 0 ? progress(done, total, (performance.now() - start) / 1000, bytes).join('  ') : '',
  );
}
