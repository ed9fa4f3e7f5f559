/**
 * Where threads have to wait for each other. All of them walk the same list, each doing its share of every command. That
 * goes well without waiting as long as what a thread reads was written by itself: row b of the hidden state depends on
 * row b of the gates only, through all time steps. Before a command where this ends, the list gets a barrier.
 */
import * as op from './assembly/opcodes.ts';
import { type Command, Place, type Storage } from './commands.ts';

/** A use of memory since the last barrier. */
interface Use {
  readonly place: Place;
  readonly units: number;
  readonly grain: number;
}

const BARRIER: Command = { opcode: op.BARRIER, units: 0, grain: 1, arguments: [], work: 0 };

/** Work between two barriers, in multiplications and additions, for which threads are worth it: some microseconds. */
const SHARED_WORK = 1e5;

/**
 * The commands with barriers between those that depend on each other across threads; undefined if the threads would
 * spend more time on waiting for each other than on the commands, or if most of the work is one thread's anyway, as in
 * the time loop of a single text and a narrow layer: every barrier is a risk of waiting for a thread that another program
 * has displaced.
 */
export function shareAmongThreads(commands: readonly Command[]): Command[] | undefined {
  const total = (some: readonly Command[]): number => some.reduce((sum, { work }) => sum + work, 0);
  const work = total(commands);
  const alone = total(commands.filter(({ units, grain }) => units <= grain));
  if (alone > work / 2) return undefined;
  const list = withBarriers(commands);
  const barriers = list.length - commands.length;
  return work / (barriers + 1) < SHARED_WORK ? undefined : list;
}

function withBarriers(commands: readonly Command[]): Command[] {
  const list: Command[] = [];
  const uses = new Map<Storage, Use[]>();
  for (const command of commands) {
    const { units, grain } = command;
    const now = command.arguments
      .filter((argument) => argument instanceof Place)
      .map((place): Use => ({ place, units, grain }));
    if (now.some((use) => uses.get(use.place.storage)?.some((earlier) => conflicts(earlier, use)))) {
      list.push(BARRIER);
      uses.clear();
    }
    list.push(command);
    for (const use of now) {
      const { storage } = use.place;
      const known = uses.get(storage);
      if (!known) uses.set(storage, [use]);
      else if (!known.some((earlier) => covers(earlier, use))) known.push(use);
    }
  }
  return list;
}

/** Whether whatever is in conflict with `later` is so with `earlier`, which therefore is enough to remember. */
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
    earlier.grain === later.grain
  );
}

/** Whether one thread may read or write what another writes. */
function conflicts(earlier: Use, later: Use): boolean {
  const [x, y] = [earlier.place, later.place];
  if (!x.written && !y.written) return false;
  if (x.offset >= y.offset + y.bytes || y.offset >= x.offset + x.bytes) return false;
  // What is one run is done by the first thread.
  if (earlier.units <= earlier.grain && later.units <= later.grain) return false;
  const sameUnits = x.offset === y.offset && earlier.units === later.units && earlier.grain === later.grain;
  const sameRows = x.unitBytes > 0 && x.unitBytes === y.unitBytes;
  const sameColumns =
    x.columnGroups > 0 &&
    x.columnGroups === y.columnGroups &&
    x.rowBytes === y.rowBytes &&
    x.bytes === y.bytes;
  return !(sameUnits && (sameRows || sameColumns));
}
