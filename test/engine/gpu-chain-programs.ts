/** Programs of cell steps, regular and not: of some the gpu engine makes chains, of others it must not. */
import { declare, type Matrix, type Program } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';

export type Cell = 'rnn' | 'lstm' | 'gru';
export type Direction = 'forward' | 'backward';

/** A step, and the product that feeds it (forward) or that takes its gradient to the step before (backward). */
export interface Step {
  /** Blocks of the sequences: of the gates, and of the states before and after the step in time. */
  readonly gate: number;
  readonly before: number;
  readonly after: number;
  /** Of h, where they are others. */
  readonly hiddenBefore?: number;
  readonly hiddenAfter?: number;
  /** `recurrent`: of the hidden state or the gates' gradient; `other`: of a matrix that has nothing to do with it. */
  readonly product: 'recurrent' | 'other' | 'none';
  readonly weights: 0 | 1;
  readonly bias: 0 | 1 | 'none';
  readonly accumulate: boolean;
  readonly activation: 'tanh' | 'relu';
  /** What comes before the product: new weights, a change of the state, or something that reads it. */
  readonly interruption?: 'weights' | 'change' | 'reading';
  /** Is the result of the product scaled before anything else reads it? */
  readonly scaled?: boolean;
}

/** Matrices of a program; all are sequences, but for `cellGradient`. */
export type Name =
  | 'gates' // of the GRU, the input's
  | 'hiddenGates'
  | 'hidden'
  | 'cell'
  | 'gradients' // of the gates
  | 'hiddenGradients' // of the hidden gates
  | 'hiddenGradient' // of h
  | 'cellGradient';

export interface Plan {
  readonly cell: Cell;
  readonly direction: Direction;
  readonly B: number;
  readonly H: number;
  /** Inner size of `other` products. */
  readonly K: number;
  readonly steps: readonly Step[];
  /** What is copied out at the end. */
  readonly outputs: readonly Name[];
  /** Do the gradients of the gates take the gates' places? */
  readonly inPlace: boolean;
}

/** What the steps write. */
export const WRITTEN: Readonly<Record<Cell, Readonly<Record<Direction, readonly Name[]>>>> = {
  rnn: { forward: ['gates', 'hidden'], backward: ['gradients', 'hiddenGradient'] },
  lstm: { forward: ['gates', 'hidden', 'cell'], backward: ['gradients', 'hiddenGradient', 'cellGradient'] },
  gru: {
    forward: ['gates', 'hiddenGates', 'hidden'],
    backward: ['gradients', 'hiddenGradients', 'hiddenGradient'],
  },
};

const GATES: Readonly<Record<Cell, number>> = { rnn: 1, lstm: 4, gru: 3 };

/** `T` steps as a recurrent layer records them. */
export function regular(cell: Cell, direction: Direction, T: number, B: number, H: number): Plan {
  const steps = Array.from({ length: T }, (_, s): Step => {
    const t = direction === 'forward' ? s : T - 1 - s;
    const place = { gate: t, before: t, after: t + 1 };
    const bias = direction === 'forward' ? 0 : 'none';
    const accumulate = direction === 'backward' || cell !== 'gru';
    return { ...place, product: 'recurrent', weights: 0, bias, accumulate, activation: 'tanh' };
  });
  const outputs = WRITTEN[cell][direction].filter((name) => !(cell === 'rnn' && name === 'gates'));
  return { cell, direction, B, H, K: H, steps, outputs: outputs.filter(isNotSummed), inPlace: false };
}

/** Sums that a chain need not write. */
const isNotSummed = (name: Name): boolean => name !== 'hiddenGradient';

/** The same plan with other steps. */
export function withSteps(plan: Plan, change: (step: Step, s: number) => Partial<Step>): Plan {
  return { ...plan, steps: plan.steps.map((step, s) => ({ ...step, ...change(step, s) })) };
}

export interface Recorded {
  readonly program: Program;
  /** To be filled before each replay. */
  readonly inputs: readonly Matrix[];
  readonly results: readonly Matrix[];
}

/** Records a plan. Every sequence begins as a copy of an input, so that all of its blocks hold something. */
export function record(plan: Plan): Recorded {
  const { direction, B, H, K } = plan;
  const gates = GATES[plan.cell] * H;
  const forward = direction === 'forward';
  const recorder = new Recorder(`${plan.cell} ${direction}`);
  const inputs: Matrix[] = [];
  const input = (name: string, rows: number, columns: number): Matrix => {
    inputs.push(declare(name, 'input', rows, columns));
    return inputs.at(-1)!;
  };
  const places = plan.steps.flatMap(({ gate, before, after, hiddenBefore, hiddenAfter }) => [
    ...[gate, before, after],
    ...[hiddenBefore ?? 0, hiddenAfter ?? 0],
  ]);
  const blocks = 1 + Math.max(...places);
  const sequence = (name: Name, columns: number, count = blocks): Matrix => {
    const all = recorder.temporary(name, count * B, columns);
    recorder.add('copy', { out: all, input: input(`initial ${name}`, count * B, columns) });
    return all;
  };
  const all: Record<Name, Matrix> = {
    gates: sequence('gates', gates),
    hiddenGates: sequence('hiddenGates', gates),
    gradients: sequence('gradients', gates),
    hiddenGradients: sequence('hiddenGradients', gates),
    hidden: sequence('hidden', H),
    cell: sequence('cell', H),
    hiddenGradient: sequence('hiddenGradient', H),
    cellGradient: sequence('cellGradient', H, 1),
  };
  if (plan.inPlace) Object.assign(all, { gradients: all.gates, hiddenGradients: all.hiddenGates });
  const weights = [0, 1].map((i) => input(`weights ${i}`, gates, H));
  const otherWeights = forward ? input('other weights', gates, K) : input('other weights', K, H);
  const other = input('other', B, K);
  const biases = [0, 1].map((i) => input(`bias ${i}`, 1, forward ? gates : H));
  const scale = input('scale', B, 1);

  const product = (step: Step, out: Matrix, a: Matrix): void => {
    const { interruption } = step;
    const state = forward ? a : out;
    if (interruption === 'weights') recorder.add('copy', { out: weights[0]!, input: weights[1]! });
    if (interruption === 'change') recorder.add('scaleRows', { out: state, input: state, scale });
    if (interruption === 'reading') {
      recorder.add('copy', { out: declare('aside', 'state', B, state.columns), input: state });
    }
    if (step.product === 'none') return;
    const recurrent = step.product === 'recurrent';
    recorder.add('matmul', {
      out,
      a: recurrent ? a : other,
      b: recurrent ? weights[step.weights]! : otherWeights,
      transposeB: forward,
      accumulate: step.accumulate,
      ...(step.bias !== 'none' && { bias: biases[step.bias]! }),
    });
    if (step.scaled) recorder.add('scaleRows', { out, input: out, scale });
  };
  const at = (name: Name, block: number): Matrix => all[name].slice(block * B, B);
  for (const step of plan.steps) {
    if (forward) {
      const fed = at(plan.cell === 'gru' ? 'hiddenGates' : 'gates', step.gate);
      product(step, fed, at('hidden', step.hiddenBefore ?? step.before));
    }
    recordCell(recorder, plan, step, at);
    if (!forward) {
      const gradients = at(plan.cell === 'gru' ? 'hiddenGradients' : 'gradients', step.gate);
      product(step, at('hiddenGradient', step.before), gradients);
    }
  }
  const results = plan.outputs.map((name) => {
    const out = declare(`final ${name}`, 'state', all[name].rows, all[name].columns);
    recorder.add('copy', { out, input: all[name] });
    return out;
  });
  return { program: recorder.finish(), inputs, results };
}

function recordCell(
  recorder: Recorder,
  { cell, direction }: Plan,
  { gate, before, after, hiddenBefore, hiddenAfter, activation }: Step,
  at: (name: Name, block: number) => Matrix,
): void {
  const gates = at('gates', gate);
  const hiddenGates = at('hiddenGates', gate);
  const hidden = at('hidden', hiddenAfter ?? after);
  const hiddenGradient = at('hiddenGradient', after);
  const cells = { previousCell: at('cell', before), cell: at('cell', after) };
  const previousHidden = at('hidden', hiddenBefore ?? before);
  const gradients = at('gradients', gate);
  switch (`${cell} ${direction}` as const) {
    case 'rnn forward':
      recorder.add('rnnForward', { hidden, preactivation: gates, activation });
      break;
    case 'rnn backward':
      recorder.add('rnnBackward', { preactivationGradient: gradients, hidden, hiddenGradient, activation });
      break;
    case 'lstm forward':
      recorder.add('lstmForward', { gates, ...cells, hidden });
      break;
    case 'lstm backward': {
      const cellGradient = at('cellGradient', 0);
      recorder.add('lstmBackward', {
        gates,
        ...cells,
        hiddenGradient,
        cellGradient,
        gatesGradient: gradients,
      });
      break;
    }
    case 'gru forward':
      recorder.add('gruForward', { inputGates: gates, hiddenGates, previousHidden, hidden });
      break;
    case 'gru backward':
      recorder.add('gruBackward', {
        inputGates: gates,
        hiddenGates,
        previousHidden,
        hiddenGradient,
        previousHiddenGradient: at('hiddenGradient', before),
        inputGatesGradient: gradients,
        hiddenGatesGradient: at('hiddenGradients', gate),
      });
  }
}
