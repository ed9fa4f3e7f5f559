/** Whether something is there, and making folders with their parents. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Creates a folder and those above it that are missing. Node.js 20 does so by itself (`recursive`), but where a file system
 * refuses to (/proc), it tries for ever.
 * @returns the folders that it made, the outermost first
 * @throws the errors of the system; EEXIST if something else than a folder has the name
 */
export async function createFolders(path: string, mode = 0o777): Promise<string[]> {
  const missing: string[] = [];
  let folder = resolve(path);
  for (; !(await exists(folder)) && dirname(folder) !== folder; folder = dirname(folder))
    missing.unshift(folder);
  for (const each of missing) {
    await mkdir(each, { mode }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error; // somebody else made it meanwhile
    });
  }
  if (!(await stat(path)).isDirectory()) {
    throw Object.assign(new Error(`EEXIST: file already exists, '${path}'`), { code: 'EEXIST' });
  }
  return missing;
}

/** Whether a path leads to something. @throws the errors of the system, but for that there is nothing */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
