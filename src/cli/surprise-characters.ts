/** The file of `charloom surprise --per-character`: one JSON object per line and character. */
import type { SurpriseWindow } from '../analysis/surprise.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import type { Output } from './output-file.ts';

/** Writes lines to a file as a text is read. */
export class CharacterLines {
  readonly #file: Output;
  readonly #text: SymbolText;
  readonly #vocabulary: Vocabulary;
  readonly #encoder = new TextEncoder();

  constructor(file: Output, text: SymbolText, vocabulary: Vocabulary) {
    this.#file = file;
    this.#text = text;
    this.#vocabulary = vocabulary;
  }

  /** @throws CharloomError IO (disk full) */
  async add({ start, losses, guesses }: SurpriseWindow): Promise<void> {
    const { each, ids, probabilities, ranks } = guesses!;
    const { symbols } = this.#vocabulary;
    const characters = this.#text.read(start, start + losses.length);
    let lines = '';
    // Nothing comes before the first character, which is not predicted.
    if (start === 1)
      lines += `${JSON.stringify({ position: 0, character: this.#text.read(0, 1)[0], bits: null })}\n`;
    for (const [i, character] of characters.entries()) {
      const line = {
        position: start + i,
        character,
        bits: losses[i]! / Math.LN2,
        rank: ranks[i],
        guesses: Array.from({ length: each }, (_, k) => ({
          character: symbols[ids[i * each + k]!],
          probability: Number(probabilities[i * each + k]!.toPrecision(6)),
        })),
      };
      lines += `${JSON.stringify(line)}\n`;
    }
    await this.#file.write(this.#encoder.encode(lines));
  }
}
