/** The page on what every symbol of a text cost a model. */
import type { Passage } from '../analysis/passages.ts';
import type { SurpriseWindow } from '../analysis/surprise.ts';
import type { Evaluation } from '../inference/evaluator.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import { Glyphs, nameOf } from './glyphs.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './page.ts';
import { BITS_SCALE, BITS_STEPS, bitsLevel } from './scale.ts';
import { LAST_RANK, NO_BITS, type SurpriseData, UNKNOWN_FLAG } from './surprise-data.ts';
import { packed, textBlocks, textElement } from './text-blocks.ts';

/** What the page tells of every symbol, kept in few bytes while the text is read: 20 for a symbol. */
export class SurpriseRecord {
  /** [N] */
  readonly bits: Uint16Array;
  readonly ranks: Uint16Array;
  /** [guesses, N] each */
  readonly guesses: readonly Uint16Array[];
  readonly probabilities: readonly Uint8Array[];

  /** @param length N, symbols of the text */
  constructor(length: number, guesses: number) {
    this.bits = new Uint16Array(length).fill(NO_BITS, 0, 1);
    this.ranks = new Uint16Array(length);
    this.guesses = Array.from({ length: guesses }, () => new Uint16Array(length));
    this.probabilities = Array.from({ length: guesses }, () => new Uint8Array(length));
  }

  /** Takes what was found of some symbols, with their guesses. */
  add({ start, losses, guesses }: SurpriseWindow): void {
    const { each, ids, probabilities, ranks } = guesses!;
    for (let i = 0; i < losses.length; i++) {
      this.bits[start + i] = Math.min(NO_BITS - 1, Math.round((100 * losses[i]!) / Math.LN2));
      this.ranks[start + i] = Math.min(LAST_RANK, ranks[i]!);
      for (let k = 0; k < each; k++) {
        const share = Math.round(255 * probabilities[i * each + k]!);
        this.probabilities[k]![start + i] = share;
        // What is not going to be shown costs least as a zero.
        this.guesses[k]![start + i] = share === 0 ? 0 : ids[i * each + k]!;
      }
    }
  }
}

export interface SurprisePage {
  /** Which model read which text, in words. */
  readonly model: string;
  readonly source: string;
  readonly text: SymbolText;
  readonly ids: IdSequence;
  readonly vocabulary: Vocabulary;
  readonly unknownCharacters: number;
  readonly evaluation: Evaluation;
  readonly record: SurpriseRecord;
  /** Costs in bits; the number of the line in which they begin. */
  readonly passages: readonly (Passage & { readonly line: number })[];
}

/** The document. @throws CharloomError as `renderPage`; IO if the text is on a disk that fails */
export function surprisePage(page: SurprisePage): string {
  const { model, source, text, vocabulary, record, passages } = page;
  const blocks = [...textBlocks(text)];
  const data: SurpriseData = {
    names: vocabulary.symbols.map((symbol) => nameOf(symbol, vocabulary.unit)),
    guesses: record.guesses.length,
    length: text.length,
    starts: blocks.map(({ start }) => start),
    blocks: blocks.map(({ start, end, lengths }) => {
      const part = <T extends Uint8Array | Uint16Array>(all: T) => all.subarray(start, end) as T;
      return packed([
        lengths,
        withUnknown(part(record.bits), page.ids, start, vocabulary.unknown),
        part(record.ranks),
        ...record.guesses.map(part),
        ...record.probabilities.map(part),
      ]);
    }),
    passages: passages.map(({ start }) => start),
  };
  const body = html`
<header>
<h1>What surprised the model</h1>
<p class="quiet">${model}, reading ${source}</p>
</header>
${figures(page)}
<noscript><p>Colours and guesses need JavaScript.</p></noscript>
<h2>The costliest passages</h2>
<p>Bits per character of each; none overlaps another.</p>
<ol class="passages">${passages.map((passage) => passageItem(passage, page))}</ol>
<div class="columns">
<main>
<h2>The text</h2>
${textElement(blocks, 'The text, coloured by bits per character')}
</main>
<aside>
<section class="readout" aria-live="polite" aria-atomic="true" id="readout"></section>
<p class="moves"><button type="button" id="previous">← back</button> <button type="button" id="next">on →</button> <button type="button" id="costly">next costly passage</button></p>
<p class="legend" aria-label="Colours: bits per character">${legend()}<span class="quiet">bits</span></p>
<p class="quiet" id="keys">Point at a character, tap it, or focus the text and use the arrow keys; n and p go to the next and the previous costly passage.</p>
</aside>
</div>`;
  return renderPage({ title: `What surprised ${model}, in ${source}`, client: 'surprise', data, body });
}

/** @param bits of the symbols from `start` on */
function withUnknown(bits: Uint16Array, ids: IdSequence, start: number, unknown: number): Uint16Array {
  const symbols = new Int32Array(bits.length);
  ids.read(start, symbols);
  return bits.map((value, i) => (symbols[i] === unknown ? value | UNKNOWN_FLAG : value));
}

function figures({ evaluation, text, unknownCharacters }: SurprisePage): Html {
  const rows: [string, string][] = [
    ['characters', `${text.length}${unknownCharacters > 0 ? ` (${unknownCharacters} unknown)` : ''}`],
    ['bits per character', evaluation.bitsPerCharacter.toFixed(4)],
    ['cross-entropy', `${evaluation.crossEntropy.toFixed(4)} nats`],
    ['perplexity', evaluation.perplexity.toFixed(4)],
  ];
  return html`<dl class="figures">${rows.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`;
}

function legend(): Html[] {
  return BITS_SCALE.light.map((_, level) => {
    const from = level === 0 ? '0' : `${BITS_STEPS[level - 1]}`;
    return html`<span class="level-${level}">${from}${level === BITS_STEPS.length ? '+' : ''}</span>`;
  });
}

/** A passage in its colours, with some of the text before it, as a link to its place. */
function passageItem(
  { start, end, cost, line }: SurprisePage['passages'][number],
  { text, record }: SurprisePage,
): Html {
  const glyphs = new Glyphs(text.unit);
  const shown = text.read(start, end).map((symbol) => glyphs.next(symbol).trimEnd() || ' ');
  const pieces: Html[] = [];
  for (let i = 0; i < shown.length; ) {
    const level = levelAt(record, start + i);
    let piece = '';
    for (; i < shown.length && levelAt(record, start + i) === level; i++) piece += shown[i];
    pieces.push(html`<span class="level-${level}">${piece}</span>`);
  }
  const mean = (cost / (end - start)).toFixed(2);
  return html`<li><a href="#at=${start}" class="text">${pieces}</a> <span class="quiet">${mean} bits, line ${line}</span></li>`;
}

function levelAt({ bits }: SurpriseRecord, place: number): number {
  return bitsLevel(bits[place]! / 100);
}
