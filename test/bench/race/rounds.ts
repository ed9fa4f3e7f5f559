/** Contestants in alternating rounds, so that whatever else the machine does meets all of them alike. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, ContestantProcess } from './contestant-process.ts';

/** One contestant of a race. */
export interface Entry {
  readonly name: string;
  readonly command: Command;
  /** Rounds it takes part in, from the first one on: fewer for one that needs minutes. */
  readonly rounds: number;
  /** How long it works in each. */
  readonly seconds: number;
  /** After which it is given up, for getting ready and for each round. */
  readonly limitSeconds: number;
}

/** What came of an entry. */
export interface Outcome {
  /** Amount of work per second, one of each round. */
  readonly speeds: readonly number[];
  /** What the contestant says about how it works. */
  readonly form: string;
  readonly peakMemoryBytes: number | null;
  /** Why there is no result; null if there is. */
  readonly failure: string | null;
}

/** Between two contestants: threads that wait for more work in a loop give up well within it. */
const PAUSE_MILLISECONDS = 50;

/**
 * Starts the entries one after the other and lets them work in turn, A B C A B C, each in its own process, while the
 * others wait. One that fails is out, with the reason; the others go on.
 *
 * @param show is told what is being done
 * @returns the outcomes, in the order of the entries
 */
export async function alternate(entries: readonly Entry[], show: (what: string) => void): Promise<Outcome[]> {
  const runners = entries.map((entry) => new Runner(entry));
  try {
    for (const runner of runners) {
      show(`${runner.entry.name}: getting ready`);
      await runner.start();
    }
    const rounds = Math.max(0, ...entries.map((entry) => entry.rounds));
    for (let round = 0; round < rounds; round++) {
      for (const runner of runners) {
        if (round >= runner.entry.rounds || runner.failure !== null) continue;
        show(`${runner.entry.name}: round ${round + 1} of ${runner.entry.rounds}`);
        await sleep(PAUSE_MILLISECONDS);
        await runner.go();
      }
    }
    for (const runner of runners) await runner.finish();
  } finally {
    for (const runner of runners) runner.kill();
  }
  return runners;
}

/** An entry in the race, and its outcome as it grows. */
class Runner implements Outcome {
  readonly entry: Entry;
  speeds: number[] = [];
  form = '';
  peakMemoryBytes: number | null = null;
  failure: string | null = null;
  #process: ContestantProcess | undefined;

  constructor(entry: Entry) {
    this.entry = entry;
  }

  start(): Promise<void> {
    return this.#attempt(async () => {
      this.#process = await ContestantProcess.start(this.entry.command, this.entry.limitSeconds);
      this.form = this.#process.form;
    });
  }

  go(): Promise<void> {
    return this.#attempt(async () => {
      this.speeds.push(await this.#process!.go(this.entry.seconds));
    });
  }

  async finish(): Promise<void> {
    if (this.failure !== null) return;
    await this.#attempt(async () => {
      this.peakMemoryBytes = await this.#process!.finish();
    });
  }

  kill(): void {
    this.#process?.kill();
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failure = (error as Error).message;
    }
  }
}
