/**
 * Damaged checkpoints: `node --import tsx test/soak/mutations.ts [--count 100000] [--through 1000] [--seed N]`, after `make build`.
 *
 * A small run is damaged in every way that `test/checkpoint/mutations.ts` knows, `count` times in this process and `through` times
 * for the compiled executable, and opened as `sample`, `eval`, `info --verify` and `resume` open it. What must be refused must be
 * refused as bad data (or missing input, where something is not there), in one line, without a stack trace; what is sound must be
 * accepted; neither may take a second of work or 256 MiB more than the sound run does.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../../src/cli/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import type { Outcome } from '../checkpoint/damage.ts';
import { type Cost, drawMutation, Figures, mutateInProcess } from '../checkpoint/mutations.ts';
import { COMMANDS, type Command, TinyRun } from '../checkpoint/tiny-run.ts';
import { MAIN } from './small-run.ts';

/** The sound run is opened so often by each command to learn what that takes. */
const BASELINE_RUNS = 5;
const TIMEOUT_MILLISECONDS = 60_000;

/** Makes a process say what it took when it ends, on file descriptor 3: the system tells that to nobody else. */
const METER = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeSync } from 'node:fs';
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    // Linux counts into maxRSS what the parent had when it forked.
    let peak = maxRSS;
    try { peak = Number(/^VmHWM:\\s*(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]); } catch {}
    writeSync(3, JSON.stringify({ milliseconds: (userCPUTime + systemCPUTime) / 1000, memory: peak * 1024 }));
  });
`)}`;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    through: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
});
const seed = Number(values.seed);
const folder = mkdtempSync(path.join(tmpdir(), 'charloom-mutations-'));
const start = performance.now();
try {
  const run = await TinyRun.create(folder);
  const inProcess = await mutateInProcess(run, Number(values.count), new Random(seed, 0));
  const through = await mutateForExecutable(run, Number(values.through), new Random(seed, 1));
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(
    `seed ${seed}, ${seconds} s; in process: ${inProcess}; through the executable: ${through}; nothing lost`,
  );
  rmSync(folder, { recursive: true });
} catch (error) {
  cpSync(folder, `${folder}-kept`, { recursive: true });
  rmSync(folder, { recursive: true });
  console.error(`seed ${seed}: ${(error as Error).message}\nthe damaged run is kept: ${folder}-kept/run`);
  process.exitCode = 1;
}

/** @throws Error if something is lost; then the run is left as it is */
async function mutateForExecutable(run: TinyRun, count: number, random: Random): Promise<Figures> {
  const figures = new Figures();
  const baselines = new Map<Command, Cost>();
  for (const command of COMMANDS) baselines.set(command, await soundCost(run, command));
  for (let i = 0; i < count; i++) {
    const mutation = drawMutation(random, run);
    const command = COMMANDS[i % COMMANDS.length]!;
    run.damage(mutation.changes);
    const { outcome, cost } = await execute(run, command);
    const baseline = baselines.get(command)!;
    figures.add(mutation, command, outcome, {
      milliseconds: Math.max(0, cost.milliseconds - baseline.milliseconds),
      memory: Math.max(0, cost.memory - baseline.memory),
    });
    run.renew();
    if (process.stderr.isTTY) process.stderr.write(`\r${i + 1} through the executable `);
  }
  return figures;
}

/** The median time and the least memory that a command takes with the sound run. */
async function soundCost(run: TinyRun, command: Command): Promise<Cost> {
  const costs: Cost[] = [];
  for (let i = 0; i < BASELINE_RUNS; i++) {
    const { outcome, cost } = await execute(run, command);
    if (outcome !== 'accepted') throw new Error(`${command} of the sound run: ${JSON.stringify(outcome)}`);
    costs.push(cost);
    run.renew();
  }
  const times = costs.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  return {
    milliseconds: times[BASELINE_RUNS >> 1]!,
    memory: Math.min(...costs.map(({ memory }) => memory)),
  };
}

function argumentsOf(run: TinyRun, command: Command): string[] {
  switch (command) {
    case 'sample':
      return ['sample', run.dir, '--length', '1'];
    case 'eval':
      return ['eval', run.dir];
    case 'info':
      return ['info', run.dir, '--verify'];
    case 'resume':
      // Whatever config.json says of budgets: there is nothing left to train.
      return ['resume', run.dir, '--steps', String(run.step)];
  }
}

async function execute(run: TinyRun, command: Command): Promise<{ outcome: Outcome; cost: Cost }> {
  const child = spawn(process.execPath, ['--import', METER, MAIN, ...argumentsOf(run, command)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MILLISECONDS,
    killSignal: 'SIGKILL',
  });
  const output = ['', '', '', ''];
  for (const descriptor of [1, 2, 3]) {
    const stream = child.stdio[descriptor] as NodeJS.ReadableStream;
    stream.setEncoding('utf8').on('data', (words: string) => {
      output[descriptor] += words;
    });
  }
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const [, stdout, stderr, meter] = output;
  const outcome = outcomeOfProcess(status, stdout!, stderr!);
  const cost = meter ? (JSON.parse(meter) as Cost) : { milliseconds: 0, memory: 0 };
  return { outcome: meter ? outcome : { crash: `ended with ${status}, at once: ${stderr}` }, cost };
}

function outcomeOfProcess(status: number | null, stdout: string, stderr: string): Outcome {
  const crash = { crash: `ended with ${status}: ${stdout}${stderr}` };
  if (/^\s+at /m.test(stdout + stderr)) return crash;
  // Finite weights may be too large to compute with, which is seen when that is done, and said.
  if (status === 0 || status === EXIT.DIVERGED) return 'accepted';
  const code = (Object.keys(EXIT) as ErrorCode[]).find((name) => EXIT[name] === status);
  const errors = stderr.split('\n').filter((line) => line.startsWith('error:'));
  return code && errors.length === 1 ? { code, message: errors[0]! } : crash;
}
