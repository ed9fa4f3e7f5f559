/** Data on stdout: awaited, so that a slow reader is waited for and a closed or full one is noticed. */
import { CharloomError } from '../../errors.ts';
import { printable } from './printable.ts';

/** The reader of stdout has gone away (`charloom sample … | head`): a quiet end, not a failure. */
export class StdoutClosed extends Error {}

// Without a listener an error on stdout would end the process with a stack trace; `print` reports it.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

/**
 * Writes text, or bytes, to stdout and waits until it is handed over.
 * @throws StdoutClosed when nobody reads any more; CharloomError IO when it cannot be written (disk full)
 */
export async function print(text: string | Uint8Array): Promise<void> {
  const failure = await new Promise<Error | null | undefined>((resolve) =>
    process.stdout.write(text, resolve),
  );
  if (!failure) return;
  const { code } = failure as NodeJS.ErrnoException;
  if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') throw new StdoutClosed();
  throw new CharloomError('IO', `cannot write to standard output: ${failure.message}`);
}

/** Writes text that a model made: where it can control a terminal, with its control characters escaped, unless `raw`. */
export function printGenerated(text: string, raw = false): Promise<void> {
  return print(process.stdout.isTTY && !raw ? printable(text) : text);
}

/** Writes one JSON object as a line. Numbers that JSON lacks (infinite, not a number) become null. */
export function printJson(value: object): Promise<void> {
  return print(`${JSON.stringify(value)}\n`);
}

/** Writes a line for people to stderr. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
