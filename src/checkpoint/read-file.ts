/** Reading files of a run, which anybody may have written: bounded and strict. */
import { constants, open } from 'node:fs/promises';
import { CharloomError } from '../errors.ts';
import { asReadError } from '../system-errors.ts';

/** For `open`: a named pipe is not waited for, so that it can be refused. */
export const READ = constants.O_RDONLY | constants.O_NONBLOCK;

/** Bytes for one call of Node.js, which takes no more than 2 GiB to read, to write or to hash. */
export const CALL_BYTES = 2 ** 30;

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
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length, Math.min(CALL_BYTES, bytes.length - length));
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
