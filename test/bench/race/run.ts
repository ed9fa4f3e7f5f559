/** Races the contestants at one workload. */
import type { Contestant } from './contestants.ts';
import { compare, type WorkloadResult } from './result.ts';
import { alternate, type Outcome } from './rounds.ts';
import type { Workload } from './workloads.ts';

/** For contestants that need seconds for a step, or are there for information. */
const BRIEF_ROUNDS = 2;
/** For getting ready and for each round; the slowest that is known gets ready in 45 s. */
const LIMIT_SECONDS = 90;

export interface RaceOptions {
  readonly rounds: number;
  /** Of each round, for each contestant. */
  readonly seconds: number;
}

/** All contestants that can do the workload, those that are not installed included. */
export async function race(
  name: string,
  workload: Workload,
  contestants: readonly Contestant[],
  { rounds, seconds }: RaceOptions,
  show: (what: string) => void,
): Promise<WorkloadResult> {
  const taking = contestants.flatMap((contestant) => {
    const command = contestant.command(name, workload);
    return command ? [{ contestant, command }] : [];
  });
  const entries = taking
    .filter(({ contestant }) => contestant.missing === null)
    .map(({ contestant, command }) => ({
      name: contestant.name,
      command,
      rounds: contestant.brief ? Math.min(rounds, BRIEF_ROUNDS) : rounds,
      seconds,
      limitSeconds: LIMIT_SECONDS,
    }));
  const outcomes = await alternate(entries, show);
  const results = compare(
    taking.map(({ contestant }) => ({
      contestant: contestant.name,
      role: contestant.role,
      outcome: contestant.missing === null ? outcomes.shift()! : notInstalled(contestant.missing),
    })),
  );
  return { name, workload, results };
}

function notInstalled(why: string): Outcome {
  return { speeds: [], form: '', peakMemoryBytes: null, failure: `not installed: ${why}` };
}
