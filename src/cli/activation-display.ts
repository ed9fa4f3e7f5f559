/**
 * A text and the activation of one cell after each of its characters, on stdout: on a terminal with colours in colours, elsewhere a
 * bar under each character, from −1 to 1.
 */
import { Glyphs } from '../page/glyphs.ts';
import { ACTIVATION_MIDDLES, ACTIVATION_SCALE, activationLevel } from '../page/scale.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import { ColoredText } from './terminal/colored-text.ts';
import { BARS } from './terminal/format.ts';
import { print } from './terminal/output.ts';

/** Glyphs that take two columns, and parts of glyphs that take none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const WITHOUT_WIDTH = /[\p{M}\u200c\u200d]/u;

export class ActivationDisplay {
  readonly #text: SymbolText;
  readonly #colours = new ColoredText(ACTIVATION_SCALE);
  readonly #glyphs: Glyphs;
  /** What an activation of 1 is shown for. */
  readonly #extent: number;
  /** The line that is not complete yet, where there are bars. */
  #line = '';
  #bars = '';

  /** @param extent the activation that counts as the strongest: 1 where activations have that bound */
  constructor(text: SymbolText, extent: number) {
    this.#text = text;
    this.#glyphs = new Glyphs(text.unit);
    this.#extent = extent;
  }

  /** Shows the symbols from `start` on, and the activations after them. */
  async show(start: number, activations: ArrayLike<number>): Promise<void> {
    const symbols = this.#text.read(start, start + activations.length);
    const glyphs = symbols.map((symbol) => this.#glyphs.next(symbol));
    const shares = Array.from(activations, (value) => value / this.#extent);
    if (this.#colours.colored) return print(this.#colours.paint(glyphs, shares.map(activationLevel)));
    for (const [i, glyph] of glyphs.entries()) {
      const shown = glyph.replace('\n', '');
      const height = Math.floor(((Math.max(-1, Math.min(1, shares[i]!)) + 1) / 2) * BARS.length);
      this.#line += shown;
      this.#bars += BARS[Math.min(BARS.length - 1, height)]!.repeat(widthOf(shown));
      if (shown !== glyph) await this.#endLine();
    }
  }

  /** Ends the text, with a legend where there are colours. */
  async close(legend: boolean): Promise<void> {
    if (this.#line !== '') await this.#endLine();
    if (!this.#colours.colored) return;
    const labels = ACTIVATION_MIDDLES.map((middle) => (middle * this.#extent).toFixed(1).replace('-', '−'));
    await print(legend ? `\n\n${this.#colours.legend(labels)}\n` : '\n');
  }

  async #endLine(): Promise<void> {
    await print(`${this.#line}\n${this.#bars}\n`);
    this.#line = '';
    this.#bars = '';
  }
}

function widthOf(glyph: string): number {
  let width = 0;
  for (const character of glyph) {
    if (!WITHOUT_WIDTH.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}
