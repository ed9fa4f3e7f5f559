/** Tables of `charloom neurons`: which cells track what, and how their gates stand. */
import type { GateSaturation } from '../analysis/gates.ts';
import { type FeatureScore, nameOfNeuron, TOO_RARE } from '../analysis/neurons.ts';
import { table } from './terminal/format.ts';

const r = (value: number): string => `${value < 0 ? '−' : ' '}${Math.abs(value).toFixed(2)}`;
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)}%`;

/** Every feature with its best cell; those without one are named below. */
export function rankingTable(features: readonly FeatureScore[], symbols: number): string {
  const found = features.filter(({ neurons }) => neurons.length > 0);
  const rare = features.filter(({ neurons }) => neurons.length === 0).map(({ feature }) => feature.name);
  const rows = found.map(({ feature, occurrences: [first, second], neurons: [best] }) => [
    feature.name,
    nameOfNeuron(best!),
    r(best!.chosen),
    r(best!.heldOut),
    feature.kind === 'binary' ? percent(first + second, symbols) : '',
    feature.meaning,
  ]);
  const ranking =
    rows.length > 0
      ? table([['FEATURE', 'CELL', 'r CHOSEN', 'r HELD OUT', 'SHARE', 'MEANING'], ...rows])
      : '';
  return ranking + (rare.length > 0 ? `${TOO_RARE}: ${rare.join(', ')}\n` : '');
}

/** The best cells of one feature. */
export function featureTable({ neurons }: FeatureScore): string {
  const rows = neurons.map((neuron) => [nameOfNeuron(neuron), r(neuron.chosen), r(neuron.heldOut)]);
  return table([['CELL', 'r CHOSEN', 'r HELD OUT'], ...rows]);
}

/** Fractions of time. */
const MOSTLY = 0.5;
const NEARLY_ALWAYS = 0.9;

/** What a cell does whose gate is shut, and open. */
const MEANINGS: Readonly<Record<string, readonly [shut: string, open: string]>> = {
  forget: ['forget', 'remember'],
  input: ['take nothing in', 'take in'],
  output: ['say nothing', 'speak'],
  update: ['feed forward', 'remember'],
  reset: ['ignore the past', 'use the past'],
};

/** Per layer and gate: how many cells are shut and open how much of the time. */
export function gateTable(gates: readonly GateSaturation[]): string {
  if (gates.length === 0) return '';
  const over = (fractions: readonly number[], least: number): string =>
    `${fractions.filter((own) => own > least).length}`;
  const rows = gates.flatMap(({ layer, gate, left, right }) =>
    ([right, left] as const).map((fractions, i) => [
      ...[`${layer}`, gate, i === 0 ? 'open, > 0.9' : 'shut, < 0.1'],
      percent(
        fractions.reduce((sum, own) => sum + own, 0),
        fractions.length,
      ),
      ...[over(fractions, MOSTLY), over(fractions, NEARLY_ALWAYS)],
      MEANINGS[gate]![i === 0 ? 1 : 0],
    ]),
  );
  const head = ['LAYER', 'GATE', 'SATURATED', 'TIME', '> HALF', '> 90%', 'CELLS THEN'];
  const [{ left }] = gates as [GateSaturation];
  return `${table([head, ...rows])}> HALF, > 90%: cells of ${left.length} of which it is so that much of the time
`;
}
