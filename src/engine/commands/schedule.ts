/**
 * Who does what, and where threads have to wait for each other. All of them walk the same list, each doing its share of
 * every command. That goes well without waiting as long as what a thread reads was written by itself: row b of the hidden
 * state depends on row b of the gates only, through all time steps. Before a command where this ends, the list gets a
 * barrier.
 *
 * A command that cannot be divided, such as a time step of a single text, has a home: it is done by the thread that did what
 * it depends on since the last barrier. So two layers that are at different places of the text go on beside each other.
 */
import { type Command, Place, type Storage } from './commands.ts';
import * as op from './opcodes.ts';
import type { Target } from './target.ts';

/** Commands for so many threads. */
export interface Schedule {
  readonly commands: readonly Command[];
  readonly threads: number;
  /**
   * How long they take with equal shares, in multiplications and additions: of the thread that has most to do from each
   * barrier to the next, and so many more for each barrier.
   */
  readonly time: number;
}

/** A use of memory since the last barrier. */
interface Use {
  readonly place: Place;
  readonly units: number;
  readonly grain: number;
  /** The thread that does the whole command, if it is not divided. */
  readonly home: number | undefined;
}

/**
 * The most of one thread's time that several may take, or they are not worth it: every barrier is a risk of waiting for a
 * thread that another program has displaced.
 */
const WORTHWHILE = 3 / 4;

const BARRIER: Command = { opcode: op.BARRIER, units: 0, grain: 1, arguments: [], work: 0 };

/** The commands with homes and barriers for the target's threads; as they are, for one, if more would gain too little. */
export function schedule(commands: readonly Command[], target: Target): Schedule {
  const time = commands.reduce((sum, { work }) => sum + work, 0);
  const alone = { commands, threads: 1, time };
  if (target.threads === 1) return alone;
  const shared = distribute(commands, target);
  return shared.time <= WORTHWHILE * time ? shared : alone;
}

function distribute(commands: readonly Command[], { threads, barrierWork }: Target): Schedule {
  const list: Command[] = [];
  let time = 0;
  // Since the last barrier: what was used, and what each thread has done.
  const uses = new Map<Storage, Use[]>();
  const loads = new Array<number>(threads).fill(0);

  for (const command of commands) {
    const { units, grain, work } = command;
    const divided = units > grain;
    const places = command.arguments.filter((argument) => argument instanceof Place);
    const homes = new Set<number>();
    let apart = false;
    for (const place of places) {
      for (const earlier of uses.get(place.storage) ?? []) {
        if (!depends(earlier.place, place)) continue;
        if (!divided && earlier.home !== undefined) homes.add(earlier.home);
        else apart ||= !sameShares(earlier, { place, units, grain });
      }
    }
    if (apart || homes.size > 1) {
      list.push(BARRIER);
      time += Math.max(...loads) + barrierWork;
      uses.clear();
      homes.clear();
      loads.fill(0);
    }
    const [known = leastLoaded(loads, barrierWork)] = homes;
    const home = divided ? undefined : known;
    list.push(divided ? command : { ...command, home: known });
    if (divided) {
      const grains = Math.ceil(units / grain);
      const share = Math.ceil(grains / threads) / grains;
      for (let thread = 0; thread < threads; thread++) loads[thread]! += work * share;
    } else loads[known]! += work;
    for (const place of places) remember({ place, units, grain, home }, uses);
  }
  return { commands: list, threads, time: time + Math.max(...loads) };
}

/** The thread that has done least, counted in whole barriers: small work stays together. */
function leastLoaded(loads: readonly number[], barrierWork: number): number {
  const rounded = loads.map((load) => Math.floor(load / barrierWork));
  return rounded.indexOf(Math.min(...rounded));
}

function remember(use: Use, uses: Map<Storage, Use[]>): void {
  const { storage } = use.place;
  const known = uses.get(storage);
  if (!known) uses.set(storage, [use]);
  else if (!known.some((earlier) => covers(earlier, use))) known.push(use);
}

/** Whether whatever depends on `later` does so on `earlier`, in the same way, which therefore is enough to remember. */
function covers(earlier: Use, later: Use): boolean {
  const [x, y] = [earlier.place, later.place];
  return (
    x.offset === y.offset &&
    x.bytes === y.bytes &&
    x.unitBytes === y.unitBytes &&
    x.rowBytes === y.rowBytes &&
    x.columnGroups === y.columnGroups &&
    x.written === y.written &&
    earlier.units === later.units &&
    earlier.grain === later.grain &&
    earlier.home === later.home
  );
}

/** Whether it matters which of two uses comes first. */
function depends(x: Place, y: Place): boolean {
  return (x.written || y.written) && x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes;
}

/** Whether each thread touches in both what no other one does. */
function sameShares(earlier: Omit<Use, 'home'>, later: Omit<Use, 'home'>): boolean {
  const [x, y] = [earlier.place, later.place];
  const sameUnits = x.offset === y.offset && earlier.units === later.units && earlier.grain === later.grain;
  const sameRows = x.unitBytes > 0 && x.unitBytes === y.unitBytes;
  const sameColumns =
    x.columnGroups > 0 &&
    x.columnGroups === y.columnGroups &&
    x.rowBytes === y.rowBytes &&
    x.bytes === y.bytes;
  return sameUnits && (sameRows || sameColumns);
}
