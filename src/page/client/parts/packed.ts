/** Unpacks what `packed` of text-blocks.ts makes. */

/** Takes arrays, one after the other, from unpacked bytes. */
export class Unpacked {
  readonly #bytes: Uint8Array;
  #at = 0;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  static async of(packed: string): Promise<Unpacked> {
    const compressed = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    return new Unpacked(new Uint8Array(await new Response(stream).arrayBuffer()));
  }

  /** The next `length` numbers of 8 bits. */
  bytes(length: number): Uint8Array {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The next `length` numbers of 16 bits. */
  words(length: number): Uint16Array {
    const low = this.bytes(length);
    const high = this.bytes(length);
    return Uint16Array.from(low, (value, i) => value + 256 * high[i]!);
  }
}
