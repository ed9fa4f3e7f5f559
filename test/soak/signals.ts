/**
 * SIGINT and SIGTERM at random moments of training: `node --import tsx test/soak/signals.ts [--count 200] [--seed N]`, after
 * `make build`.
 *
 * Each signal so often: the process must end within two seconds with 130 or 143, nothing that it told of lost, every checkpoint
 * sound, and the run go on. Then a second Ctrl-C so often, soon after the first, which must end the process within half a second.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random.ts';
import { digest, latestSound, Process, trainInto } from './small-run.ts';

const LONGEST_LIFE = 300;
/** One in so many gets its signal before its first step, while it starts. */
const EARLY = 8;
const ORDERLY_MILLISECONDS = 2000;
const AT_ONCE_MILLISECONDS = 500;
const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

const { values } = parseArgs({
  options: { count: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});
const count = Number(values.count);
const random = new Random(Number(values.seed), 0);
const folder = await mkdtemp(path.join(tmpdir(), 'charloom-signals-'));
try {
  const whole = path.join(folder, 'whole');
  await new Process(trainInto(whole)).ended;
  const expected = await digest(whole);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) await orderly(signal, expected);
  await twice();
} finally {
  await rm(folder, { recursive: true });
}

async function orderly(signal: keyof typeof STATUS, expected: string): Promise<void> {
  let [signals, runs, slowest] = [0, 0, 0];
  let run = path.join(folder, `${signal}-0`);
  let begun = false;
  while (signals < count) {
    const process = new Process(begun ? ['resume', run] : trainInto(run));
    await process.live(random.integer(EARLY) === 0 ? -random.integer(400) - 1 : random.integer(LONGEST_LIFE));
    const sent = performance.now();
    process.child.kill(signal);
    const { status, reached, stderr } = await process.ended;
    if (status !== 0) {
      signals++;
      slowest = Math.max(slowest, performance.now() - sent);
      if (status !== STATUS[signal]) throw new Error(`${signal} ended with ${status}: ${stderr}`);
      if (slowest > ORDERLY_MILLISECONDS) throw new Error(`${signal} took ${slowest} ms`);
    }
    const latest = await latestSound(run);
    if (latest < reached) throw new Error(`${run}: step ${reached} was told of, the latest is ${latest}`);
    begun = latest > 0;
    if (!begun) await rm(run, { recursive: true, force: true });
    if (status === 0) {
      if ((await digest(run)) !== expected) throw new Error(`${run} is not the run that was not interrupted`);
      await rm(run, { recursive: true });
      run = path.join(folder, `${signal}-${++runs}`);
      begun = false;
    }
  }
  console.log(
    `${signals} ${signal}, seed ${values.seed}: each ended with ${STATUS[signal]} within ${Math.round(slowest)} ms, no step lost, ` +
      `${runs} runs that came to their end equal to the one that was not interrupted`,
  );
}

async function twice(): Promise<void> {
  let [interruptions, slowest] = [0, 0];
  while (interruptions < count) {
    const run = path.join(folder, `twice-${interruptions}`);
    const process = new Process(trainInto(run));
    await process.live(random.integer(LONGEST_LIFE));
    process.child.kill('SIGINT');
    await setTimeout(random.integer(20));
    const sent = performance.now();
    process.child.kill('SIGINT');
    const { status, stderr } = await process.ended;
    if (status !== 0) {
      interruptions++;
      slowest = Math.max(slowest, performance.now() - sent);
      if (status !== STATUS.SIGINT) throw new Error(`a second SIGINT ended with ${status}: ${stderr}`);
      if (slowest > AT_ONCE_MILLISECONDS) throw new Error(`a second SIGINT took ${slowest} ms`);
    }
    await latestSound(run);
    await rm(run, { recursive: true, force: true });
  }
  console.log(
    `${interruptions} times a second SIGINT: ended within ${Math.round(slowest)} ms, every checkpoint sound`,
  );
}
