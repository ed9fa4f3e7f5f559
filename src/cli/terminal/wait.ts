/** Waits of unknown length: a spinner on a terminal, one plain line elsewhere. */
import { interruption } from '../signals.ts';
import { PLAIN_LINE_MILLISECONDS, REDRAW_MILLISECONDS } from './bar.ts';
import { note } from './output.ts';
import { isLive } from './style.ts';

/**
 * Shows `text` while `work` goes on; the spinner vanishes when it is done.
 * @param detail how far it is, asked for now and then: shown after `text`
 * @throws the signal's reason as soon as the user interrupts: nobody waits for `work` any more
 */
export async function waiting<T>(text: string, work: Promise<T>, detail?: () => string): Promise<T> {
  const { signal } = interruption;
  let interrupt = (): void => {};
  const interrupted = new Promise<never>((_, reject) => {
    signal.throwIfAborted();
    interrupt = () => reject(signal.reason);
    signal.addEventListener('abort', interrupt);
  });
  // What fails while the spinner is loaded is thrown below.
  for (const promise of [work, interrupted]) promise.catch(() => {});
  // On a terminal that does not know its width (0 columns) ora would clear lines without end.
  const animated = isLive() && process.stderr.columns > 0;
  // Loaded only to be seen: a command that answers at once should not wait for it.
  const ora = animated ? (await import('ora')).default : undefined;
  const spinner = ora?.({ text, stream: process.stderr, discardStdin: false }).start();
  if (!spinner) note(`${text} …`);
  const refresh = (): void => {
    const line = `${text}  ${detail!()}`.trimEnd();
    if (spinner) spinner.text = line;
    else note(line);
  };
  const interval = spinner ? REDRAW_MILLISECONDS : PLAIN_LINE_MILLISECONDS;
  const timer = detail && setInterval(refresh, interval);
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    clearInterval(timer);
    spinner?.stop();
    signal.removeEventListener('abort', interrupt);
  }
}
