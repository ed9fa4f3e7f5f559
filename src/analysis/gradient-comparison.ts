/**
 * The gradients of new networks of every cell, side by side: how much of vanishing and exploding is due to the cell, and how
 * much to its initial weights.
 */
import type { Engine } from '../engine/engine.ts';
import type { ModelConfig } from '../model/config.ts';
import { initialWeights } from '../model/initial-weights.ts';
import { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { STREAMS } from '../training/snapshot.ts';
import {
  type FlowOptions,
  type GradientFlow,
  GradientFlowMeter,
  lagOf,
  type Quartiles,
  withGain,
} from './gradient-flow.ts';

type Cell = Pick<ModelConfig, 'cell' | 'activation'>;

/** The cells, in the order in which they are compared. */
const CELLS: readonly Cell[] = [
  { cell: 'rnn', activation: 'tanh' },
  { cell: 'rnn', activation: 'relu' },
  { cell: 'lstm', activation: 'tanh' },
  { cell: 'gru', activation: 'tanh' },
];

/** How many networks a comparison measures for each gain. */
export const COMPARED_CELLS = CELLS.length;

/** The gradients of one network. */
export interface MeasuredNetwork {
  readonly config: Cell;
  /** What the initial recurrent matrices were multiplied by; undefined for a trained network. */
  readonly gain: number | undefined;
  readonly flow: GradientFlow;
}

export interface ComparisonOptions extends FlowOptions {
  readonly gains: readonly number[];
  /** The networks are those that `train` starts from with this seed, but for the gain. */
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Is told after some windows of a network how many of them are done. */
  readonly onProgress?: (windows: number, total: number) => void;
}

/**
 * Measures a new network of every cell for every gain; all have the size of `config`.
 * @param open opens an engine, one for each cell
 * @throws as `GradientFlowMeter`
 */
export async function* compareCells(
  open: () => Promise<Engine>,
  config: ModelConfig,
  ids: IdSequence,
  { gains, seed, ...options }: ComparisonOptions,
): AsyncGenerator<MeasuredNetwork> {
  for (const cell of CELLS) {
    const model = new LanguageModel({ ...config, ...cell });
    const weights = await initialWeights(
      model.config,
      model.layout,
      new Random(seed, STREAMS.initialWeights),
    );
    const engine = await open();
    try {
      const meter = new GradientFlowMeter(engine, model, ids, options);
      for (const gain of gains) {
        engine.write(model.parameters, withGain(weights, model.layout, gain));
        yield { config: cell, gain, flow: await meter.measure(options) };
      }
    } finally {
      await engine.close();
    }
  }
}

/** One curve: a layer of a network. */
export interface FlowCurve {
  /** E.g. "gain 0.5", "trained", "trained, layer 1". */
  readonly label: string;
  readonly trained: boolean;
  readonly gain: number | undefined;
  /** From 1 up, and of how many. */
  readonly layer: number;
  readonly layers: number;
  readonly norms: Quartiles;
}

/** The curves of one cell. */
export interface FlowPanel extends Cell {
  /** What people call it. */
  readonly name: string;
  readonly curves: readonly FlowCurve[];
}

/** By cell: of new networks the top layer, which the loss reaches first; of trained ones every layer. */
export function panelsOf(networks: readonly MeasuredNetwork[]): FlowPanel[] {
  return CELLS.flatMap((cell) => {
    const own = networks.filter(
      ({ config }) =>
        config.cell === cell.cell && (cell.cell !== 'rnn' || config.activation === cell.activation),
    );
    if (own.length === 0) return [];
    return [{ ...cell, name: nameOf(cell), curves: own.flatMap(curvesOf) }];
  });
}

function nameOf({ cell, activation }: Cell): string {
  if (cell === 'rnn') return activation === 'relu' ? 'textbook RNN, ReLU' : 'textbook RNN, tanh';
  return cell.toUpperCase();
}

function curvesOf({ gain, flow: { layers } }: MeasuredNetwork): FlowCurve[] {
  const shown = layers.map((norms, l) => ({ norms, layer: l + 1 }));
  return shown.slice(gain === undefined ? 0 : -1).map(({ norms, layer }) => {
    const which = layers.length > 1 && gain === undefined ? `, layer ${layer}` : '';
    return {
      label: gain === undefined ? `trained${which}` : `gain ${gain}`,
      trained: gain === undefined,
      gain,
      layer,
      layers: layers.length,
      norms,
    };
  });
}

/** Factors whose lags are told: the half-life and its kin. */
export const FACTORS = [1 / 2, 1 / 10, 1 / 1000, 2, 10, 1000] as const;

/** For each of `FACTORS` the first lag at which the median norm is there; null if it never is. */
export function lagsOfFactors({ norms }: FlowCurve): (number | null)[] {
  return FACTORS.map((factor) => lagOf(factor, norms.median) ?? null);
}
