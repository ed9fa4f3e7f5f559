/** How speed is measured: work is repeated for a given time after a warm-up; the median of the repeats counts. */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';

/**
 * Does some work to its end (its results are read, not only asked for) and returns how much it was: characters,
 * or floating-point operations.
 */
export type Work = () => Promise<number>;

export interface Speed {
  /** Amount of work per second: the median of the repeats. */
  readonly perSecond: number;
  readonly repeats: number;
}

/** Runs that do not count: an engine may compile its kernels, and try how many threads to take. */
const WARM_UP_RUNS = 2;

/** A repeat takes at least so long, so that the clock and a turn of the event loop do not count. */
const REPEAT_MILLISECONDS = 50;

/**
 * Measures `work` for about `seconds`, at least one repeat, after a warm-up.
 * @throws the signal's reason when it is aborted, and whatever `work` throws
 */
export async function measure(work: Work, seconds: number, signal: AbortSignal): Promise<Speed> {
  for (let run = 0; run < WARM_UP_RUNS; run++) await speedOf(work, 0, signal);
  const speeds: number[] = [];
  const end = performance.now() + 1000 * seconds;
  do {
    speeds.push(await speedOf(work, REPEAT_MILLISECONDS, signal));
  } while (performance.now() < end);
  return { perSecond: median(speeds), repeats: speeds.length };
}

/** Amount per second of running `work` once, and again until `milliseconds` have passed. */
async function speedOf(work: Work, milliseconds: number, signal: AbortSignal): Promise<number> {
  await yieldToEventLoop(); // signals get their turn, outside the time that counts
  signal.throwIfAborted();
  let amount = 0;
  const start = performance.now();
  do amount += await work();
  while (performance.now() - start < milliseconds && !signal.aborted);
  // The clock may stand still over very little work.
  return (1000 * amount) / Math.max(performance.now() - start, 1e-3);
}

/** The middle of the sorted values, or the mean of the two in the middle; there must be one at least. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
