/** How soon something is there: from the start of a process to the first byte that it prints. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from '../../../src/bench/measure.ts';

const ROUNDS = 15;
const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export interface StartUpResult {
  readonly name: string;
  /** The median over the rounds. */
  readonly seconds: number;
  /** The median of the time beyond that of an empty Node.js process in the same round. */
  readonly beyondNode: number;
}

/** Measures the compiled package, in alternation with a Node.js that does nothing but print. */
export async function measureStartUp(
  show: (what: string) => void,
  rounds = ROUNDS,
): Promise<StartUpResult[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'charloom-start-'));
  try {
    show('start-up: training a model to sample from');
    const run = path.join(folder, 'run');
    await trainModel(folder, run);
    const processes: [name: string, ...args: string[]][] = [
      ['`node -p 0`', '-p', '0'],
      ['`charloom --version`', MAIN, '--version'],
      ['`charloom sample`, first character, LSTM 2x128', MAIN, 'sample', run, '--seed', '1'],
    ];
    const times = processes.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      show(`start-up: round ${round + 1} of ${rounds}`);
      for (const [i, [, ...args]] of processes.entries()) times[i]!.push(await secondsToFirstByte(args));
    }
    return processes.map(([name], i) => ({
      name,
      seconds: median(times[i]!),
      beyondNode: median(times[i]!.map((time, round) => time - times[0]![round]!)),
    }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** One step is enough: what the weights are does not decide how soon there is text. */
async function trainModel(folder: string, run: string): Promise<void> {
  const text = path.join(folder, 'text.txt');
  await writeFile(text, 'To start is to have begun, more or less.\n'.repeat(500));
  const args = [
    MAIN,
    'train',
    text,
    '--out',
    run,
    '--preset',
    'char-rnn',
    '--steps',
    '1',
    '--eval-every',
    '0',
  ];
  await promisify(execFile)(process.execPath, args);
}

async function secondsToFirstByte(args: readonly string[]): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let seconds = Number.NaN;
  child.stdout.once('data', () => {
    seconds = (performance.now() - start) / 1000;
  });
  child.stdout.resume();
  const status = await ended;
  if (status !== 0 || Number.isNaN(seconds)) throw new Error(`${args.join(' ')} ended with status ${status}`);
  return seconds;
}
