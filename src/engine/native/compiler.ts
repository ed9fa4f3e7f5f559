/**
 * The kernels of the native engine as a shared library: compiled when they are first asked for, for this very processor, into
 * the user's cache. Nothing is compiled when charloom is installed, and no binary comes with it.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { lstat, readdir, readFile, rename, rm } from 'node:fs/promises';
import { cpus, homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CharloomError } from '../../errors.ts';
import { createFolders } from '../../folders.ts';
import * as opcodes from '../commands/opcodes.ts';

const SOURCES = fileURLToPath(new URL('./c/', import.meta.url));
const MAIN = 'walk.c';

/** Tried in this order, unless CC names one. CFLAGS adds flags. */
const COMPILERS = ['cc', 'gcc', 'clang'];

const FLAGS = ['-std=gnu11', '-O3', '-fno-math-errno', '-ffp-contract=fast', '-fPIC', '-shared', '-pthread'];
/** What says "this processor" differs between compilers and architectures; the last is for those that know neither. */
const TUNING = [['-march=native'], ['-mcpu=native'], []];

/** Seconds after which a compiler is given up. */
const LIMIT = 120;

export interface KernelsOptions {
  /** Shows what a few seconds are spent on. */
  readonly show?: (<T>(text: string, work: Promise<T>) => Promise<T>) | undefined;
}

/**
 * The path of the library, compiled if it is not in the cache.
 *
 * @throws CharloomError UNAVAILABLE without a compiler, if it fails, or if the cache is not this user's own
 */
export async function findKernels({ show = (_, work) => work }: KernelsOptions = {}): Promise<string> {
  const compiler = await findCompiler();
  const sources = await readSources();
  const flags = [...FLAGS, ...definitions()];
  const own = process.env.CFLAGS?.split(/\s+/).filter(Boolean) ?? [];
  const key = createHash('sha256');
  for (const part of [
    process.platform,
    process.arch,
    await processor(),
    compiler.version,
    ...flags,
    ...TUNING.flat(),
    ...own,
  ]) {
    key.update(`${part}\0`);
  }
  for (const [name, text] of sources) key.update(`${name}\0${text}\0`);
  const folder = await openCache();
  const library = path.join(folder, `${key.digest('hex').slice(0, 32)}.so`);
  if (await isOwn(library)) return library;
  // Whoever else compiles the same has a file of its own; the last one to finish wins, with equal contents.
  const unfinished = `${library}.${randomUUID()}`;
  try {
    const text = 'compiling the native engine for this processor, once';
    await show(text, compile(compiler.name, flags, own, unfinished));
    await rename(unfinished, library);
  } finally {
    await rm(unfinished, { force: true });
  }
  return library;
}

interface Compiler {
  readonly name: string;
  /** The first line of what it says about itself. */
  readonly version: string;
}

async function findCompiler(): Promise<Compiler> {
  const names = process.env.CC ? [process.env.CC] : COMPILERS;
  for (const name of names) {
    try {
      const { stdout } = await promisify(execFile)(name, ['--version'], { timeout: LIMIT * 1000 });
      return { name, version: stdout.split('\n', 1)[0]! };
    } catch {
      // Not there, or not a compiler.
    }
  }
  throw new CharloomError(
    'UNAVAILABLE',
    `the native engine needs a C compiler, and there is no ${names.join(', ')}`,
    "install one ('apt install gcc', 'dnf install gcc', 'xcode-select --install'), or use --device simd",
  );
}

/** Names and texts of all sources, in the order of their names. */
async function readSources(): Promise<[name: string, text: string][]> {
  const names = (await readdir(SOURCES)).filter((name) => /\.[ch]$/.test(name)).sort();
  return Promise.all(
    names.map(
      async (name): Promise<[string, string]> => [name, await readFile(path.join(SOURCES, name), 'utf8')],
    ),
  );
}

/** The numbers of the commands, as macros. */
function definitions(): string[] {
  return Object.entries(opcodes).map(([name, value]) => `-DOP_${name}=${value}`);
}

/** What the compiler tunes for: the model and the instructions of the first processor. */
async function processor(): Promise<string> {
  const model = cpus()[0]?.model ?? '';
  try {
    const [first = ''] = (await readFile('/proc/cpuinfo', 'utf8')).split('\n\n', 1);
    const instructions = first.split('\n').filter((line) => /^(flags|Features)\b/.test(line));
    return [model, ...instructions].join('\n');
  } catch {
    return model; // no Linux
  }
}

/** The folder of compiled kernels: what lies there is executed, so it has to be this user's own, and nobody else's. */
async function openCache(): Promise<string> {
  const { XDG_CACHE_HOME: given = '' } = process.env;
  const folder = path.join(path.isAbsolute(given) ? given : path.join(homedir(), '.cache'), 'charloom');
  try {
    await createFolders(folder, 0o700);
  } catch (cause) {
    throw new CharloomError(
      'UNAVAILABLE',
      `the native engine cannot keep its kernels in ${folder}: ${(cause as Error).message}`,
      'set XDG_CACHE_HOME to a folder that can be written, or use --device simd',
      { cause },
    );
  }
  if (!(await isOwn(folder))) throw notOwn(folder);
  return folder;
}

/** Whether there is such a file or folder. @throws CharloomError if others own it or may write into it */
async function isOwn(file: string): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  if (!found) return false;
  const foreign = process.getuid !== undefined && found.uid !== process.getuid();
  const plain = found.isFile() || found.isDirectory();
  if (foreign || !plain || (found.mode & 0o022) !== 0) throw notOwn(file);
  return true;
}

function notOwn(file: string): CharloomError {
  return new CharloomError(
    'UNAVAILABLE',
    `the native engine does not trust ${file}: it belongs to somebody else, or others may write to it`,
    'remove it, or set XDG_CACHE_HOME to a folder of your own',
  );
}

async function compile(
  compiler: string,
  flags: readonly string[],
  own: readonly string[],
  library: string,
): Promise<void> {
  let failure = '';
  for (const tuning of TUNING) {
    const all = [...flags, ...tuning, ...own, path.join(SOURCES, MAIN), '-o', library, '-lm'];
    try {
      await promisify(execFile)(compiler, all, { timeout: LIMIT * 1000 });
      return;
    } catch (error) {
      const { stderr = '', message } = error as { stderr?: string; message: string };
      failure = stderr.split('\n').find((line) => line.includes('error')) ?? message.split('\n', 1)[0]!;
    }
  }
  throw new CharloomError(
    'UNAVAILABLE',
    `the native engine cannot be compiled by ${compiler}: ${failure}`,
    'try another compiler (CC=clang), or use --device simd',
  );
}
