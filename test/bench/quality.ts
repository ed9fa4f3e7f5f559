/**
 * How good a model the default preset makes in some minutes: `make quality ARGS='TEXT'`, or
 * `node --import tsx test/bench/quality.ts TEXT` after `make build`, with
 *
 *     --minutes 3,10     budgets
 *     --seeds 1,2,3
 *     -- ...             options of `charloom train`
 *
 * One run after the other, on all cores, with the compiled package. What counts is the evaluation at the end; its time and
 * that of every evaluation on the way is part of the budget. Wants the machine for itself.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { median } from '../../src/bench/measure.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '3,10' },
    seeds: { type: 'string', default: '1,2,3' },
  },
});
const [text, ...options] = positionals;
if (text === undefined) {
  process.stderr.write('usage: quality.ts TEXT [--minutes 3,10] [--seeds 1,2,3] [-- OPTIONS]\n');
  process.exit(2);
}

const folder = await mkdtemp(path.join(tmpdir(), 'charloom-quality-'));
try {
  console.log('| minutes | seed | characters | validation, nats | bits/character | test, nats |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const minutes of values.minutes.split(',')) {
    const found: number[][] = [];
    for (const seed of values.seeds.split(',')) {
      const figures = await train(minutes, seed);
      found.push(figures);
      console.log(row(minutes, seed, figures));
    }
    const medians = found[0]!.map((_, i) => median(found.map((figures) => figures[i]!)));
    console.log(row(minutes, '**median**', medians));
  }
} finally {
  await rm(folder, { recursive: true });
}

/** Characters read, and the cross-entropy of validation and test part. */
async function train(minutes: string, seed: string): Promise<number[]> {
  const run = path.join(folder, `${minutes}-${seed}`);
  const budget = ['--minutes', minutes, '--seed', seed, '--device', 'simd', '--json', '--out', run];
  const events = (await charloom('train', text!, ...budget, ...options)).trim().split('\n');
  const done = JSON.parse(events.at(-1)!);
  const last = events.map((line) => JSON.parse(line)).findLast(({ event }) => event === 'eval');
  const test = JSON.parse(await charloom('eval', run, '--split', 'test', '--json'));
  return [done.characters, last.crossEntropy, test.crossEntropy];
}

async function charloom(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], { maxBuffer: 2 ** 30 });
  return stdout;
}

function row(minutes: string, seed: string, [characters, validation, test]: number[]): string {
  const cells = [
    minutes,
    seed,
    `${(characters! / 1e6).toFixed(1)}M`,
    validation!.toFixed(4),
    (validation! / Math.LN2).toFixed(3),
    test!.toFixed(4),
  ];
  return `| ${cells.join(' | ')} |`;
}
