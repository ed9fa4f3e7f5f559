/** Text that a model writes, on its way to the user. */
import { StopFilter } from '../inference/stop-filter.ts';
import type { StreamDecoder, Vocabulary } from '../text/vocabulary.ts';
import { print, printGenerated } from './terminal/output.ts';

/** How drawn symbols are written. */
export interface TextForm {
  /** Of symbols, one text each. */
  readonly decoder: () => StreamDecoder;
  /** Of what a user gives, in the same form. */
  readonly written: (given: Uint8Array) => string;
  readonly show: (text: string) => Promise<void>;
  /** What stands after a text. */
  readonly end: string;
}

/** Text, or, of a model of bytes and for whoever is no terminal, these bytes, whatever they are. */
export function textForm(
  vocabulary: Vocabulary,
  { json, raw }: { readonly json?: boolean; readonly raw?: boolean },
): TextForm {
  if (vocabulary.unit === 'byte' && !json && (raw || !process.stdout.isTTY)) {
    // A byte is the character of its number, here and in the vocabulary.
    const push = (id: number): string => vocabulary.symbols[id]!;
    return {
      decoder: () => ({ push, end: () => '' }),
      written: (given) => Buffer.from(given).toString('latin1'),
      show: (text) => print(Buffer.from(text, 'latin1')),
      end: '',
    };
  }
  return {
    decoder: () => vocabulary.decoder(),
    written: (given) => Buffer.from(given).toString(),
    show: (text) => printGenerated(text, raw),
    end: '\n',
  };
}

/** One text as it grows. */
export class GeneratedText {
  text = '';
  characters = 0;
  readonly #decoder: StreamDecoder;
  readonly #filter: StopFilter;

  constructor(decoder: StreamDecoder, stop: string) {
    this.#decoder = decoder;
    this.#filter = new StopFilter(stop);
  }

  get finished(): boolean {
    return this.#filter.found;
  }

  push(id: number): void {
    if (this.finished) return;
    this.characters++;
    this.text += this.#filter.push(this.#decoder.push(id));
  }

  end(): void {
    this.text += this.#filter.push(this.#decoder.end());
    this.text += this.#filter.end();
  }
}
