/**
 * A long text in a page: blocks of some thousand symbols, each with what is to be known of its symbols as compressed bytes, which
 * the page unpacks where one looks.
 */
import { deflateRawSync } from 'node:zlib';
import type { SymbolText } from '../text/symbol-text.ts';
import { Glyphs } from './glyphs.ts';
import { type Html, html } from './html.ts';

/** Symbols of a block: at least half of so many, up to the end of a line; else exactly so many. */
const BLOCK = 4096;
/** Symbols of a page: with more, a browser has tens of megabytes to read before anything is there. */
export const MOST_SYMBOLS = 4_000_000;

/** Consecutive symbols of a text. */
export interface TextBlock {
  readonly start: number;
  readonly end: number;
  /** As they are shown, see `Glyphs`. */
  readonly text: string;
  /** UTF-16 units of `text` per symbol. */
  readonly lengths: Uint16Array;
}

/** The blocks of a text, in order. A block ends with a line where it can: it is a box of its own on the page. */
export function* textBlocks(text: SymbolText): Generator<TextBlock> {
  const glyphs = new Glyphs(text.unit);
  let shown: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += BLOCK) {
    for (const symbol of text.read(at, Math.min(text.length, at + BLOCK))) {
      shown.push(glyphs.next(symbol));
      const ends = shown.length >= BLOCK / 2 && symbol.endsWith('\n');
      if (!ends && shown.length < BLOCK) continue;
      yield blockOf(start, shown);
      start += shown.length;
      shown = [];
    }
  }
  if (shown.length > 0) yield blockOf(start, shown);
}

function blockOf(start: number, shown: readonly string[]): TextBlock {
  return {
    start,
    end: start + shown.length,
    text: shown.join(''),
    lengths: Uint16Array.from(shown, (glyph) => glyph.length),
  };
}

/** Arrays, one after the other, compressed (RFC 1951), in base64. Numbers are little-endian. */
export function packed(arrays: readonly (Uint8Array | Int8Array | Uint16Array)[]): string {
  const bytes = arrays.map((array) => {
    const view = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    // One plane of low and one of high bytes: these are nearly all alike.
    return array.BYTES_PER_ELEMENT === 1 ? view : planes(view);
  });
  return deflateRawSync(Buffer.concat(bytes), { level: 9 }).toString('base64');
}

function planes(pairs: Uint8Array): Uint8Array {
  const half = pairs.length / 2;
  return pairs.map((_, i) => pairs[i < half ? 2 * i : 2 * (i - half) + 1]!);
}

/** The element of a whole text, for `ColoredText` of the page's script. */
export function textElement(blocks: readonly TextBlock[], label: string): Html {
  return html`<div id="text" class="text" tabindex="0" role="group" aria-label="${label}" aria-describedby="keys">${blocks.map(
    ({ text }) => html`<div class="block">${text}</div>`,
  )}</div>`;
}
