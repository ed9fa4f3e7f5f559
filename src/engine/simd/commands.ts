/**
 * The command list: what the walker (`assembly/walk.ts`) reads. Commands name storage; addresses are filled in
 * when the list is linked, because temporaries may move between replays.
 */

/** A piece of WebAssembly memory. */
export interface Storage {
  readonly name: string;
  readonly bytes: number;
  /** Whether it lives in the arena, which programs share and which holds garbage between replays. */
  readonly temporary: boolean;
  /** Byte address; of a temporary, from the start of the arena. */
  address: number;
}

/** A byte position inside a storage. */
export class Place {
  readonly storage: Storage;
  readonly offset: number;

  constructor(storage: Storage, offset = 0) {
    this.storage = storage;
    this.offset = offset;
  }
}

/** A number to be passed as a 32-bit float; plain numbers are integers. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** The address of an operand that is not there. */
export const NOWHERE = 0;

export type Argument = number | Place | Float;

export interface Command {
  readonly opcode: number;
  readonly arguments: readonly Argument[];
  /** Multiplications and additions, roughly. */
  readonly work: number;
}

/** Words before the arguments: opcode and length. */
const HEAD = 2;

/** About 10 ms of work: the list may be left after each such stretch, so that signals and timers get a turn. */
const STRETCH = 4e8;

/** Words of the encoded list. */
export function wordCount(commands: readonly Command[]): number {
  return commands.reduce((words, command) => words + HEAD + command.arguments.length, 0);
}

/** The list as words, with the temporaries in an arena at `arena`. */
export function encode(commands: readonly Command[], arena: number): Int32Array {
  const words = new Int32Array(wordCount(commands));
  const floats = new Float32Array(words.buffer);
  let at = 0;
  for (const command of commands) {
    words[at++] = command.opcode;
    words[at++] = HEAD + command.arguments.length;
    for (const argument of command.arguments) {
      if (argument instanceof Float) floats[at++] = argument.value;
      else if (argument instanceof Place) {
        const { storage, offset } = argument;
        words[at++] = (storage.temporary ? arena : 0) + storage.address + offset;
      } else words[at++] = argument;
    }
  }
  return words;
}

/** Word positions that cut the list into stretches of bounded work: 0, ..., wordCount. */
export function stretches(commands: readonly Command[]): number[] {
  const cuts = [0];
  let at = 0;
  let work = 0;
  for (const command of commands) {
    at += HEAD + command.arguments.length;
    work += command.work;
    if (work >= STRETCH) {
      cuts.push(at);
      work = 0;
    }
  }
  if (cuts.at(-1) !== at) cuts.push(at);
  return cuts;
}
