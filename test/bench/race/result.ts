/** What a race has found: medians, and ratios of medians within one workload's rounds. */
import { median } from '../../../src/bench/measure.ts';
import type { Role } from './contestants.ts';
import type { Outcome } from './rounds.ts';
import type { Workload } from './workloads.ts';

/** A contestant at a workload. */
export interface Result {
  readonly contestant: string;
  readonly role: Role;
  readonly outcome: Outcome;
  /** Median over the rounds, characters per second; null if there is no result. */
  readonly perSecond: number | null;
  /** charloom's median over this one. */
  readonly ratio: number | null;
}

export interface WorkloadResult {
  readonly name: string;
  readonly workload: Workload;
  readonly results: readonly Result[];
  /** Floating-point operations per second that the whole machine can do, measured in the same rounds. */
  readonly peak: number | null;
}

/** Speeds that were measured, or why not: of one that failed in a later round, nothing counts. */
export function speedOf({ speeds, failure }: Outcome): number | null {
  return failure === null && speeds.length > 0 ? median(speeds) : null;
}

/** The outcomes of one workload's rounds, compared. */
export function compare(
  outcomes: readonly { readonly contestant: string; readonly role: Role; readonly outcome: Outcome }[],
): Result[] {
  const own = outcomes.find(({ role }) => role === 'charloom');
  const ownSpeed = own ? speedOf(own.outcome) : null;
  return outcomes.map((each) => {
    const perSecond = speedOf(each.outcome);
    const ratio = ownSpeed !== null && perSecond !== null ? ownSpeed / perSecond : null;
    return { ...each, perSecond, ratio };
  });
}

/** The fastest with this role, if any has a result. */
export function best(results: readonly Result[], role: Role): Result | undefined {
  return results
    .filter((result) => result.role === role && result.perSecond !== null)
    .sort((a, b) => b.perSecond! - a.perSecond!)[0];
}
