/**
 * The command list: what a walker (`../simd/assembly/walk.ts`, `../native/c/walk.c`) reads. Commands name storage; addresses are filled in
 * when the list is linked, because temporaries may move between replays.
 */

import type { Target } from './target.ts';

/** A piece of the engine's memory. */
export interface Storage {
  readonly name: string;
  readonly bytes: number;
  /** Whether it lives in the arena, which programs share and which holds garbage between replays. */
  readonly temporary: boolean;
  /** Byte address; of a temporary, from the start of the arena. */
  address: number;
}

/**
 * An operand: bytes of a storage, and what each thread that shares in the command does with them. If `unitBytes` is
 * above 0, unit u of the command touches the `unitBytes` bytes from `offset + u · unitBytes` on and no others; if
 * `columnGroups` is, in all rows (`rowBytes` long) the u-th panel of columns of each of so many equal groups of columns; if
 * both are 0, any unit may touch all of them.
 */
export class Place {
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
  readonly unitBytes: number;
  readonly rowBytes: number;
  readonly columnGroups: number;
  readonly written: boolean;

  constructor(
    storage: Storage,
    {
      offset = 0,
      bytes = storage.bytes - offset,
      unitBytes = 0,
      rowBytes = 0,
      columnGroups = 0,
      written = false,
    }: Partial<Place> = {},
  ) {
    this.storage = storage;
    this.offset = offset;
    this.bytes = bytes;
    this.unitBytes = unitBytes;
    this.rowBytes = rowBytes;
    this.columnGroups = columnGroups;
    this.written = written;
  }
}

/** A number to be passed as a 32-bit float; plain numbers are integers. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** An operand that is not there: address 0. */
export const NOWHERE = new Place({ name: 'nowhere', bytes: 0, temporary: false, address: 0 });

export type Argument = number | Place | Float;

export interface Command {
  readonly opcode: number;
  /**
   * The command is so many independent pieces of work, and threads share them: each takes one run of units, whose
   * length is a multiple of `grain` (see `shares.ts`). No unit's bits depend on who computes it.
   */
  readonly units: number;
  readonly grain: number;
  /** The thread that does a command of a single grain; thread 0, if not said. */
  readonly home?: number;
  readonly arguments: readonly Argument[];
  /** Multiplications and additions, roughly. */
  readonly work: number;
}

/** Words before the arguments: opcode, length, units, grain, home. */
const HEAD = 5;

/** Some 10 ms of work: the list may be left after each such stretch, so that signals and timers get a turn. */
const STRETCH = 1.6e4; // barriers

/** Words of the encoded list. */
export function wordCount(commands: readonly Command[]): number {
  return commands.reduce((words, command) => words + commandWords(command), 0);
}

/** An operand is two words: its address, and `unitBytes`. */
function commandWords(command: Command): number {
  const places = command.arguments.filter((argument) => argument instanceof Place);
  return HEAD + command.arguments.length + places.length;
}

/** The list as words, with the temporaries in an arena at byte `arena`. */
export function encode(commands: readonly Command[], arena: number, { addressBytes }: Target): Int32Array {
  const words = new Int32Array(wordCount(commands));
  const floats = new Float32Array(words.buffer);
  let at = 0;
  for (const command of commands) {
    words[at++] = command.opcode;
    words[at++] = commandWords(command);
    words[at++] = command.units;
    words[at++] = command.grain;
    words[at++] = command.home ?? 0;
    for (const argument of command.arguments) {
      if (argument instanceof Float) floats[at++] = argument.value;
      else if (argument instanceof Place) {
        const { storage, offset, unitBytes } = argument;
        words[at++] = ((storage.temporary ? arena : 0) + storage.address + offset) / addressBytes;
        words[at++] = unitBytes / addressBytes;
      } else words[at++] = argument;
    }
  }
  return words;
}

/** Word positions that cut the list into stretches of bounded work: 0, ..., wordCount. */
export function stretches(
  commands: readonly Command[],
  { barrierWork }: Pick<Target, 'barrierWork'>,
): number[] {
  const cuts = [0];
  let at = 0;
  let work = 0;
  for (const command of commands) {
    at += commandWords(command);
    work += command.work;
    if (work >= STRETCH * barrierWork) {
      cuts.push(at);
      work = 0;
    }
  }
  if (cuts.at(-1) !== at) cuts.push(at);
  return cuts;
}
