/**
 * A text and what its characters cost, on stdout, while it is read: on a terminal with colours the text in colours, elsewhere
 * every line with what its characters cost on average.
 */
import type { SurpriseWindow } from '../analysis/surprise.ts';
import { Glyphs } from '../page/glyphs.ts';
import { BITS_SCALE, BITS_STEPS, bitsLevel } from '../page/scale.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import { ColoredText } from './terminal/colored-text.ts';
import { print } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

export interface SurpriseDisplay {
  /** Shows what was read next. */
  show(window: SurpriseWindow): Promise<void>;
  /** Ends the text. */
  close(): Promise<void>;
}

/** Starts with the first symbol, which has no cost. */
export function surpriseDisplay(text: SymbolText): SurpriseDisplay {
  const colours = new ColoredText(BITS_SCALE);
  return colours.colored ? new ColoredDisplay(text, colours) : new LineDisplay(text);
}

class ColoredDisplay implements SurpriseDisplay {
  readonly #text: SymbolText;
  readonly #colours: ColoredText;
  readonly #glyphs: Glyphs;

  constructor(text: SymbolText, colours: ColoredText) {
    this.#text = text;
    this.#colours = colours;
    this.#glyphs = new Glyphs(text.unit);
  }

  async show({ start, losses }: SurpriseWindow): Promise<void> {
    const levels = Array.from(losses, (loss) => bitsLevel(loss / Math.LN2));
    const first = start === 1 ? [0] : [];
    const symbols = this.#text.read(start - first.length, start + losses.length);
    const glyphs = symbols.map((symbol) => this.#glyphs.next(symbol));
    await print(this.#colours.paint(glyphs, [...first, ...levels]));
  }

  close(): Promise<void> {
    const labels = BITS_SCALE.dark.map((_, level) => (level === 0 ? '0' : `${BITS_STEPS[level - 1]}`));
    return print(`\n\n${this.#colours.legend(labels)} bits and more\n`);
  }
}

class LineDisplay implements SurpriseDisplay {
  readonly #text: SymbolText;
  #start = 0;
  #cost = 0;
  #predicted = 0;

  constructor(text: SymbolText) {
    this.#text = text;
  }

  async show({ start, losses }: SurpriseWindow): Promise<void> {
    // The first symbol may be a line break.
    if (start === 1 && this.#text.read(0, 1)[0]!.endsWith('\n')) await this.#end(1);
    for (const [i, symbol] of this.#text.read(start, start + losses.length).entries()) {
      this.#cost += losses[i]!;
      this.#predicted++;
      if (symbol.endsWith('\n')) await this.#end(start + i + 1);
    }
  }

  async close(): Promise<void> {
    if (this.#start < this.#text.length) await this.#end(this.#text.length);
    await print('\nbefore each line: its bits per character\n');
  }

  async #end(end: number): Promise<void> {
    const line = this.#text.text(this.#start, end).replace(/\r?\n$/, '');
    const mean = this.#predicted > 0 ? (this.#cost / this.#predicted / Math.LN2).toFixed(2) : '-';
    await print(`${`${mean.padStart(6)}  ${process.stdout.isTTY ? printableLine(line) : line}`.trimEnd()}\n`);
    this.#start = end;
    this.#cost = 0;
    this.#predicted = 0;
  }
}
