/** Planning the arena: temporaries whose lifetimes do not meet share memory. */
import { type Command, Place, type Storage } from './commands.ts';
import * as op from './opcodes.ts';

/** Addresses and sizes are multiples of a cache line. */
const ALIGNMENT = 64;

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

interface Lifetime {
  readonly storage: Storage;
  readonly first: number;
  last: number;
}

/**
 * Gives every temporary that the commands name its address, and returns the bytes that all of them need.
 * A temporary lives from the first command that names it to the last, both included; if several threads walk the list,
 * from the barrier before the first to the one after the last, since in between they are at different commands. The
 * largest are placed first, each in the tightest gap that its contemporaries leave.
 */
export function planArena(commands: readonly Command[], threads = 1): number {
  const placed: Lifetime[] = [];
  let end = 0;
  for (const lifetime of lifetimes(commands, threads).sort((a, b) => b.storage.bytes - a.storage.bytes)) {
    const contemporaries = placed
      .filter((other) => other.first <= lifetime.last && lifetime.first <= other.last)
      .sort((a, b) => a.storage.address - b.storage.address);
    const bytes = align(lifetime.storage.bytes);
    lifetime.storage.address = tightestGap(contemporaries, bytes);
    end = Math.max(end, lifetime.storage.address + bytes);
    placed.push(lifetime);
  }
  return end;
}

function lifetimes(commands: readonly Command[], threads: number): Lifetime[] {
  const found = new Map<Storage, Lifetime>();
  let time = 0;
  for (const command of commands) {
    if (threads === 1 || command.opcode === op.BARRIER) time++;
    for (const argument of command.arguments) {
      if (!(argument instanceof Place) || !argument.storage.temporary) continue;
      const lifetime = found.get(argument.storage);
      if (lifetime) lifetime.last = time;
      else found.set(argument.storage, { storage: argument.storage, first: time, last: time });
    }
  }
  return [...found.values()];
}

/** The address of the smallest gap between `taken` (by address) that holds `bytes`, or the end of them all. */
function tightestGap(taken: readonly Lifetime[], bytes: number): number {
  let best = -1;
  let bestGap = Infinity;
  let end = 0;
  for (const { storage } of taken) {
    const gap = storage.address - end;
    if (gap >= bytes && gap < bestGap) {
      best = end;
      bestGap = gap;
    }
    end = Math.max(end, storage.address + align(storage.bytes));
  }
  return best < 0 ? end : best;
}
