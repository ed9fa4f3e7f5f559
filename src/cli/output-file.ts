/** Files that a command writes: tried before the work is done, there, and whole, when it is done. */
import { open, realpath, stat } from 'node:fs/promises';
import { CharloomError } from '../errors.ts';
import { asOutputError, checkDestination, PartFile } from '../text/part-file.ts';
import { print } from './terminal/output.ts';

/** The name that stands for standard output. */
export const STDOUT = '-';

/** What is being written. `finish` ends it well, `discard` otherwise; `discard` after `finish` does nothing. */
export interface Output {
  /** @throws CharloomError IO (disk full); StdoutClosed */
  write(piece: string | Uint8Array): Promise<void>;
  /** Gives a file its name; one that had it is replaced. @throws CharloomError IO, CANNOT_CREATE */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export interface OutputOptions {
  /** Whether it may be standard output. */
  readonly stdout?: boolean;
  /** Files that the command reads: none of them is to be replaced by what is made of it. */
  readonly inputs?: readonly string[];
}

/**
 * Opens a file that may be there already, a device or a named pipe, or standard output.
 * @param flag the option that names it
 * @throws CharloomError USAGE for what is no name of a file, or that of an input; CANNOT_CREATE, IO
 */
export async function openOutput(
  path: string,
  flag: string,
  { stdout = false, inputs = [] }: OutputOptions = {},
): Promise<Output> {
  if (path === STDOUT && stdout) return { write: print, finish: done, discard: done };
  if (path === '' || path === STDOUT) {
    throw new CharloomError('USAGE', `${flag} '${path}' is not a file name`, 'it is written to a file');
  }
  // Through symbolic links: what they point to is meant. Where there is nothing yet, that is no failure.
  const target = await realpath(path).catch(() => path);
  for (const input of inputs) {
    if ((await realpath(input).catch(() => undefined)) !== target) continue;
    throw new CharloomError('USAGE', `${flag} ${path} is the file that is read`, 'give another name');
  }
  const status = await stat(target).catch(() => undefined);
  if (status && !status.isFile() && !status.isDirectory()) return openStream(target);
  await checkDestination(path, true);
  const file = await PartFile.create(target);
  return {
    write: (piece) => file.write(typeof piece === 'string' ? Buffer.from(piece) : piece),
    finish: () => file.moveTo(target),
    discard: () => file.discard(),
  };
}

/** Opens, writes and finishes: for what is quickly made. Arguments and errors as above. */
export async function writeOutput(
  path: string,
  flag: string,
  content: string | Uint8Array,
  options: OutputOptions = {},
): Promise<void> {
  const output = await openOutput(path, flag, options);
  try {
    await output.write(content);
    await output.finish();
  } finally {
    await output.discard();
  }
}

/** Something into which bytes go as they come. */
async function openStream(path: string): Promise<Output> {
  const attempt = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw asOutputError(error, path);
    }
  };
  const file = await attempt(open(path, 'w'));
  return {
    write: (piece) => attempt(file.writeFile(piece)),
    finish: () => attempt(file.close()),
    discard: () => file.close().catch(() => {}),
  };
}

async function done(): Promise<void> {}
