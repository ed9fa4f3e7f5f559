/** Text in which every symbol has a level of a scale, on a terminal. */
import type { Scale } from '../../page/scale.ts';
import { styled } from './style.ts';

/** Levels of chalk: 1 are the 16 colours that every user sees otherwise, 2 and 3 those that are what they are called. */
const LEAST_COLOURS = 2;

/** Paints text on stdout. */
export class ColoredText {
  /** Whether colours are to be seen: otherwise what is painted is the plain text. */
  readonly colored: boolean;
  readonly #paint: readonly ((text: string) => string)[];

  constructor(scale: Scale) {
    const style = styled(process.stdout);
    this.colored = style.level >= LEAST_COLOURS;
    this.#paint = (isLight() ? scale.light : scale.dark).map(({ background, text }) =>
      this.colored ? style.bgHex(background).hex(text) : (plain) => plain,
    );
  }

  /** @param glyphs as they are to be seen, see `Glyphs`; a level for each */
  paint(glyphs: readonly string[], levels: ArrayLike<number>): string {
    let painted = '';
    for (let i = 0; i < glyphs.length; ) {
      const level = levels[i]!;
      let run = '';
      for (; i < glyphs.length && levels[i] === level; i++) run += glyphs[i];
      painted += this.#paint[level]!(run);
    }
    return painted;
  }

  /** The colours with what they stand for. */
  legend(labels: readonly string[]): string {
    return labels.map((label, level) => this.#paint[level]!(` ${label} `)).join('');
  }
}

/** Whether the terminal says that its ground is light (COLORFGBG: of rxvt, Konsole, and others). */
function isLight(): boolean {
  const ground = process.env.COLORFGBG?.split(';').at(-1);
  return ground === '7' || ground === '15';
}
