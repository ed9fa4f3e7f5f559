/** A text under a network: what is given to it, and what it writes on from there. */
import { Distribution, draw, type SamplingOptions } from '../../../inference/distribution.ts';
import { startOf } from '../../../inference/start.ts';
import { Random } from '../../../random.ts';
import type { StreamDecoder } from '../../../text/vocabulary.ts';
import { charactersOf } from './given.ts';
import type { Network } from './network.ts';
import type { Pace } from './pace.ts';
import type { Piece } from './paper.ts';

/** Bytes of UTF-8 that may wait for the rest of their character. */
const MOST_UNFINISHED = 3;

/** Characters and what they cost the network, in bits, as far as it had predicted them. */
export class Tally {
  characters = 0;
  #predicted = 0;
  #bits = 0;

  add(bits: number | undefined): void {
    this.characters++;
    if (bits === undefined) return;
    this.#predicted++;
    this.#bits += bits;
  }

  /** Undefined before anything was predicted. */
  get bitsPerCharacter(): number | undefined {
    return this.#predicted === 0 ? undefined : this.#bits / this.#predicted;
  }
}

export class Writer {
  readonly #network: Network;
  readonly #onClear: () => void;
  readonly #onPiece: (piece: Piece) => void;
  /** All that was to be given, and what of it was read. */
  #wanted = '';
  #given = '';
  #begun = false;
  #written = '';
  #lastIds: number[] = [];
  /** Since the first draw. */
  #random: Random | undefined;
  #decoder: StreamDecoder;
  readonly #distribution: Distribution;
  given = new Tally();
  written = new Tally();
  /** Characters given that the vocabulary lacks. */
  unknown = 0;

  /** @param onClear is told when the text begins anew, `onPiece` what is added to it */
  constructor(network: Network, onClear: () => void, onPiece: (piece: Piece) => void) {
    this.#network = network;
    this.#onClear = onClear;
    this.#onPiece = onPiece;
    this.#decoder = network.vocabulary.decoder();
    this.#distribution = new Distribution(network.vocabulary.size, network.vocabulary.unknown);
  }

  /** Whether all of `text` was read and nothing written yet: then nothing is left to be given. */
  has(text: string): boolean {
    return this.#begun && this.#given === wellFormed(text);
  }

  /** The text: what was given and what was written. */
  get text(): string {
    const { vocabulary } = this.#network;
    if (vocabulary.unit !== 'byte') return this.#given + this.#written;
    // The rest of an unfinished character is as at the end of a text.
    const decoder = vocabulary.decoder();
    for (const id of this.#lastIds) decoder.push(id);
    return this.#given + this.#written + decoder.end();
  }

  /** Forgets all. */
  clear(): void {
    this.#network.reset();
    this.#wanted = '';
    this.#given = '';
    this.#begun = false;
    this.#written = '';
    this.#lastIds = [];
    this.#random = undefined;
    this.#decoder = this.#network.vocabulary.decoder();
    this.given = new Tally();
    this.written = new Tally();
    this.unknown = 0;
    this.#onClear();
  }

  /**
   * Has the network read `given`: what is added to it if it goes on from what was read, else all of it anew.
   * @throws CharloomError BAD_DATA if the text cannot be cut into symbols
   */
  async give(given: string, pace: Pace, signal: AbortSignal): Promise<void> {
    const { vocabulary } = this.#network;
    const text = wellFormed(given);
    // What is added may change the last cluster of what was there.
    const goesOn = text === this.#wanted || (vocabulary.unit !== 'grapheme' && this.#given !== '');
    if (this.#random || !this.#begun || !goesOn || !text.startsWith(this.#given)) this.clear();
    this.#wanted = text;
    if (text === '') await this.#begin();
    for (const { text: character, ids } of charactersOf(text.slice(this.#given.length), vocabulary)) {
      await pace.breathe();
      if (signal.aborted) return;
      let bits: number | undefined;
      let activations!: Int8Array;
      for (const id of ids) {
        const impression = await this.#network.read(id);
        if (impression.bits !== undefined) bits = (bits ?? 0) + impression.bits;
        activations = impression.activations;
      }
      const unknown = ids.includes(vocabulary.unknown);
      this.#begun = true;
      this.#given += character;
      this.given.add(bits);
      if (unknown) this.unknown++;
      this.#onPiece({ text: character, given: true, unknown, bits, activations });
    }
  }

  /** Without a beginning, the network reads a line break, as `charloom sample` has it. */
  async #begin(): Promise<void> {
    if (this.#begun) return;
    const { vocabulary } = this.#network;
    const newline = vocabulary.idOf('\n');
    if (newline !== vocabulary.unknown) await this.#network.read(newline);
    this.#begun = true;
  }

  /**
   * Draws `length` symbols, as `charloom sample` does, after what was given, or on from what was written.
   * @param options is asked before every draw
   * @param seed is used for the first draw only
   * @throws CharloomError DIVERGED if the logits are not finite
   */
  async write(
    length: number,
    seed: number,
    options: () => SamplingOptions,
    pace: Pace,
    signal: AbortSignal,
  ): Promise<void> {
    const network = this.#network;
    const { vocabulary } = network;
    this.#random ??= new Random(seed);
    if (!network.logits) await network.read(startOf([], vocabulary, this.#random)[0]!);
    let bits = 0;
    for (let n = 0; n < length; n++) {
      await pace.wait(signal);
      if (signal.aborted) return;
      this.#distribution.set(network.logits!, options());
      const id = draw(this.#distribution.probabilities, this.#random);
      const impression = await network.read(id);
      this.written.add(impression.bits);
      bits += impression.bits ?? 0;
      const text = this.#decoder.push(id);
      this.#written += text;
      this.#lastIds = [...this.#lastIds, id].slice(-MOST_UNFINISHED);
      if (text === '') continue;
      const { activations } = impression;
      this.#onPiece({ text, given: false, unknown: false, bits, activations });
      bits = 0;
    }
  }
}

/** As UTF-8 has it: a surrogate without its other half becomes U+FFFD. Without a byte order mark, as files are read. */
function wellFormed(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\p{Cs}/gu, '\uFFFD');
}
