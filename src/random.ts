/**
 * The one random generator of charloom: xoshiro128** 1.1 (Blackman & Vigna 2021, "Scrambled linear
 * pseudorandom number generators"; https://prng.di.unimi.it/xoshiro128starstar.c), seeded by splitmix32.
 *
 * The four words of `state` are all there is: a generator made from a saved state goes on with exactly the
 * numbers that the saved one would have drawn.
 */
import { CharloomError } from './errors.ts';

const STATE_WORDS = 4;
const TWO_32 = 2 ** 32;

/** Greatest seed and stream number: any 32-bit unsigned integer is one. */
export const MAX_SEED = TWO_32 - 1;

/** The finalizer of splitmix32: a bijection of 32-bit integers that maps 0 to 0. */
function mix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

export class Random {
  readonly #state = new Uint32Array(STATE_WORDS);

  /**
   * @param seed integer in [0, 2³²)
   * @param stream integer in [0, 2³²): unrelated sequences from one seed, e.g. one for the weights and one
   *   for the samples, so that drawing more of one leaves the other as it was
   * @throws RangeError if one of them is out of range
   */
  constructor(seed: number, stream = 0) {
    for (const value of [seed, stream]) {
      if (!Number.isInteger(value) || value < 0 || value > MAX_SEED) {
        throw new RangeError(`a seed is an integer from 0 to ${MAX_SEED}, not ${value}`);
      }
    }
    // Four outputs of one splitmix32 sequence are distinct, so the state is never all zero.
    let counter = seed ^ mix(stream);
    for (let i = 0; i < STATE_WORDS; i++) {
      counter = (counter + 0x9e3779b9) | 0;
      this.#state[i] = mix(counter);
    }
  }

  /**
   * The generator that goes on from a saved `state`.
   * @throws CharloomError BAD_DATA if it is no state of this generator
   */
  static fromState(state: ArrayLike<number>): Random {
    const words = Array.from(state);
    const valid =
      words.length === STATE_WORDS &&
      words.every((word) => Number.isInteger(word) && word >= 0 && word < TWO_32);
    if (!valid || words.every((word) => word === 0)) {
      throw new CharloomError(
        'BAD_DATA',
        `not a state of the random generator: [${words.slice(0, 8).join(', ')}]`,
      );
    }
    const random = new Random(0);
    random.#state.set(words);
    return random;
  }

  /** A copy of the whole state: four 32-bit words. */
  get state(): Uint32Array {
    return this.#state.slice();
  }

  /** A uniform integer in [0, 2³²). */
  nextUint32(): number {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** A uniform number in [0, 1): a multiple of 2⁻⁵³, from two draws. */
  uniform(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /**
   * A standard normal number (Marsaglia's polar method). Of the pair that the method yields the second is
   * dropped: keeping it would be state outside `state`.
   */
  normal(): number {
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  }

  /**
   * A uniform integer in [0, count), without bias.
   * @throws RangeError unless `count` is an integer from 1 to 2³²
   */
  integer(count: number): number {
    if (!Number.isInteger(count) || count < 1 || count > TWO_32) {
      throw new RangeError(`a count is an integer from 1 to ${TWO_32}, not ${count}`);
    }
    // Draws from the incomplete last block of `count` values would favour the small ones.
    const limit = TWO_32 - (TWO_32 % count);
    for (;;) {
      const draw = this.nextUint32();
      if (draw < limit) return draw % count;
    }
  }
}
