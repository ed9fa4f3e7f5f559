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
  let interrupt = (): void => {};
  const interrupted = new Promise<never>((_, reject) => {
    signal.throwIfAborted();
    interrupt = () => reject(signal.reason);
    signal.addEventListener('abort', interrupt);
  });
  // On a terminal that does not know its width (0 columns) ora would clear lines without end.
  const animated = isLive() && process.stderr.columns > 0;
  const spinner = animated ? ora({ text, stream: process.stderr, discardStdin: false }).start() : undefined;
  if (!spinner) note(`${text} …`);
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    spinner?.stop();
    signal.removeEventListener('abort', interrupt);
  }
}
