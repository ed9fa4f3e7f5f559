/**
 * Which cells of a network track what in a text. The cells of a feature are chosen on the first half of the text and judged on the
 * second: the best of hundreds is good by luck alone where it was chosen.
 */
import type { Engine } from '../engine/engine.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import { activations } from './activations.ts';
import { CorrelationSums } from './correlation.ts';
import { FEATURES, type Feature, FeatureReader } from './features.ts';
import { GateCounts, type GateSaturation } from './gates.ts';

/** A feature has to be present, and absent, at this many symbols of each half; otherwise it says nothing about any cell. */
export const LEAST_OCCURRENCES = 20;

/** Why a feature is left out. */
export const TOO_RARE = `present, or absent, at fewer than ${LEAST_OCCURRENCES} characters of one half of the text`;

/** One cell: its layer and its place in it, both from 0 on. */
export interface Neuron {
  readonly layer: number;
  readonly index: number;
}

/** How well a cell tracks a feature: Pearson's r, negative where it falls as the feature rises. */
export interface ScoredNeuron extends Neuron {
  /** On the first half of the text, where it was chosen. */
  readonly chosen: number;
  /** On the second half. */
  readonly heldOut: number;
}

export interface FeatureScore {
  readonly feature: Feature;
  /** Symbols at which the feature is not 0, of the first and of the second half. */
  readonly occurrences: readonly [number, number];
  /** The best cells, by |r| on the first half; none if the feature is too rare, or nearly everywhere. */
  readonly neurons: readonly ScoredNeuron[];
}

export interface NeuronStudy {
  /** Symbols after which the cells were looked at: all but the last. */
  readonly symbols: number;
  /** Best first: by the score of their best cell on the second half; those without cells last. */
  readonly features: readonly FeatureScore[];
  readonly gates: readonly GateSaturation[];
}

/** Layer and index as people write them: `0:17`. */
export const nameOfNeuron = ({ layer, index }: Neuron): string => `${layer}:${index}`;

/**
 * Reads a text, from the zero state, and scores every cell on every feature.
 *
 * @param ids at least 2 symbols
 * @param text the same text
 * @param options.best how many cells to tell of each feature
 * @throws as `Evaluator.windows`
 */
export async function studyNeurons(
  engine: Engine,
  model: LanguageModel,
  ids: IdSequence,
  text: SymbolText,
  options: { best: number; signal?: AbortSignal; onProgress?: (symbols: number) => void },
): Promise<NeuronStudy> {
  const { cell, layers, hidden: H } = model.config;
  const symbols = ids.length - 1;
  const middle = Math.ceil(symbols / 2);
  const halves = [0, 1].map(() => new CorrelationSums(layers * H, FEATURES.length));
  const gates = new GateCounts(cell, layers, H);
  const features = new FeatureReader(text);
  for await (const window of activations(engine, model, ids, options.signal)) {
    const { start, count } = window;
    const values = features.next(count);
    const split = Math.max(0, Math.min(count, middle - start));
    halves[0]!.add(window.activations, values, 0, split);
    halves[1]!.add(window.activations, values, split, count);
    gates.add(window.gates, count);
    options.onProgress?.(start + count);
  }
  const scores = FEATURES.map((feature, f) => scoreOf(feature, f, halves, layers * H, H, options.best));
  const rank = ({ neurons }: FeatureScore): number => (neurons[0] ? Math.abs(neurons[0].heldOut) : -1);
  return {
    symbols,
    features: scores.sort((a, b) => rank(b) - rank(a)),
    gates: gates.fractions(),
  };
}

function scoreOf(
  feature: Feature,
  f: number,
  halves: readonly CorrelationSums[],
  cells: number,
  H: number,
  best: number,
): FeatureScore {
  const [first, second] = halves as [CorrelationSums, CorrelationSums];
  const occurrences = [first.occurrences(f), second.occurrences(f)] as const;
  const frequent = halves.every((half) => {
    const present = half.occurrences(f);
    const absent = feature.kind === 'binary' ? half.count - present : LEAST_OCCURRENCES;
    return present >= LEAST_OCCURRENCES && absent >= LEAST_OCCURRENCES;
  });
  const neurons = frequent
    ? Array.from({ length: cells }, (_, c) => ({ c, r: first.correlation(f, c) }))
        .sort((a, b) => Math.abs(b.r) - Math.abs(a.r) || a.c - b.c)
        .slice(0, best)
        .filter(({ r }) => r !== 0)
        .map(({ c, r }) => ({
          layer: Math.floor(c / H),
          index: c % H,
          chosen: r,
          heldOut: second.correlation(f, c),
        }))
    : [];
  return { feature, occurrences, neurons };
}
