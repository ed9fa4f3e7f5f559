/** Documents that a command makes, in the file that the user named. */
import { realpath, stat, writeFile } from 'node:fs/promises';
import { asWriteError, writeFileAtomic } from '../checkpoint/atomic-write.ts';
import { print } from './terminal/output.ts';

/** The name that stands for standard output. */
export const STDOUT = '-';

/**
 * Writes a document. A file of this name is replaced as a whole, or stays as it was; a device or a pipe is written into.
 * @throws CharloomError CANNOT_CREATE, IO (disk full)
 */
export async function writeDocument(path: string, document: string): Promise<void> {
  if (path === STDOUT) return print(document);
  try {
    // Through symbolic links: what they point to is meant. Where there is nothing yet, that is no failure.
    const target = await realpath(path).catch(() => path);
    const status = await stat(target).catch(() => undefined);
    if (!status || status.isFile() || status.isDirectory()) await writeFileAtomic(target, document);
    else await writeFile(target, document);
  } catch (error) {
    throw asWriteError(error, path);
  }
}
