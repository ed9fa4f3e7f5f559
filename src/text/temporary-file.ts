/** A file without a name, for what does not fit into memory. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Bytes that are appended and read back, by nobody but this process. The file loses its name as soon as it is
 * open: the system frees its space when the process ends, however it ends. Where open files keep their names
 * (some file systems, older Windows) it is removed when it is closed, at the latest at a regular exit.
 *
 * Calls are synchronous: a block is in the system's cache within microseconds, a promise takes longer.
 */
export class TemporaryFile {
  readonly #file: number;
  /** Its name, where it has one. */
  readonly #path: string | undefined;
  #bytes = 0;
  #open = true;

  /** A new file in `folder`, readable by its owner only. @throws the errors of the system */
  constructor(folder: string) {
    const path = join(folder, `.charloom-${randomBytes(6).toString('hex')}.tmp`);
    this.#file = openSync(path, 'wx+', 0o600);
    try {
      unlinkSync(path);
    } catch {
      this.#path = path;
      process.on('exit', this.close);
    }
  }

  /** Bytes that were appended. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends all of `bytes`. @throws the errors of the system (disk full) */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      // One call may write less than it was given.
      const written = writeSync(this.#file, bytes, at, bytes.length - at, this.#bytes);
      at += written;
      this.#bytes += written;
    }
  }

  /** Fills `bytes` with what is at `offset`. @throws the errors of the system; Error if there is not so much */
  read(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(this.#file, bytes, at, bytes.length - at, offset + at);
      if (count === 0) throw new Error('the file ends too early');
      at += count;
    }
  }

  /** Frees the space; a second time does nothing. */
  readonly close = (): void => {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#file);
    if (this.#path === undefined) return;
    process.off('exit', this.close);
    rmSync(this.#path, { force: true });
  };
}
