/** A file that appears at its destination only when it is complete. */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { CharloomError } from '../errors.ts';
import { asWriteError } from '../system-errors.ts';

/**
 * Written under a temporary name in the folder of its destination, hashed on the way. `finish` ends it well,
 * `discard` otherwise; `discard` after `finish` does nothing.
 */
export class PartFile {
  /** Its temporary name. */
  readonly path: string;
  readonly #destination: string;
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  #bytes = 0;

  private constructor(path: string, destination: string, file: FileHandle) {
    this.path = path;
    this.#destination = destination;
    this.#file = file;
  }

  /**
   * A new file beside `destination`.
   * @throws CharloomError CANNOT_CREATE if the folder does not exist or must not be written to; IO otherwise
   */
  static async create(destination: string): Promise<PartFile> {
    const path = join(dirname(destination), `.charloom-${randomBytes(6).toString('hex')}.part`);
    try {
      return new PartFile(path, destination, await open(path, 'wx'));
    } catch (error) {
      throw asWriteError(error, destination);
    }
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends. @throws CharloomError IO (disk full) */
  async write(piece: Uint8Array): Promise<void> {
    try {
      // Unlike `write`, this goes on until all of it is written.
      await this.#file.writeFile(piece);
    } catch (error) {
      throw asWriteError(error, this.#destination);
    }
    this.#hash.update(piece);
    this.#bytes += piece.length;
  }

  /** SHA-256 of what was written, in hexadecimal. */
  sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  /**
   * Puts the file on the disk, then in the place of its destination.
   * @throws CharloomError IO, CANNOT_CREATE
   */
  async finish(): Promise<void> {
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.path, this.#destination);
    } catch (error) {
      throw asWriteError(error, this.#destination);
    }
  }

  /** Removes the file. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.path, { force: true });
  }
}

/**
 * Refuses a destination that is there already, or, with `force`, one that is anything but a file.
 * @throws CharloomError CANNOT_CREATE
 */
export async function checkDestination(path: string, force: boolean): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() || path.endsWith('/') || path.endsWith(sep)) {
    throw new CharloomError('CANNOT_CREATE', `cannot create ${path}: it is a folder`, 'give a file name');
  }
  if (status && !status.isFile()) {
    throw new CharloomError('CANNOT_CREATE', `cannot create ${path}: it is there and not a regular file`);
  }
  if (status && !force) {
    throw new CharloomError('CANNOT_CREATE', `${path} exists already`, '--force replaces it');
  }
}
