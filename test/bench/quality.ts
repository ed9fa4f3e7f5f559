/**
 * How good a model the default preset makes in some minutes: `make quality ARGS='TEXT'`, or
 * `node --import tsx test/bench/quality.ts TEXT` after `make build`, with
 *
 *     --minutes 3,10     budgets
 *     --seeds 1,2,3
 *     --pytorch DIR      PyTorch trains the same network with the same settings for the last budget, too (first seed, initial
 *                        weights of its own); DIR is where peers/setup.sh has put what makes it fastest
 *     --svg FILE         draws the cross-entropy of the last budget against the time
 *     -- ...             options of `charloom train`, e.g. --device simd
 *
 * One run after the other, on all cores, with the compiled package. What counts is the evaluation at the end; its time and
 * that of every evaluation on the way is part of the budget. Wants the machine for itself.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { median } from '../../src/bench/measure.ts';
import { drawLossCurves, type LossCurve, type LossPoint } from './loss-curves.ts';
import { PYTHON, tunedEnvironment } from './race/contestants.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const PYTORCH = fileURLToPath(new URL('./peers/pytorch_quality.py', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '3,10' },
    seeds: { type: 'string', default: '1,2,3' },
    pytorch: { type: 'string' },
    svg: { type: 'string' },
  },
});
const [text, ...options] = positionals;
if (text === undefined) {
  process.stderr.write(
    'usage: quality.ts TEXT [--minutes 3,10] [--seeds 1,2,3] [--pytorch DIR] [--svg FILE] [-- OPTIONS]\n',
  );
  process.exit(2);
}

interface Outcome {
  /** Characters read, the cross-entropy of the validation part at the end, and of the test part, NaN if there is none. */
  readonly figures: readonly number[];
  readonly curve: readonly LossPoint[];
  /** The event `start`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const environment = values.pytorch === undefined ? undefined : tunedEnvironment(values.pytorch);
const folder = await mkdtemp(path.join(tmpdir(), 'charloom-quality-'));
const curves: LossCurve[] = [];
try {
  console.log('| minutes | seed | characters | validation, nats | bits/character | test, nats |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  const budgets = values.minutes.split(',');
  let first: Outcome | undefined;
  for (const minutes of budgets) {
    const found: (readonly number[])[] = [];
    for (const seed of values.seeds.split(',')) {
      const outcome = await train(minutes, seed);
      found.push(outcome.figures);
      console.log(row(minutes, seed, outcome.figures));
      if (minutes !== budgets.at(-1)) continue;
      first ??= outcome;
      curves.push({ name: `charloom, ${outcome.settings.engine}`, points: outcome.curve });
    }
    const medians = found[0]!.map((_, i) => median(found.map((figures) => figures[i]!)));
    console.log(row(minutes, '**median**', medians));
  }
  if (environment) {
    const lines = await timedLines(PYTHON, [PYTORCH, text, JSON.stringify(first!.settings)], environment);
    const points = lines.map(({ line }) => line as unknown as LossPoint);
    curves.push({ name: 'PyTorch on the processor', points });
    const { seconds, crossEntropy } = points.at(-1)!;
    const figure = `${crossEntropy.toFixed(4)} nats after ${Math.round(seconds)} s`;
    console.log(`\nPyTorch: ${figure}; the same network and settings, initial weights of its own`);
  }
} finally {
  if (values.svg !== undefined && curves.length > 0) await writeFile(values.svg, drawLossCurves(curves));
  await rm(folder, { recursive: true });
}

async function train(minutes: string, seed: string): Promise<Outcome> {
  const run = path.join(folder, `${minutes}-${seed}`);
  const budget = ['--minutes', minutes, '--seed', seed, '--json', '--out', run];
  const args = [MAIN, 'train', text!, ...budget, ...options];
  const events = await timedLines(process.execPath, args, process.env);
  const evaluations = events.filter(({ line }) => line.event === 'eval');
  const curve = evaluations.map(({ seconds, line }) => ({
    seconds,
    crossEntropy: line.crossEntropy as number,
  }));
  const settings = events[0]!.line;
  const characters = events.at(-1)!.line.characters as number;
  const test = String(settings.split).endsWith('/0') ? Number.NaN : await testOf(run);
  return { figures: [characters, curve.at(-1)!.crossEntropy, test], curve, settings };
}

/** Cross-entropy of the test part of a run. */
async function testOf(run: string): Promise<number> {
  const args = [MAIN, 'eval', run, '--split', 'test', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout).crossEntropy;
}

interface TimedLine {
  /** Since the program was started. */
  readonly seconds: number;
  readonly line: Readonly<Record<string, unknown>>;
}

/** The JSON lines that a program prints. @throws Error if it fails, with its last words */
async function timedLines(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<TimedLine[]> {
  const start = performance.now();
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (words: string) => {
    errors = (errors + words).slice(-2000);
  });
  const lines: TimedLine[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push({ seconds: (performance.now() - start) / 1000, line: JSON.parse(line) });
  }
  const status = await closed;
  if (status !== 0) throw new Error(`${program} ended with status ${status}\n${errors}`);
  return lines;
}

function row(minutes: string, seed: string, [characters, validation, test]: readonly number[]): string {
  const cells = [
    minutes,
    seed,
    `${(characters! / 1e6).toFixed(1)}M`,
    validation!.toFixed(4),
    (validation! / Math.LN2).toFixed(3),
    Number.isNaN(test) ? '-' : test!.toFixed(4),
  ];
  return `| ${cells.join(' | ')} |`;
}
