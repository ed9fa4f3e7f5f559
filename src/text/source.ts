/** Where texts come from: files, pipes and standard input, read in pieces. */
import { createHash } from 'node:crypto';
import { access, constants, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CharloomError } from '../errors.ts';

export const STDIN = '-';

/** What was read, for the records of a run. */
export interface FileRecord {
  /** File name without its folder; `stdin` for standard input. */
  readonly name: string;
  /** As given. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of the bytes, in hexadecimal. */
  readonly sha256: string;
}

export interface Source {
  readonly name: string;
  /** What messages call it. */
  readonly label: string;
  readonly path: string;
  /** Bytes that are to be expected; 0 where only reading tells (pipes). */
  readonly expectedBytes: number;
  /** Gives every piece to `consume`, in order; the bytes are valid during that call only. To be called once. */
  read(consume: (bytes: Uint8Array) => void): Promise<FileRecord>;
}

/**
 * A file, or standard input for `-`, that is there to be read.
 * @param pieceBytes greatest size of a piece of a file
 * @throws CharloomError NO_INPUT if it does not exist, cannot be read or is a folder
 */
export async function findSource(path: string, pieceBytes: number): Promise<Source> {
  if (path === STDIN) return makeSource('stdin', 'standard input', path, 0, () => process.stdin);
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw new CharloomError('NO_INPUT', `cannot read ${path}: it is a folder`);
    await access(path, constants.R_OK);
    const expectedBytes = status.isFile() ? status.size : 0;
    return makeSource(basename(path), path, path, expectedBytes, () => pieces(path, pieceBytes));
  } catch (error) {
    throw asInputError(error, path);
  }
}

function makeSource(
  name: string,
  label: string,
  path: string,
  expectedBytes: number,
  stream: () => AsyncIterable<Uint8Array>,
): Source {
  return {
    name,
    label,
    path,
    expectedBytes,
    async read(consume) {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const piece of readable(stream(), label)) {
        hash.update(piece);
        bytes += piece.length;
        consume(piece);
      }
      return { name, path, bytes, sha256: hash.digest('hex') };
    },
  };
}

async function* pieces(path: string, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const buffer = new Uint8Array(pieceBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, pieceBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The same pieces, with errors of reading (not those of the consumer) made ours. */
async function* readable(stream: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        throw asInputError(error, label);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

const REASONS = new Map([
  ['ENOENT', 'it does not exist'],
  ['ENOTDIR', 'a part of its path is not a folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EISDIR', 'it is a folder'],
  ['ELOOP', 'too many symbolic links'],
  ['ENAMETOOLONG', 'its name is too long'],
]);

/** The error of a system call on an input as ours, its file named; any other error as it is. */
export function asInputError(error: unknown, label: string): unknown {
  if (error instanceof CharloomError || !(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  const reason = REASONS.get(code);
  if (reason) return new CharloomError('NO_INPUT', `cannot read ${label}: ${reason}`, '', { cause: error });
  return new CharloomError('IO', `reading ${label} failed: ${error.message}`, '', { cause: error });
}
