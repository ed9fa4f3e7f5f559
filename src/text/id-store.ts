/** Keeps the ids of a text while it is read, and after: in memory, and on disk what is too much for it. */
import { tmpdir } from 'node:os';
import { CharloomError } from '../errors.ts';
import { asWriteError, whyWritingFailed } from '../system-errors.ts';
import { IdSequence, type IdStorage } from './id-sequence.ts';
import { bytesPerId, type Ids, newIds } from './ids.ts';
import { TemporaryFile } from './temporary-file.ts';

/**
 * Bytes of ids that are kept in memory: with them, a process that trains the default network stays well below
 * a gigabyte, and few texts have more.
 */
const MEMORY_BYTES = 2 ** 28;

/** Ids per block. A block is written at once, and all its ids are equally wide. */
export const BLOCK = 2 ** 16;

export interface IdStoreOptions {
  /** Bytes of ids to keep in memory. Default: 256 MiB. */
  memoryBytes?: number | undefined;
  /** Folder of the temporary file, if there is too much for memory. Default: that of the system. */
  folder?: string | undefined;
}

/** A block in the temporary file. */
interface Place {
  readonly offset: number;
  /** Bytes per id. */
  readonly width: number;
}

/**
 * A growing text of ids. The width of an id follows from the number of distinct ids so far, block by block:
 * nothing is copied when a text turns out to have more than 256 symbols.
 */
export class IdStore implements IdStorage {
  /**
   * How many ids the text is going to have, as far as one can tell: for the message about a full disk.
   * Undefined where one cannot.
   */
  expectedLength: number | undefined;
  readonly #memoryBytes: number;
  readonly #folder: string;
  readonly #blocks: (Ids | Place)[] = [];
  #bytesInMemory = 0;
  #file: TemporaryFile | undefined;
  /** Greater than every id so far. */
  #size = 1;
  /** The block that is being filled. */
  #block = newIds(1, BLOCK);
  #filled = 0;
  /** A block as it was in the file. */
  #scratch = new ArrayBuffer(0);

  constructor({ memoryBytes = MEMORY_BYTES, folder = tmpdir() }: IdStoreOptions = {}) {
    this.#memoryBytes = memoryBytes;
    this.#folder = folder;
  }

  /** Number of ids so far. */
  get length(): number {
    return this.#blocks.length * BLOCK + this.#filled;
  }

  /**
   * @param size greater than every id appended so far, these included
   * @throws CharloomError CANNOT_CREATE, IO (disk full) if the ids do not fit into memory, nor on the disk
   */
  append(ids: Int32Array, size: number): void {
    this.#size = size;
    if (bytesPerId(size) > this.#block.BYTES_PER_ELEMENT) {
      const wider = newIds(size, BLOCK);
      wider.set(this.#block);
      this.#block = wider;
    }
    for (let at = 0; at < ids.length; ) {
      const piece = ids.subarray(at, at + BLOCK - this.#filled);
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === BLOCK) this.#keepBlock();
    }
  }

  /** All ids. Nothing may be appended any more. @throws as `append` */
  finish(): IdSequence {
    const { length } = this;
    if (this.#filled > 0) this.#keepBlock();
    this.#block = newIds(1, 0);
    return new IdSequence(this, length);
  }

  /** @throws CharloomError IO if the disk fails */
  read(start: number, out: Int32Array): void {
    for (let at = 0; at < out.length; ) {
      const first = (start + at) % BLOCK;
      const count = Math.min(out.length - at, BLOCK - first);
      const block = this.#blocks[(start + at - first) / BLOCK]!;
      const ids = 'width' in block ? this.#fetch(block, first, count) : block.subarray(first, first + count);
      out.set(ids, at);
      at += count;
    }
  }

  /** Removes the temporary file, if there is one: what is in it cannot be read any more. */
  close(): void {
    this.#file?.close();
  }

  #keepBlock(): void {
    const block = this.#block.subarray(0, this.#filled);
    if (this.#bytesInMemory + block.byteLength <= this.#memoryBytes) {
      this.#blocks.push(block);
      this.#bytesInMemory += block.byteLength;
      this.#block = newIds(this.#size, BLOCK);
    } else {
      this.#blocks.push(this.#write(block));
    }
    this.#filled = 0;
  }

  #write(block: Ids): Place {
    this.#file ??= this.#createFile();
    const { bytes: offset } = this.#file;
    try {
      this.#file.append(new Uint8Array(block.buffer, 0, block.byteLength));
    } catch (error) {
      throw this.#writeError(error, offset, block);
    }
    return { offset, width: block.BYTES_PER_ELEMENT };
  }

  #createFile(): TemporaryFile {
    try {
      return new TemporaryFile(this.#folder);
    } catch (error) {
      throw asWriteError(error, `a temporary file in ${this.#folder}`);
    }
  }

  #fetch({ offset, width }: Place, first: number, count: number): Ids {
    if (this.#scratch.byteLength === 0) this.#scratch = new ArrayBuffer(4 * BLOCK);
    try {
      this.#file!.read(offset + first * width, new Uint8Array(this.#scratch, 0, count * width));
    } catch (error) {
      const message = `reading the ids of the text from a temporary file in ${this.#folder} failed`;
      throw new CharloomError('IO', `${message}: ${(error as Error).message}`, '', { cause: error });
    }
    const type = width === 1 ? Uint8Array : width === 2 ? Uint16Array : Uint32Array;
    return new type(this.#scratch, 0, count);
  }

  /** Says how much would not fit: the file so far, and what is to come at the width of now. */
  #writeError(error: unknown, written: number, block: Ids): CharloomError {
    const left = Math.max(block.length, (this.expectedLength ?? 0) - this.#blocks.length * BLOCK);
    const needed = written + left * block.BYTES_PER_ELEMENT;
    return new CharloomError(
      'IO',
      `writing the ids of the text to a temporary file in ${this.#folder} failed: ${whyWritingFailed(error)}`,
      `it needs ${this.expectedLength === undefined ? 'more than' : 'about'} ${needed} bytes there, ${written} were written`,
      { cause: error },
    );
  }
}
