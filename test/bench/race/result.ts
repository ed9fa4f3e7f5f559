/** What a race has found: median speeds, and the medians of what one round's speeds are of another's. */
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
  /** charloom's speed over this one's: the median over the rounds that both took part in. */
  readonly ratio: number | null;
  /** The same of charloom's native engine. */
  readonly nativeRatio: number | null;
}

export interface WorkloadResult {
  readonly name: string;
  readonly workload: Workload;
  readonly results: readonly Result[];
}

/** Speeds that were measured, or why not: of one that failed in a later round, nothing counts. */
export function speedOf({ speeds, failure }: Outcome): number | null {
  return failure === null && speeds.length > 0 ? median(speeds) : null;
}

/**
 * The outcomes of one workload's rounds, compared round by round: the machine may be half as fast in one as in the
 * next, for all of them.
 */
export function compare(
  outcomes: readonly { readonly contestant: string; readonly role: Role; readonly outcome: Outcome }[],
): Result[] {
  const ratioOf = (own: Role, other: Outcome): number | null => {
    const outcome = outcomes.find(({ role }) => role === own)?.outcome;
    if (!outcome || speedOf(outcome) === null || speedOf(other) === null) return null;
    return medianRatio(outcome.speeds, other.speeds);
  };
  return outcomes.map((each) => ({
    ...each,
    perSecond: speedOf(each.outcome),
    ratio: ratioOf('charloom', each.outcome),
    nativeRatio: ratioOf('native', each.outcome),
  }));
}

/** The median of a[i] / b[i], as far as both go. */
export function medianRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.slice(0, b.length).map((speed, round) => speed / b[round]!));
}

/** The fastest with this role, if any has a result. */
export function best(results: readonly Result[], role: Role): Result | undefined {
  return results
    .filter((result) => result.role === role && result.perSecond !== null)
    .sort((a, b) => b.perSecond! - a.perSecond!)[0];
}
