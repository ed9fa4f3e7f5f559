/** A text under a network: what is given to it, and what it writes on from there. */
import { Distribution, draw } from '../../../inference/distribution.ts';
import type { SamplingOptions } from '../../../inference/sampling-options.ts';
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

/** Where the text is seen. */
export interface View {
  /** About so many pieces are kept: what comes before the last ones need not be shown. */
  readonly most: number;
  /** The text begins anew. */
  clear(): void;
  add(piece: Piece): void;
  /** A piece came that is not to be seen, nor what was before it. */
  skip(): void;
}

export class Writer {
  readonly #network: Network;
  readonly #view: View;
  /** All that was to be given, as it was typed and as it is read, and what of it was read. */
  #typed = '';
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

  constructor(network: Network, view: View) {
    this.#network = network;
    this.#view = view;
    this.#decoder = network.vocabulary.decoder();
    this.#distribution = new Distribution(network.vocabulary.size, network.vocabulary.unknown);
  }

  /** Whether all of `text` was given. */
  has(text: string): boolean {
    return this.#begun && this.#typed === text && this.#given.length === this.#wanted.length;
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
    this.#typed = '';
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
    this.#view.clear();
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
    this.#typed = given;
    this.#wanted = text;
    if (text === '') await this.#begin();
    for (const { text: character, ids } of charactersOf(text.slice(this.#given.length), vocabulary)) {
      await pace.breathe();
      if (signal.aborted) return;
      let bits: number | undefined;
      for (const id of ids) {
        const more = await this.#network.read(id);
        if (more !== undefined) bits = (bits ?? 0) + more;
      }
      const unknown = ids.includes(vocabulary.unknown);
      this.#begun = true;
      this.#given += character;
      this.given.add(bits);
      if (unknown) this.unknown++;
      if (text.length - this.#given.length > this.#view.most) this.#view.skip();
      else await this.#show({ text: character, given: true, unknown, bits });
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
      const more = await network.read(id);
      this.written.add(more);
      bits += more ?? 0;
      const text = this.#decoder.push(id);
      this.#written += text;
      this.#lastIds = [...this.#lastIds, id].slice(-MOST_UNFINISHED);
      if (text === '') continue;
      await this.#show({ text, given: false, unknown: false, bits });
      bits = 0;
    }
  }

  async #show(piece: Omit<Piece, 'activations'>): Promise<void> {
    this.#view.add({ ...piece, activations: await this.#network.activations() });
  }
}

/** As UTF-8 has it: a surrogate without its other half becomes U+FFFD. Without a byte order mark, as files are read. */
function wellFormed(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\p{Cs}/gu, '\uFFFD');
}
