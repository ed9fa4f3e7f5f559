/**
 * The race: charloom's engines on the processor against what people would use instead, on one machine, in one run, in alternating
 * rounds, and against the machine's own limit. `make race`, or `node --import tsx test/bench/race.ts` after
 * `make build`, with
 *
 *     --only W1,S1    these workloads (see race/workloads.ts)
 *     --rounds N      rounds of every contestant; the slow ones, and one for information, have two at most
 *     --seconds S     of each round, for each contestant
 *     --threads N     of charloom
 *     --peers DIR     where peers/setup.sh has put the others
 *     --write         writes the tables into docs/benchmarks.md and the READMEs
 *     --json          prints the results as JSON instead of the tables
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, homedir, loadavg } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findContestants } from './race/contestants.ts';
import { replaceBetween } from './race/markers.ts';
import type { WorkloadResult } from './race/result.ts';
import {
  measureProducts,
  measureStep,
  PeakProgram,
  type ProductResult,
  type StepResult,
} from './race/roofline.ts';
import { race } from './race/run.ts';
import { measureStartUp } from './race/start-up.ts';
import {
  type Conditions,
  fullTable,
  productTable,
  shortTable,
  startUpTable,
  stepTable,
} from './race/tables.ts';
import { WORKLOADS } from './race/workloads.ts';

/** Whose products and start-up are measured, and who always takes part. */
const ENGINE = 'simd';
/** Whose matrix products are measured; those of W5 are smaller and like those of W4. */
const PRODUCTS_OF = ['W1', 'W2', 'W3', 'W4'];
/** Load average from which on the race is not alone. */
const BUSY = 0.5;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const cores = availableParallelism();
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(WORKLOADS).join(',') },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    threads: { type: 'string', default: String(cores) },
    peers: { type: 'string', default: path.join(homedir(), '.cache/charloom-peers') },
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const names = values.only.split(',');
const numbers = {
  rounds: positive('rounds', 1),
  seconds: positive('seconds', 0),
  threads: positive('threads', 1),
};
for (const name of names) if (!Object.hasOwn(WORKLOADS, name)) fail(`--only ${name}: no such workload`);
if (values.write && names.length < Object.keys(WORKLOADS).length) {
  fail('--write wants all workloads: leave --only out');
}
if (!existsSync(path.join(ROOT, 'dist'))) fail("charloom is not built: run 'make build' first");

const start = performance.now();
const show = (what: string): void => {
  process.stderr.write(`${((performance.now() - start) / 1000).toFixed(0).padStart(4)} s  ${what}\n`);
};
const conditions: Conditions = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cores} cores of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}`,
  node: process.version.slice(1),
  threads: numbers.threads,
  command: 'make race',
};
const contestants = await findContestants({
  peers: values.peers,
  engine: ENGINE,
  threads: numbers.threads,
});
for (const { name, missing } of contestants) if (missing) show(`${name}: not installed: ${missing}`);

const hasNative = contestants.some(({ role, missing }) => role === 'native' && missing === null);

const [load] = loadavg();
if (load! > BUSY)
  show(`load average ${load!.toFixed(1)}: others are at work here, and disturb those with threads most`);

const results: WorkloadResult[] = [];
for (const name of names) {
  results.push(await race(name, WORKLOADS[name]!, contestants, numbers, (what) => show(`${name}, ${what}`)));
}
const steps: StepResult[] = [];
const products: ProductResult[] = [];
const peak = await PeakProgram.compile();
if (!peak) show('no C compiler: the peak of the machine is not measured');
try {
  const options = { engine: ENGINE, threads: numbers.threads, peak, show };
  for (const name of names) {
    const workload = WORKLOADS[name]!;
    if (workload.kind !== 'training') continue;
    for (const engine of hasNative ? ['native', ENGINE] : [ENGINE]) {
      steps.push(await measureStep(name, workload, { ...options, engine }));
    }
    if (PRODUCTS_OF.includes(name)) products.push(...(await measureProducts(name, workload, options)));
  }
} finally {
  await peak?.remove();
}
const startUp = await measureStartUp(show);
show('done');

const tables = {
  'race: summary': shortTable(results, conditions, 'en'),
  'race: contestants': fullTable(results, conditions),
  'race: steps': stepTable(steps),
  'race: products': productTable(products),
  'race: start-up': startUpTable(startUp),
};
process.stdout.write(
  values.json
    ? `${JSON.stringify({ ...conditions, ...numbers, load, results, steps, products, startUp })}\n`
    : Object.values(tables).join('\n'),
);
if (values.write) {
  await write('docs/benchmarks.md', tables);
  await write('README.md', { 'race: summary': tables['race: summary'] });
  await write('README.zh-TW.md', { 'race: summary': shortTable(results, conditions, 'zh-TW') });
}

async function write(document: string, tables: Readonly<Record<string, string>>): Promise<void> {
  const file = path.join(ROOT, document);
  let text = await readFile(file, 'utf8');
  for (const [marker, table] of Object.entries(tables)) text = replaceBetween(text, marker, table);
  await writeFile(file, text);
  show(`${document} written`);
}

function positive(name: 'rounds' | 'seconds' | 'threads', least: number): number {
  const value = Number(values[name]);
  if (!(value >= least && value > 0 && value < 1e6)) fail(`--${name} ${values[name]}: expected a number`);
  return value;
}

function fail(message: string): never {
  process.stderr.write(`race: ${message}\n`);
  process.exit(2);
}
