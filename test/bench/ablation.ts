/**
 * What each setting of the default preset is worth: `make ablation ARGS='TEXT'`, or
 * `node --import tsx test/bench/ablation.ts TEXT`, with
 *
 *     --tera N        floating-point operations of every run, in 10¹² (see below)
 *     --only A,B      only variations whose options contain one of these
 *     --seed N
 *
 * Every run does the same number of floating-point operations in its matrix products, which is what time is made of, so
 * that a wider network gets fewer steps. Unlike a budget of minutes this gives the same weights however busy the machine is;
 * and as every run has one thread, as many go on side by side as there are cores. Evaluated is at the end.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { trainingFlops } from '../../src/bench/products.ts';
import { type CellName, checkModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { PRESETS, type Settings } from '../../src/training/presets.ts';

/** Each is the default preset with these options. */
const VARIATIONS = [
  '',
  '--weight-decay 0',
  '--weight-decay 0.03',
  '--weight-decay 0.3',
  '--dropout 0.1',
  '--dropout 0.3',
  '--learning-rate 2e-3',
  '--learning-rate 6e-3',
  '--hidden 256 --learning-rate 5e-3',
  '--hidden 512 --learning-rate 3e-3',
  '--hidden 512 --learning-rate 3e-3 --dropout 0.3',
  '--layers 2 --hidden 256',
  '--batch-size 16',
  '--batch-size 64',
  '--sequence-length 128',
  '--embedding 0',
  '--embedding 32',
  '--schedule linear',
  '--cell lstm',
  '--cell rnn --learning-rate 1e-3',
];

const CHARLOOM = fileURLToPath(new URL('../../bin/charloom.js', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tera: { type: 'string', default: '25' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
});
const [text] = positionals;
if (text === undefined || positionals.length > 1 || !(Number(values.tera) > 0)) {
  process.stderr.write('usage: ablation.ts TEXT [--tera N] [--only A,B] [--seed N]\n');
  process.exit(2);
}

/** With the unknown symbol. */
const vocabulary = new Set(await readFile(text, 'utf8')).size + 1;
const folder = await mkdtemp(path.join(tmpdir(), 'charloom-ablation-'));
const wanted = VARIATIONS.filter((each) => values.only.split(',').some((part) => each.includes(part)));
const rows = new Map<string, string>();
const waiting = [...wanted];
try {
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        rows.set(next, await row(next));
        process.stderr.write(`${rows.get(next)}\n`);
      }
    }),
  );
} finally {
  await rm(folder, { recursive: true });
}
console.log('| default preset and | steps | characters | validation, nats | training loss | seconds |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const each of wanted) console.log(rows.get(each));

/** Trains with the options of a variation: a row of the table. */
async function row(variation: string): Promise<string> {
  const options = variation.split(' ').filter((word) => word !== '');
  const { steps, characters } = budgetOf(options);
  const start = performance.now();
  const { crossEntropy, trainingLoss } = await train(options, steps);
  const cells = [
    variation === '' ? '(nothing)' : `\`${variation}\``,
    steps,
    `${(characters / 1e6).toFixed(1)}M`,
    crossEntropy.toFixed(3),
    trainingLoss.toFixed(3),
    Math.round((performance.now() - start) / 1000),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** As many steps as the operations allow. */
function budgetOf(options: readonly string[]): { steps: number; characters: number } {
  const settings: Settings = { ...PRESETS.default!.settings };
  const given = (name: string): number | undefined => {
    const at = options.lastIndexOf(`--${name}`);
    return at < 0 ? undefined : Number(options[at + 1]);
  };
  const at = options.indexOf('--cell');
  const cell = at < 0 ? settings.cell : (options[at + 1] as CellName);
  const model = new LanguageModel(
    checkModelConfig(
      {
        ...settings,
        cell,
        vocabulary,
        layers: given('layers') ?? settings.layers,
        hidden: given('hidden') ?? settings.hidden,
        embedding: given('embedding') ?? settings.embedding,
      },
      { code: 'USAGE', field: String },
    ),
  );
  const perStep =
    (given('batch-size') ?? settings.batchSize) * (given('sequence-length') ?? settings.sequenceLength);
  const steps = Math.max(1, Math.floor((Number(values.tera) * 1e12) / trainingFlops(model) / perStep));
  return { steps, characters: steps * perStep };
}

/** @returns the evaluation at the end @throws Error if training fails, with its last words */
async function train(
  options: readonly string[],
  steps: number,
): Promise<{ crossEntropy: number; trainingLoss: number }> {
  const out = await mkdtemp(path.join(folder, 'run-'));
  const always = [
    '--json',
    '--device',
    'cpu',
    '--threads',
    '1',
    '--seed',
    values.seed,
    '--out',
    `${out}/run`,
  ];
  const budget = ['--steps', String(steps), '--eval-every', String(steps), '--checkpoint-every', '0'];
  const child = spawn(process.execPath, [CHARLOOM, 'train', text!, ...always, ...budget, ...options]);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (words: string) => {
    errors = (errors + words).slice(-2000);
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let evaluation: { crossEntropy: number; trainingLoss: number } | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.event === 'eval') evaluation = event;
  }
  const status = await closed;
  if (status !== 0 || !evaluation)
    throw new Error(`${options.join(' ')}: ended with status ${status}\n${errors}`);
  return evaluation;
}
