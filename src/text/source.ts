/** Where texts come from: files, pipes and standard input, read in pieces. */
import { createHash } from 'node:crypto';
import { openSync, type Stats } from 'node:fs';
import { access, constants, open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { CharloomError } from '../errors.ts';
import { asReadError } from '../system-errors.ts';

export const STDIN = '-';

/** Whether a path means standard input: `-`, or as many systems call it. */
export const isStdin = (path: string): boolean => [STDIN, '/dev/stdin', '/dev/fd/0'].includes(path);

/** What was read, for the records of a run. */
export interface FileRecord {
  /** File name without its folder; `stdin` for standard input. */
  readonly name: string;
  /** As given; `-` for standard input. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of the bytes, in hexadecimal. */
  readonly sha256: string;
}

export interface Source {
  /** What messages call it. */
  readonly label: string;
  /** Bytes that are to be expected; 0 where only reading tells (pipes). */
  readonly expectedBytes: number;
  /** Gives every piece to `consume`, in order; the bytes are valid during that call only. To be called once. */
  read(consume: (bytes: Uint8Array) => void): Promise<FileRecord>;
}

/**
 * A file, a named pipe, or standard input, that is there to be read.
 * @param pieceBytes greatest size of a piece of a file
 * @throws CharloomError NO_INPUT if it does not exist, cannot be read, or is a folder, a device or a socket
 */
export async function findSource(path: string, pieceBytes: number): Promise<Source> {
  if (isStdin(path)) return makeSource('stdin', 'standard input', STDIN, 0, () => process.stdin);
  try {
    const status = await stat(path);
    const obstacle = obstacleIn(status);
    if (obstacle) {
      throw new CharloomError(
        'NO_INPUT',
        `cannot read ${path}: it is a ${obstacle}`,
        obstacle === 'device' ? `a part of it can be piped in: head -c 1000000 ${path} | charloom … -` : '',
      );
    }
    await access(path, constants.R_OK);
    const expectedBytes = status.isFile() ? status.size : 0;
    const read = status.isFIFO() ? () => pipedPieces(path) : () => pieces(path, pieceBytes);
    return makeSource(basename(path), path, path, expectedBytes, read);
  } catch (error) {
    throw asReadError(error, path || "''");
  }
}

/** Room for any settings or catalogue. */
const MOST_SETTINGS_BYTES = 16 * 2 ** 20;

/** The bytes of a file of settings, which is small. @throws CharloomError as `readBytes` */
export async function readSettings(path: string): Promise<Uint8Array> {
  return (await readBytes(path, MOST_SETTINGS_BYTES)).bytes;
}

const PIECE_BYTES = 2 ** 18;

/**
 * All bytes of a file, a named pipe or standard input.
 * @param most how many there may be
 * @param onProgress as of `ReadOptions`
 * @returns the bytes, and what messages call them
 * @throws CharloomError as `findSource`; BAD_DATA if there are more; IO
 */
export async function readBytes(
  path: string,
  most: number,
  onProgress?: (bytes: number, total: number | undefined) => void,
): Promise<{ bytes: Uint8Array; label: string }> {
  const { label, expectedBytes, read } = await findSource(path, PIECE_BYTES);
  const pieces: Uint8Array[] = [];
  let length = 0;
  await read((piece) => {
    length += piece.length;
    if (length > most) throw new CharloomError('BAD_DATA', `${label} has more than ${most} bytes`);
    pieces.push(piece.slice());
    onProgress?.(length, expectedBytes || undefined);
  });
  return { bytes: Buffer.concat(pieces), label };
}

/** What something is that is no text. A device may give bytes without end, as /dev/zero does. */
function obstacleIn(status: Stats): string | undefined {
  if (status.isDirectory()) return 'folder';
  if (status.isCharacterDevice() || status.isBlockDevice()) return 'device';
  return status.isSocket() ? 'socket' : undefined;
}

function makeSource(
  name: string,
  label: string,
  path: string,
  expectedBytes: number,
  stream: () => AsyncIterable<Uint8Array>,
): Source {
  return {
    label,
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
    const { size } = await file.stat();
    // No further than it goes now: what is written to it meanwhile may have no end. Files of /proc have no size.
    let left = size || Number.POSITIVE_INFINITY;
    while (left > 0) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(pieceBytes, left));
      if (bytesRead === 0) break;
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if ((await file.stat()).size < size) {
      throw new CharloomError('BAD_DATA', `${path} became shorter while it was read`);
    }
  } finally {
    await file.close();
  }
}

/** Those of a named pipe. A thread that waited for its writer would keep the process from ending: the event loop waits. */
async function* pipedPieces(path: string): AsyncGenerator<Uint8Array> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  yield* new Socket({ fd, readable: true, writable: false });
}

/** The same pieces, with errors of reading (not those of the consumer) made ours. */
async function* readable(stream: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        throw asReadError(error, label);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
