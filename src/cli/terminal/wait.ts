/** Waits of unknown length: a spinner on a terminal, one plain line elsewhere. */
import ora from 'ora';
import { note } from './output.ts';
import { isLive } from './style.ts';

/** Shows `text` while `work` goes on; the spinner vanishes when it is done. */
export async function waiting<T>(text: string, work: Promise<T>): Promise<T> {
  if (!isLive()) {
    note(`${text} …`);
    return work;
  }
  const spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
  try {
    return await work;
  } finally {
    spinner.stop();
  }
}
