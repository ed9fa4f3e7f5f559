/** Runs the executable as a user's shell does, and collects what it says. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { TrainingEvent } from '../../src/training/events.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

/** The executable of this checkout, which runs the sources. */
export const SOURCE_EXECUTABLE = join(CHECKOUT, 'bin/charloom.js');

/** The same, with the sources as they are now compiled as in the package: it starts in a third of the time. */
export const EXECUTABLE = compile();

function compile(): string {
  const folder = scratchFolder();
  const tsc = join(CHECKOUT, 'node_modules/.bin/tsc');
  const options = ['--project', 'tsconfig.build.json', '--noCheck', '--outDir', join(folder, 'dist')];
  const { status, stdout } = spawnSync(tsc, options, { cwd: CHECKOUT, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  for (const kernels of ['engine/simd/kernels.wasm', 'engine/native/c', 'page/built']) {
    cpSync(join(CHECKOUT, 'src', kernels), join(folder, 'dist', kernels), { recursive: true });
  }
  for (const name of ['bin', 'package.json']) {
    cpSync(join(CHECKOUT, name), join(folder, name), { recursive: true });
  }
  for (const name of ['corpora', 'node_modules']) symlinkSync(join(CHECKOUT, name), join(folder, name));
  return join(folder, 'bin/charloom.js');
}

/** Settings of a model that trains hundreds of steps in a second, on an engine that needs no trial. */
export const TINY = [
  ...['--hidden', '8', '--embedding', '4', '--sequence-length', '8', '--batch-size', '4'],
  ...['--device', 'simd'],
];

const TIMEOUT_SECONDS = 60;

/** The first `length` characters of a text in English. */
export function sampleText(length: number): string {
  const play = readFileSync(new URL('../../corpora/lighthouse.txt', import.meta.url), 'utf8');
  return play.slice(0, length);
}

/** An empty folder that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'charloom-cli-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Result {
  /** Exit status; null if a signal killed the process. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  /** Working folder. */
  readonly cwd: string;
  /** What is on stdin; null: nothing, but it stays open; without it stdin is closed. */
  readonly input?: string | Uint8Array | null;
  /** A file that stdout is written to instead. */
  readonly stdout?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Default: `EXECUTABLE`. */
  readonly executable?: string;
  /** A script of the shell that runs it as "$@". */
  readonly shell?: string;
  /** It is killed after so many seconds. Default: 60. */
  readonly seconds?: number;
}

/** A running charloom. */
export interface Running {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
  /** Waits until `pattern` has been written to stdout or stderr. Rejects if the process ends without it. */
  until(pattern: RegExp): Promise<void>;
}

export function start(args: readonly string[], options: Options): Running {
  const { cwd, input, executable = EXECUTABLE, shell, seconds = TIMEOUT_SECONDS } = options;
  const file = options.stdout === undefined ? undefined : openSync(options.stdout, 'w');
  const command = [process.execPath, executable, ...args];
  const [program, ...rest] = shell === undefined ? command : ['sh', '-c', shell, 'sh', ...command];
  const child = spawn(program!, rest, {
    cwd,
    stdio: [input === undefined ? 'ignore' : 'pipe', file ?? 'pipe', 'pipe'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...options.environment },
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
  });
  if (file !== undefined) closeSync(file);
  child.stdin?.on('error', () => {});
  if (typeof input === 'string' || input instanceof Uint8Array) child.stdin!.end(input);

  let stdout = '';
  let stderr = '';
  let check = (): void => {};
  child.stdout?.setEncoding('utf8').on('data', (data: string) => {
    stdout += data;
    check();
  });
  child.stderr!.setEncoding('utf8').on('data', (data: string) => {
    stderr += data;
    check();
  });
  const result = new Promise<Result>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
  return {
    child,
    result,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        check = () => {
          if (pattern.test(stdout) || pattern.test(stderr)) resolve();
        };
        check();
        void result.then(() =>
          reject(new Error(`charloom ${args.join(' ')} never said ${pattern}: ${stderr}`)),
        );
      }),
  };
}

/** Runs charloom to its end. */
export function charloom(args: readonly string[], options: Options): Promise<Result> {
  return start(args, options).result;
}

/** Runs charloom to an end that must be a success. */
export async function succeed(args: readonly string[], options: Options): Promise<Result> {
  const result = await charloom(args, options);
  assert.equal(result.status, 0, `charloom ${args.join(' ')}\n${result.stderr}`);
  return result;
}

/** As `succeed`; the lines of JSON on stdout, parsed. */
export async function json<T = Record<string, unknown>>(
  args: readonly string[],
  options: Options,
): Promise<T[]> {
  return parseLines<T>((await succeed([...args, '--json'], options)).stdout);
}

/** Parses lines of JSON; the last one must be whole. */
export function parseLines<T>(text: string): T[] {
  assert.ok(text === '' || text.endsWith('\n'), `not whole lines: ${text.slice(-80)}`);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
}

/** The events in a run's `metrics.jsonl`. */
export function metrics(run: string): TrainingEvent[] {
  return parseLines(readFileSync(join(run, 'metrics.jsonl'), 'utf8'));
}

/** The steps of a run's checkpoints, ascending. */
export function checkpointSteps(run: string): number[] {
  return readdirSync(join(run, 'checkpoints'))
    .map(Number)
    .sort((a, b) => a - b);
}
