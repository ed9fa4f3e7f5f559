/** Writing that survives a crash: a file is there as it was before, or whole, and never in between. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createFolders } from '../folders.ts';
import { asWriteError } from '../system-errors.ts';
import { CALL_BYTES } from './read-file.ts';

/** What is written: pieces that follow each other. A string is UTF-8. */
export type Content = string | Pieces;
export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file so that its name means the old content or the new one, whatever happens meanwhile: a new
 * file beside it, flushed to the disk, takes its name.
 * @throws CharloomError CANNOT_CREATE (folder missing or not writable), IO (disk full, device error)
 */
export async function writeFileAtomic(path: string, content: Content): Promise<void> {
  const temporary = join(dirname(path), temporaryName(basename(path)));
  try {
    await writeNewFile(temporary, content);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw asWriteError(error, path);
  }
}

/** Writes a file that must not exist yet, and flushes it to the disk. @throws the errors of the system */
export async function writeNewFile(path: string, content: Content): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await writeAll(file, typeof content === 'string' ? [new TextEncoder().encode(content)] : content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Writes every byte: one call of `write` may take fewer. */
export async function writeAll(file: FileHandle, pieces: Pieces): Promise<void> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const { bytesWritten } = await file.write(piece, at, Math.min(CALL_BYTES, piece.length - at));
      at += bytesWritten;
    }
  }
}

/** Creates a folder, with its parents, unless it exists. @throws CharloomError as `writeFileAtomic` */
export async function makeFolder(path: string): Promise<void> {
  try {
    for (const folder of await createFolders(path)) await syncFolder(dirname(folder));
  } catch (error) {
    throw asWriteError(error, path);
  }
}

/** Flushes the entries of a folder: without it a crash may undo a rename. */
export async function syncFolder(path: string): Promise<void> {
  // Windows can neither open nor flush folders.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A name in the same folder that nothing else has, and that shows what it was meant for. */
export function temporaryName(name: string): string {
  return `.${name}.tmp-${randomBytes(6).toString('hex')}`;
}

export function isTemporaryName(name: string): boolean {
  return /^\..+\.tmp-[0-9a-f]{12}$/.test(name);
}
