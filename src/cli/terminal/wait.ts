/** Waits of unknown length: a spinner on a terminal, one plain line elsewhere. */
import ora from 'ora';
import { interruption } from '../signals.ts';
import { note } from './output.ts';
import { isLive } from './style.ts';

/**
 * Shows `text` while `work` goes on; the spinner vanishes when it is done.
 * @throws the signal's reason as soon as the user interrupts: nobody waits for `work` any more
 */
export async function waiting<T>(text: string, work: Promise<T>): Promise<T> {
  const { signal } = interruption;
  const interrupted = new Promise<never>((_, reject) => {
    signal.throwIfAborted();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  const done = Promise.race([work, interrupted]);
  if (!isLive()) {
    note(`${text} …`);
    return done;
  }
  const spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
  try {
    return await done;
  } finally {
    spinner.stop();
  }
}
