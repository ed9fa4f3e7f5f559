/**
 * How much of every command that is divided each thread does: as much as it is fast. Threads are not alike: some processors
 * have slow cores beside fast ones, and a core may have to serve other programs, or other machines, too. With equal
 * shares all would wait for the slowest. What a thread does changes no bits, so shares may follow its speed at any time.
 *
 * For each thread there is a line of memory, which walkers and this file share:
 *
 *     words 0, 1   where its share of all grains starts and ends, in WHOLE parts
 *     float 2      milliseconds that this thread would have needed for all of the products that it has done a share of
 */
import type { CommandMemory } from './command-engine.ts';

/** Bytes of a thread's line: one line of the cache. */
export const SHARE_BYTES = 64;

/** Parts that make up all of a command. */
const WHOLE = 65536;

/** Shares follow speeds that were measured for so long, in milliseconds of a thread that would do everything. */
const MEASURED = 20;

/** No thread counts as slower than so much of the average: with a smaller share its speed might no longer be measured. */
const SLOWEST = 1 / 4;

export class Shares {
  readonly #lines: readonly { readonly range: Int32Array; readonly spent: Float32Array }[];

  /** Equal shares. */
  constructor(memory: CommandMemory, threads: number) {
    this.#lines = Array.from({ length: threads }, (_, thread) => {
      const address = memory.shares + thread * SHARE_BYTES;
      return { range: memory.integers(address, 2), spent: memory.floats(address + 8, 1) };
    });
    this.divide(new Array<number>(threads).fill(1));
  }

  /** After a walk on all threads: has shares follow what they measured, once that is enough. */
  follow(): void {
    if (this.#lines.some(({ spent }) => spent[0]! < MEASURED)) return;
    this.divide(this.#lines.map(({ spent }) => 1 / spent[0]!));
    for (const { spent } of this.#lines) spent[0] = 0;
  }

  /** Gives every thread a share that is proportional to its speed. Only between walks. */
  divide(speeds: readonly number[]): void {
    const slowest = (SLOWEST * sum(speeds)) / speeds.length;
    const shares = speeds.map((speed) => Math.max(speed, slowest));
    const all = sum(shares);
    let done = 0;
    for (const [thread, { range }] of this.#lines.entries()) {
      range[0] = Math.round((WHOLE * done) / all);
      done += shares[thread]!;
      range[1] = Math.round((WHOLE * done) / all);
    }
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
