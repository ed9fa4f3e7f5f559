/**
 * The WebAssembly memory of an engine, from the bottom up: workspace of the walker; tensors that outlive a
 * replay, and command lists; the arena of temporaries. The arena lies last and moves up when anything below
 * it grows.
 */
import { CharloomError } from '../../errors.ts';
import { align } from './arena.ts';
import { BLOCK_BYTES } from './assembly/opcodes.ts';
import type { Storage } from './commands.ts';

const PAGE = 65536;
/** All that 32-bit addresses reach. */
const MOST_PAGES = 65536;

/** Left to WebAssembly: address 0 must stay free, it stands for "no operand". */
const RESERVED = 1024;

export class EngineMemory {
  readonly #memory: WebAssembly.Memory;
  /** Where the walker packs blocks of A. */
  readonly workspace = RESERVED;
  #end = align(RESERVED + BLOCK_BYTES);
  #arenaBytes = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#grow();
  }

  /** Where the arena starts now. */
  get arena(): number {
    return this.#end;
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#end + this.#arenaBytes;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length);
  }

  /** New storage, filled with zeros, that stays where it is. */
  allocate(name: string, bytes: number): Storage {
    const storage = { name, bytes, temporary: false, address: this.#end };
    this.#end += align(bytes);
    this.#grow();
    // The arena may have left something there.
    new Uint8Array(this.#memory.buffer, storage.address, bytes).fill(0);
    return storage;
  }

  /** Makes the arena at least this large. */
  reserveArena(bytes: number): void {
    this.#arenaBytes = Math.max(this.#arenaBytes, bytes);
    this.#grow();
  }

  /** @throws CharloomError if the memory cannot be had */
  #grow(): void {
    const missing = Math.ceil(this.bytes / PAGE) - this.#memory.buffer.byteLength / PAGE;
    if (missing <= 0) return;
    try {
      if (this.bytes > MOST_PAGES * PAGE) throw new RangeError('beyond 32-bit addresses');
      this.#memory.grow(missing);
    } catch (cause) {
      throw new CharloomError(
        'UNAVAILABLE',
        `the simd engine needs ${gigabytes(this.bytes)} of memory and cannot get it (its limit is ${gigabytes(MOST_PAGES * PAGE)})`,
        'lower --batch-size, --sequence-length or --hidden',
        { cause },
      );
    }
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
