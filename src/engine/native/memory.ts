/**
 * The memory of a native engine: a large range of addresses, whose pages come into being, as zeros, when they are first
 * touched. Tensors and lists lie in its first quarter, the arena of temporaries, which JavaScript never looks at, in the rest.
 */
import { CharloomError } from '../../errors.ts';
import { align } from '../commands/arena.ts';
import type { CommandMemory } from '../commands/command-engine.ts';
import type { Storage } from '../commands/commands.ts';
import { SHARE_BYTES } from '../commands/shares.ts';

const GIBIBYTE = 2 ** 30;

/**
 * Bytes to ask for: all that 32-bit numbers of floats reach, and of which a quarter fits into an ArrayBuffer; or, where a
 * limit forbids that, less.
 */
export const RESERVATIONS = [16, 8, 4, 2, 1].map((gibibytes) => gibibytes * GIBIBYTE);

/** The part of a reservation that JavaScript has to see. */
export const visibleBytes = (reservation: number): number => reservation / 4;

/** Address 0 stands for "no operand". */
const RESERVED = 64;

export class NativeMemory implements CommandMemory {
  readonly #visible: ArrayBuffer;
  readonly #reservation: number;
  readonly shares = RESERVED;
  readonly arena: number;
  #end: number;
  #arenaBytes = 0;

  /** @param visible the first `visibleBytes` of so many bytes */
  constructor(visible: ArrayBuffer, reservation: number, threads: number) {
    this.#visible = visible;
    this.#reservation = reservation;
    this.#end = RESERVED + threads * SHARE_BYTES;
    this.arena = visible.byteLength;
  }

  get bytes(): number {
    return this.#end + this.#arenaBytes;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#visible, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#visible, address, length);
  }

  allocate(name: string, bytes: number): Storage {
    const address = this.#end;
    assertRoom(address + align(bytes), this.arena);
    this.#end = address + align(bytes);
    return { name, bytes, temporary: false, address };
  }

  reserveArena(bytes: number): void {
    assertRoom(bytes, this.#reservation - this.arena);
    this.#arenaBytes = Math.max(this.#arenaBytes, bytes);
  }
}

function assertRoom(bytes: number, most: number): void {
  if (bytes <= most) return;
  const [needed, there] = [bytes, most].map((size) => `${(size / GIBIBYTE).toFixed(2)} GiB`);
  throw new CharloomError(
    'UNAVAILABLE',
    `the native engine needs ${needed} of memory in one piece, and has ${there}`,
    'lower --batch-size, --sequence-length or --hidden',
  );
}
