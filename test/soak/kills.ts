/**
 * kill -9 at random moments of training: `node --import tsx test/soak/kills.ts [--kills 1000] [--seed N]`, after `make build`.
 *
 * A small model is saved every three steps, and its process killed at some moment: while it starts, trains, evaluates, saves or
 * clears up. Then every checkpoint there is must be sound, the latest that was announced among them, and the run must go on.
 * Once it has come to its last step, weights and training state must be those of the run that was never killed, to the bit.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random.ts';
import { Run } from '../../src/training/run.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TEXT = fileURLToPath(new URL('../../corpora/lighthouse.txt', import.meta.url));

const SAVE_EVERY = 3;
/** Steps of a run; it takes a few kills to get there. */
const STEPS = 240;
/** A process lives for so long at most after its first event. */
const LONGEST_LIFE = 300;
/** One in so many is killed before its first event, while it starts. */
const EARLY = 8;

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const kills = Number(values.kills);
const random = new Random(Number(values.seed), 0);
const folder = await mkdtemp(path.join(tmpdir(), 'charloom-kills-'));
const start = performance.now();
const figures = { kills: 0, early: 0, runs: 0, mostStepsLost: 0 };
try {
  const whole = path.join(folder, 'whole');
  await live(trainInto(whole), undefined);
  const expected = await digest(whole);
  let run = path.join(folder, 'run-0');
  let begun = false;
  while (figures.kills < kills) {
    const command = begun ? ['resume', run, '--json'] : trainInto(run);
    const early = random.integer(EARLY) === 0;
    const moment = early ? -random.integer(400) - 1 : random.integer(LONGEST_LIFE);
    const { announced, reached, finished } = await live(command, moment);
    if (!finished) {
      figures.kills++;
      if (early) figures.early++;
    }
    const latest = await latestSound(run);
    if (latest < announced)
      throw new Error(`${run}: step ${announced} was announced as saved, the latest is ${latest}`);
    figures.mostStepsLost = Math.max(figures.mostStepsLost, reached - latest);
    begun = latest > 0;
    if (!begun) await rm(run, { recursive: true, force: true });
    if (finished) {
      const found = await digest(run);
      if (found !== expected)
        throw new Error(`${run}: after its kills it is not the run that was not killed`);
      await rm(run, { recursive: true });
      figures.runs++;
      run = path.join(folder, `run-${figures.runs}`);
      begun = false;
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${figures.kills} kills, ${figures.runs} runs `);
  }
} catch (error) {
  await cp(folder, `${folder}-kept`, { recursive: true });
  process.stderr.write(`seed ${values.seed}, kill ${figures.kills}; the folder is kept: ${folder}-kept\\n`);
  throw error;
} finally {
  await rm(folder, { recursive: true });
}
console.log(
  `${figures.kills} kills (${figures.early} of them while starting), seed ${values.seed}, ${Math.round((performance.now() - start) / 1000)} s: every checkpoint sound, ` +
    `at most ${figures.mostStepsLost} steps lost (saved every ${SAVE_EVERY}), ${figures.runs} runs that came to their end equal to the one that was never killed`,
);

function trainInto(run: string): string[] {
  const model = [
    '--hidden',
    '8',
    '--embedding',
    '4',
    '--sequence-length',
    '8',
    '--batch-size',
    '4',
    '--dropout',
    '0.2',
  ];
  const saving = ['--checkpoint-every', String(SAVE_EVERY), '--eval-every', '20', '--split', '98/1/1'];
  const budget = ['--steps', String(STEPS), '--device', 'simd', '--threads', '1', '--json', '--out', run];
  return ['train', TEXT, ...model, ...saving, ...budget];
}

interface Life {
  /** The latest step that was announced as saved, and the latest that was told of. */
  readonly announced: number;
  readonly reached: number;
  /** Whether it came to its end before it was killed. */
  readonly finished: boolean;
}

/** A process that is killed `moment` milliseconds after its first event, or, if that is negative, −moment after its start. */
async function live(command: readonly string[], moment: number | undefined): Promise<Life> {
  const child = spawn(process.execPath, [MAIN, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let output = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (words: string) => {
    errors += words;
  });
  const first = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (words: string) => {
      output += words;
      if (output.includes('"event":"step"')) resolve();
    });
  });
  if (moment !== undefined) {
    if (moment >= 0) await Promise.race([first, closed]);
    await Promise.race([setTimeout(Math.abs(moment)), closed]);
    child.kill('SIGKILL');
  }
  const status = await closed;
  if (status !== null && status !== 0)
    throw new Error(`${command.join(' ')} ended with ${status}: ${errors}`);
  let [announced, reached] = [0, 0];
  for (const line of output.split('\n').slice(0, -1)) {
    const { event, step } = JSON.parse(line);
    if (event === 'checkpoint') announced = Math.max(announced, step);
    if (event === 'step') reached = Math.max(reached, step);
  }
  return { announced, reached, finished: status === 0 };
}

/** The step of the latest checkpoint; 0 if there is none yet. @throws Error if any is not sound */
async function latestSound(run: string): Promise<number> {
  // A process that is killed at once leaves no run.
  const opened = await Run.open(run).catch(() => undefined);
  const verdicts = (await opened?.verify()) ?? [];
  for (const { step, problem } of verdicts) if (problem) throw new Error(`step ${step}: ${problem}`);
  return verdicts.at(-1)?.step ?? 0;
}

/** SHA-256 of the weights and of the training state after the last step. */
async function digest(run: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['model.safetensors', 'training.safetensors']) {
    hash.update(await readFile(path.join(run, 'checkpoints', String(STEPS), name)));
  }
  return hash.digest('hex');
}
