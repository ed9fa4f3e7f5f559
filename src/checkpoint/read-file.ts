/** Reading files of a run, which anybody may have written: bounded and strict. */
import { constants, open } from 'node:fs/promises';
import { CharloomError } from '../errors.ts';

/** A named pipe is not waited for, but refused. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * All bytes of a regular file.
 * @throws CharloomError NO_INPUT (missing, unreadable), BAD_DATA (no file, larger than `maxBytes`), IO
 */
export async function readWholeFile(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const file = await open(path, READ);
    try {
      const status = await file.stat();
      if (!status.isFile()) throw new CharloomError('BAD_DATA', `${path} is not a file`);
      if (status.size > maxBytes) {
        throw new CharloomError(
          'BAD_DATA',
          `${path} has ${status.size} bytes; at most ${maxBytes} are allowed`,
        );
      }
      const bytes = new Uint8Array(status.size);
      let length = 0;
      // `readFile` cannot read more than 2 GiB.
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length);
        if (bytesRead === 0) throw new CharloomError('BAD_DATA', `${path} became shorter while it was read`);
        length += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw asReadError(error, path);
  }
}

const NO_INPUT = new Map([
  ['ENOENT', 'it does not exist'],
  ['ENOTDIR', 'a part of its path is not a folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['ELOOP', 'too many symbolic links'],
  ['ENAMETOOLONG', 'its name is too long'],
]);

/** The error of a system call as ours; any other error as it is. */
export function asReadError(error: unknown, path: string): unknown {
  if (error instanceof CharloomError || !(error instanceof Error) || !('code' in error)) return error;
  const reason = NO_INPUT.get(String(error.code));
  if (reason) return new CharloomError('NO_INPUT', `cannot read ${path}: ${reason}`, '', { cause: error });
  return new CharloomError('IO', `reading ${path} failed: ${error.message}`, '', { cause: error });
}
