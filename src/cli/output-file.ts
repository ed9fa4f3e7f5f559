/** Files that a command writes: opened before the work starts, so that a bad path fails early; there only when complete. */
import { openSync } from 'node:fs';
import { constants, open, realpath, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CharloomError } from '../errors.ts';
import { asWriteError } from '../system-errors.ts';
import { checkDestination, PartFile } from '../text/part-file.ts';
import { belongsToRun } from '../training/run.ts';
import { interruption } from './signals.ts';
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
 * @throws CharloomError USAGE for what is no name of a file, or that of an input or of a run's file; CANNOT_CREATE, IO
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
  if (belongsToRun(target)) {
    throw new CharloomError(
      'USAGE',
      `${flag} ${path} is a file of a run, which needs it`,
      'give another name',
    );
  }
  const status = await stat(target).catch(() => undefined);
  if (status?.isFIFO()) return openPipe(target);
  if (status && !status.isFile() && !status.isDirectory()) return openDevice(target);
  await checkDestination(path, true);
  const file = await PartFile.create(target);
  return {
    write: (piece) => file.write(typeof piece === 'string' ? Buffer.from(piece) : piece),
    finish: () => file.finish(),
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

/** A device: bytes go into it as they come. */
async function openDevice(path: string): Promise<Output> {
  const file = await attempt(path, open(path, 'w'));
  return {
    write: (piece) => attempt(path, file.writeFile(piece)),
    finish: () => attempt(path, file.close()),
    discard: () => file.close().catch(() => {}),
  };
}

/** How often to look whether a named pipe has a reader. */
const LOOK_MILLISECONDS = 50;

/**
 * A named pipe. A thread that waited for its reader would keep the process from ending, whatever the signal: the event loop waits.
 * @throws the reason of the interruption, if it comes while there is no reader
 */
async function openPipe(path: string): Promise<Output> {
  const { signal } = interruption;
  let fd: number | undefined;
  while (fd === undefined) {
    try {
      fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw asWriteError(error, path);
      await sleep(LOOK_MILLISECONDS);
      signal.throwIfAborted();
    }
  }
  const pipe = new Socket({ fd, readable: false, writable: true, signal });
  // Whoever writes or finishes next is told; nobody else needs to know.
  pipe.on('error', () => {});
  const ended = async (work: (done: (error?: Error | null) => void) => void): Promise<void> => {
    try {
      await promisify(work)();
    } catch (error) {
      signal.throwIfAborted();
      throw asWriteError(error, path);
    }
  };
  return {
    write: (piece) => ended((done) => pipe.write(piece, done)),
    finish: () => ended((done) => pipe.end(done)),
    discard: async () => {
      pipe.destroy();
    },
  };
}

/** @throws an error of the system as CharloomError, with the name of the file */
async function attempt<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asWriteError(error, path);
  }
}

async function done(): Promise<void> {}
