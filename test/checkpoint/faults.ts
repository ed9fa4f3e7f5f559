/**
 * A file system that fails on demand: every call below one folder is counted, and one of them can be made to fail, or to write
 * less than it was given. Calls are those of `node:fs/promises` and of the files it opens.
 */
import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** What happens at a call; `short` writes one byte, and is nothing at other calls. */
export const FAULTS = ['ENOSPC', 'EIO', 'EACCES', 'short'] as const;
export type Fault = (typeof FAULTS)[number];

type Call = (...args: unknown[]) => Promise<unknown>;

const FUNCTIONS = ['open', 'mkdir', 'rename', 'rm', 'readdir', 'stat'] as const;
const METHODS = ['write', 'read', 'stat', 'sync', 'close'] as const;

/**
 * Runs `work` with every call below `folder` counted, and call number `at` failing.
 * @returns the names of the calls, in order
 */
export async function withFault(
  folder: string,
  fault: { readonly at: number; readonly kind: Fault } | undefined,
  work: () => Promise<void>,
): Promise<string[]> {
  const calls: string[] = [];
  /** Counts a call. @throws the fault, if it is this call's @returns whether it is to write less */
  const hit = (name: string): boolean => {
    const index = calls.push(name) - 1;
    if (index !== fault?.at) return false;
    if (fault.kind === 'short') return true;
    throw Object.assign(new Error(`${fault.kind}: injected, ${name}`), { code: fault.kind });
  };
  const promises = fs.promises as unknown as Record<string, Call>;
  const originals = FUNCTIONS.map((name) => [name, promises[name]!] as const);
  for (const [name, original] of originals) {
    promises[name] = async (...args) => {
      if (!String(args[0]).startsWith(folder)) return original(...args);
      hit(name);
      const result = await original(...args);
      if (name === 'open') watch(result as FileHandle, hit);
      return result;
    };
  }
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    for (const [name, original] of originals) promises[name] = original;
    syncBuiltinESMExports();
  }
  return calls;
}

function watch(handle: FileHandle, hit: (name: string) => boolean): void {
  const methods = handle as unknown as Record<string, Call>;
  for (const name of METHODS) {
    const original = methods[name]!.bind(handle);
    methods[name] = async (...args) => {
      try {
        if (hit(name) && name === 'write') return await original(args[0], args[1], 1);
      } catch (error) {
        // What fails to close is closed all the same.
        if (name === 'close') await original();
        throw error;
      }
      return original(...args);
    };
  }
}
