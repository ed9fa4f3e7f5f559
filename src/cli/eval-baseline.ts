/** `charloom eval --baseline`: the network beside an n-gram model that was trained on the same text. */
import { freemem } from 'node:os';
import { KneserNey, MAX_ORDER, type Reader } from '../analysis/kneser-ney.ts';
import { type Gains, ModelComparison, type SymbolGain } from '../analysis/model-comparison.ts';
import type { Passage } from '../analysis/passages.ts';
import { checkFields, integer } from '../fields.ts';
import { type Evaluation, evaluationOf, type Window } from '../inference/evaluator.ts';
import { nameOf } from '../page/glyphs.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { SymbolText } from '../text/symbol-text.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import type { Run } from '../training/run.ts';
import type { EvaluationText } from './evaluation-text.ts';
import { readText } from './read-text.ts';
import { readRunCorpus } from './run-corpus.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';
import { table } from './terminal/format.ts';
import { printableLine } from './terminal/printable.ts';

/** Measured, see docs/evaluation.md. */
export const DEFAULT_ORDER = 7;
/** Of the memory that is free, so much may go into n-grams. */
const MEMORY_SHARE = 0.75;
/** What is told of each model. */
const LISTED = { symbols: 6, passages: 3, width: 32 };

/**
 * The order that was asked for.
 * @param baseline the option: true where it has no number
 * @throws CharloomError USAGE
 */
export function orderOf(baseline: number | true): number {
  const order = baseline === true ? DEFAULT_ORDER : baseline;
  const checks = { baseline: integer(1, MAX_ORDER) };
  return checkFields<{ baseline: number }>({ baseline: order }, checks, {
    code: 'USAGE',
    field: () => '--baseline',
  }).baseline;
}

/** An n-gram model that reads the text which the network reads, prediction by prediction. */
export class Baseline {
  readonly #model: KneserNey;
  readonly #text: EvaluationText;
  readonly #vocabulary: Vocabulary;
  readonly #reader: Reader;
  readonly #comparison: ModelComparison;
  #total = 0;

  private constructor(model: KneserNey, text: EvaluationText, vocabulary: Vocabulary) {
    this.#model = model;
    this.#text = text;
    this.#vocabulary = vocabulary;
    this.#reader = model.reader();
    const first = new Int32Array(1);
    text.ids.read(0, first);
    this.#reader.read(first[0]!);
    this.#comparison = new ModelComparison(vocabulary.size, LISTED);
  }

  /**
   * Trains it on the training part of the run's text.
   * @throws CharloomError as `readRunCorpus` and `KneserNey.train`
   */
  static async train(run: Run, order: number, text: EvaluationText): Promise<Baseline> {
    if (text.training) return Baseline.#count(text.training, run, order, text);
    const hint = '--baseline counts the n-grams of the text that the network was trained on';
    const corpus = await readText((onProgress) => readRunCorpus(run, [], hint, { onProgress }));
    try {
      return await Baseline.#count(corpus.train, run, order, text);
    } finally {
      corpus.close();
    }
  }

  static async #count(ids: IdSequence, run: Run, order: number, text: EvaluationText): Promise<Baseline> {
    const model = await withBar(new ProgressBar('counting n-grams', ids.length), (bar) =>
      KneserNey.train(ids, run.vocabulary.size, order, {
        memoryBytes: MEMORY_SHARE * freemem(),
        onProgress: (symbols) => bar.update(symbols),
        signal: interruption.signal,
      }),
    );
    return new Baseline(model, text, run.vocabulary);
  }

  /** Makes the same predictions as the network. */
  add({ start, count, losses }: Window): void {
    const symbols = new Int32Array(count);
    this.#text.ids.read(start + 1, symbols);
    for (let i = 0; i < count; i++) {
      const loss = -Math.log(this.#reader.read(symbols[i]!));
      this.#total += loss;
      this.#comparison.push(symbols[i]!, losses[i]! / Math.LN2, loss / Math.LN2);
    }
  }

  /** When it has read all. */
  finish(): BaselineResult {
    const evaluation = evaluationOf(this.#total, this.#text.ids.length - 1);
    const text = new SymbolText(this.#vocabulary.unit, this.#text.ids, this.#text.symbols);
    const [network, baseline] = this.#comparison.finish();
    return new BaselineResult(this.#model, evaluation, this.#vocabulary, text, network, baseline);
  }
}

/** What an n-gram model reached, and where it and the network differ. */
export class BaselineResult {
  readonly order: number;
  readonly evaluation: Evaluation;
  readonly #ngrams: number;
  readonly #vocabulary: Vocabulary;
  readonly #text: SymbolText;
  readonly #network: Gains;
  readonly #baseline: Gains;

  constructor(
    { order, ngrams }: KneserNey,
    evaluation: Evaluation,
    vocabulary: Vocabulary,
    text: SymbolText,
    network: Gains,
    baseline: Gains,
  ) {
    this.order = order;
    this.evaluation = evaluation;
    this.#ngrams = ngrams;
    this.#vocabulary = vocabulary;
    this.#text = text;
    this.#network = network;
    this.#baseline = baseline;
  }

  toJSON(): object {
    const { crossEntropy, bitsPerCharacter, perplexity } = this.evaluation;
    return {
      order: this.order,
      ngrams: this.#ngrams,
      crossEntropy,
      bitsPerCharacter,
      perplexity,
      networkBetter: this.#gainsJson(this.#network, 'networkBits', 'baselineBits'),
      baselineBetter: this.#gainsJson(this.#baseline, 'baselineBits', 'networkBits'),
    };
  }

  #gainsJson({ symbols, passages }: Gains, own: string, other: string): object {
    const lines = this.#linesOf(passages);
    return {
      characters: symbols.map(({ id, occurrences, bits, otherBits }) => ({
        // The unknown symbol has none.
        character: id === this.#vocabulary.unknown ? null : this.#vocabulary.symbols[id],
        occurrences,
        [own]: bits,
        [other]: otherBits,
      })),
      passages: passages.map(({ start, end, cost }, i) => ({
        start,
        end,
        line: lines[i],
        bitsSaved: cost,
        text: this.#text.text(start, end),
      })),
    };
  }

  /** Characters and passages of both, for people. */
  tables(): string {
    const name = `${this.order}-gram`;
    return [
      this.#symbolTable(this.#network, 'THE NETWORK IS BETTER AT', 'network', name),
      this.#passageTable(this.#network),
      this.#symbolTable(this.#baseline, `THE ${this.order}-GRAM MODEL IS BETTER AT`, name, 'network'),
      this.#passageTable(this.#baseline),
    ]
      .filter((part) => part !== '')
      .map((part) => `\n${part}`)
      .join('');
  }

  #symbolTable({ symbols }: Gains, title: string, own: string, other: string): string {
    if (symbols.length === 0) return '';
    const row = ({ id, occurrences, bits, otherBits }: SymbolGain): string[] => [
      nameOf(this.#vocabulary.symbols[id]!, this.#vocabulary.unit),
      `${occurrences}`,
      (bits / occurrences).toFixed(2),
      (otherBits / occurrences).toFixed(2),
      (otherBits - bits).toFixed(0),
    ];
    const header = [title, 'TIMES', own.toUpperCase(), other.toUpperCase(), 'BITS SAVED'];
    return table([header, ...symbols.map(row)]);
  }

  #passageTable({ passages }: Gains): string {
    if (passages.length === 0) return '';
    const lines = this.#linesOf(passages);
    const rows = passages.map(({ start, end, cost }, i) => [
      cost.toFixed(0),
      `${lines[i]}`,
      printableLine(this.#text.text(start, end).replace(/\r?\n/g, '↵')),
    ]);
    return table([['BITS SAVED', 'LINE', 'PASSAGE'], ...rows]);
  }

  #linesOf(passages: readonly Passage[]): number[] {
    return this.#text.lines(passages.map(({ start }) => start));
  }
}
