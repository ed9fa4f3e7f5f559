/** The small training that the soaks kill, interrupt and starve, as a process of its own; and what is left of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Run } from '../../src/training/run.ts';

export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
export const TEXT = fileURLToPath(new URL('../../corpora/lighthouse.txt', import.meta.url));

export const SAVE_EVERY = 3;
/** Steps of a run; it takes a few interruptions to get there. */
export const STEPS = 240;

/** The arguments that train a new run. */
export function trainInto(run: string, steps = STEPS): string[] {
  const model = ['--hidden', '8', '--embedding', '4', '--dropout', '0.2'];
  const batches = ['--sequence-length', '8', '--batch-size', '4', '--split', '98/1/1'];
  const saving = ['--checkpoint-every', String(SAVE_EVERY), '--eval-every', '20'];
  const engine = ['--device', 'simd', '--threads', '1'];
  return ['train', TEXT, ...model, ...batches, ...saving, ...engine, '--steps', String(steps), '--out', run];
}

/** What was seen of a process. */
export interface Life {
  /** As a shell tells it: 128 and the number of the signal if one ended it. */
  readonly status: number;
  /** The latest step that was announced as saved, and the latest that was told of. */
  readonly announced: number;
  readonly reached: number;
  readonly stderr: string;
}

/** A charloom that tells its events. */
export class Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Life>;
  /** Its first step has been told of, or it has ended. */
  readonly training: Promise<void>;
  /** Its first checkpoint has been told of, or it has ended. */
  readonly saved: Promise<void>;

  constructor(args: readonly string[], node = process.execPath) {
    const child = spawn(node, [MAIN, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let output = '';
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (words: string) => {
      stderr += words;
    });
    const first = (event: string): Promise<void> =>
      new Promise((resolve) => {
        child.stdout.on('data', () => {
          if (output.includes(`"event":"${event}"`)) resolve();
        });
      });
    child.stdout.setEncoding('utf8').on('data', (words: string) => {
      output += words;
    });
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        const status = code ?? 128 + { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal as string]!;
        let [announced, reached] = [0, 0];
        for (const line of output.split('\n').slice(0, -1)) {
          const { event, step } = JSON.parse(line);
          if (event === 'checkpoint') announced = Math.max(announced, step);
          if (event === 'step') reached = Math.max(reached, step);
        }
        resolve({ status, announced, reached, stderr });
      });
    });
    const ended = this.ended.then(() => {});
    this.training = Promise.race([first('step'), ended]);
    this.saved = Promise.race([first('checkpoint'), ended]);
  }

  /** Waits until `milliseconds` after its first step, or, if that is negative, so long after its start; or until it ends. */
  async live(milliseconds: number): Promise<void> {
    if (milliseconds >= 0) await this.training;
    await Promise.race([setTimeout(Math.abs(milliseconds)), this.ended]);
  }
}

/** The step of the latest checkpoint; 0 if there is none yet. @throws Error if any is not sound */
export async function latestSound(run: string): Promise<number> {
  // A process that is stopped at once leaves no run.
  const opened = await Run.open(run).catch(() => undefined);
  const verdicts = (await opened?.verify()) ?? [];
  for (const { step, problem } of verdicts) if (problem) throw new Error(`step ${step}: ${problem}`);
  return verdicts.at(-1)?.step ?? 0;
}

/** SHA-256 of the weights and of the training state after the last step. */
export async function digest(run: string, steps = STEPS): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['model.safetensors', 'training.safetensors']) {
    hash.update(await readFile(path.join(run, 'checkpoints', String(steps), name)));
  }
  return hash.digest('hex');
}
