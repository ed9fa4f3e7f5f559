/**
 * kill -9 at random moments of training: `node --import tsx test/soak/kills.ts [--kills 1000] [--seed N]`, after `make build`.
 *
 * A small model is saved every three steps, and its process killed at some moment: while it starts, trains, evaluates, saves or
 * clears up. Then every checkpoint there is must be sound, the latest that was announced among them, and the run must go on.
 * Once it has come to its last step, weights and training state must be those of the run that was never killed, to the bit.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random.ts';
import { digest, latestSound, Process, SAVE_EVERY, trainInto } from './small-run.ts';

/** A process lives for so many milliseconds at most after its first step. */
const LONGEST_LIFE = 300;
/** One in so many is killed before its first step, while it starts. */
const EARLY = 8;
const KILLED = 128 + 9;

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
  const { status, stderr } = await new Process(trainInto(whole)).ended;
  if (status !== 0) throw new Error(`the run that is not killed ended with ${status}: ${stderr}`);
  const expected = await digest(whole);
  let run = path.join(folder, 'run-0');
  let begun = false;
  while (figures.kills < kills) {
    const early = random.integer(EARLY) === 0;
    const process = new Process(begun ? ['resume', run] : trainInto(run));
    await process.live(early ? -random.integer(400) - 1 : random.integer(LONGEST_LIFE));
    process.child.kill('SIGKILL');
    const { status, announced, reached, stderr } = await process.ended;
    if (status !== 0 && status !== KILLED) throw new Error(`${run} ended with ${status}: ${stderr}`);
    if (status === KILLED) {
      figures.kills++;
      if (early) figures.early++;
    }
    const latest = await latestSound(run);
    if (latest < announced)
      throw new Error(`${run}: step ${announced} was announced as saved, the latest is ${latest}`);
    figures.mostStepsLost = Math.max(figures.mostStepsLost, reached - latest);
    begun = latest > 0;
    if (!begun) await rm(run, { recursive: true, force: true });
    if (status === 0) {
      if ((await digest(run)) !== expected)
        throw new Error(`${run}: after its kills it is not the run that was not killed`);
      await rm(run, { recursive: true });
      figures.runs++;
      run = path.join(folder, `run-${figures.runs}`);
      begun = false;
    }
  }
} catch (error) {
  await cp(folder, `${folder}-kept`, { recursive: true });
  console.error(`seed ${values.seed}, kill ${figures.kills}; the folder is kept: ${folder}-kept`);
  throw error;
} finally {
  await rm(folder, { recursive: true });
}
const seconds = Math.round((performance.now() - start) / 1000);
console.log(
  `${figures.kills} kills (${figures.early} of them while starting), seed ${values.seed}, ${seconds} s: every checkpoint sound, ` +
    `at most ${figures.mostStepsLost} steps lost (saved every ${SAVE_EVERY}), ${figures.runs} runs that came to their end equal to the one that was never killed`,
);
