/** Programs of cell steps, regular and not: of some the gpu engine makes chains, of others it must not. */
import { declare, type Matrix, type Program } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';

export type Cell = 'rnn' | 'lstm' | 'gru';
export type Direction = 'forward' | 'backward';

/** Matrices of a program; all are sequences of blocks [B, …], but for `cellGradient`, which is one block. */
export type Name =
  | 'gates' // of the GRU, the input's
  | 'hiddenGates'
  | 'hidden'
  | 'cell'
  | 'gradients' // of the gates
  | 'hiddenGradients' // of the hidden gates
  | 'hiddenGradient' // of h
  | 'cellGradient';

/** The part that a block plays in a step, and whose block it is. */
const ROLES = {
  gates: 'gates',
  hiddenGates: 'hiddenGates',
  previousHidden: 'hidden',
  hidden: 'hidden',
  previousCell: 'cell',
  cell: 'cell',
  gradients: 'gradients',
  hiddenGradients: 'hiddenGradients',
  hiddenGradient: 'hiddenGradient',
  previousHiddenGradient: 'hiddenGradient',
  /** What the product reads and writes. */
  factor: undefined,
  product: undefined,
} as const;
export type Role = keyof typeof ROLES;

/** A step, and the product that feeds it (forward) or that takes its gradient to the step before (backward). */
export interface Step {
  /** The index of the block in its sequence. */
  readonly places: Readonly<Record<Role, number>>;
  /** `recurrent`: of the state or the gates' gradient; `other`: of a matrix that has nothing to do with it. */
  readonly factor: 'recurrent' | 'other' | 'none';
  /** Of the recurrent product: is A transposed (it must be square), or B not as usual? */
  readonly transposes?: 'a' | 'b';
  readonly weights: 0 | 1;
  readonly bias: 0 | 1 | 'none';
  readonly accumulate: boolean;
  readonly activation: 'tanh' | 'relu';
  /** What comes before the product: new weights, a change of the state, or something that reads it. */
  readonly interruption?: 'weights' | 'change' | 'reading';
  /** Is the result of the product scaled before anything else reads it? */
  readonly scaled?: boolean;
}

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

/** What the cell's operation names, and what its product does. */
export const USED: Readonly<Record<Cell, Readonly<Record<Direction, readonly Role[]>>>> = {
  rnn: {
    forward: ['gates', 'hidden', 'factor', 'product'],
    backward: ['gradients', 'hidden', 'hiddenGradient', 'factor', 'product'],
  },
  lstm: {
    forward: ['gates', 'previousCell', 'cell', 'hidden', 'factor', 'product'],
    backward: ['gates', 'previousCell', 'cell', 'hiddenGradient', 'gradients', 'factor', 'product'],
  },
  gru: {
    forward: ['gates', 'hiddenGates', 'previousHidden', 'hidden', 'factor', 'product'],
    backward: [
      ...(['gates', 'hiddenGates', 'previousHidden', 'hiddenGradient', 'previousHiddenGradient'] as const),
      ...(['gradients', 'hiddenGradients', 'factor', 'product'] as const),
    ],
  },
};

const GATES: Readonly<Record<Cell, number>> = { rnn: 1, lstm: 4, gru: 3 };

/** `T` steps as a recurrent layer records them; every result is read that a chain keeps. */
export function regular(cell: Cell, direction: Direction, T: number, B: number, H: number): Plan {
  const forward = direction === 'forward';
  const steps = Array.from({ length: T }, (_, s): Step => {
    const t = forward ? s : T - 1 - s;
    const places = {
      ...{ gates: t, hiddenGates: t, gradients: t, hiddenGradients: t },
      ...{ previousHidden: t, hidden: t + 1, previousCell: t, cell: t + 1 },
      ...{ previousHiddenGradient: t, hiddenGradient: t + 1 },
      ...{ factor: t, product: t },
    };
    const bias = forward ? 0 : 'none';
    const accumulate = !(forward && cell === 'gru');
    return { places, factor: 'recurrent', weights: 0, bias, accumulate, activation: 'tanh' };
  });
  const sums: readonly Name[] = ['hiddenGradient', ...(cell === 'rnn' ? ['gates' as const] : [])];
  const outputs = WRITTEN[cell][direction].filter((name) => !sums.includes(name));
  return { cell, direction, B, H, K: H, steps, outputs, inPlace: false };
}

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
  const { cell, direction, B, H, K, steps } = plan;
  const gates = GATES[cell] * H;
  const forward = direction === 'forward';
  const recorder = new Recorder(`${cell} ${direction}`);
  const inputs: Matrix[] = [];
  const input = (name: string, rows: number, columns: number): Matrix => {
    inputs.push(declare(name, 'input', rows, columns));
    return inputs.at(-1)!;
  };
  const blocks = 1 + Math.max(...steps.flatMap(({ places }) => Object.values(places)));
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
  const block = (name: Name, index: number): Matrix => all[name].slice(index * B, B);
  const at = ({ places }: Step, role: Exclude<Role, 'factor' | 'product'>): Matrix =>
    block(ROLES[role], places[role]);

  const outer = forward ? gates : H;
  const weights = [0, 1].map((i) => input(`weights ${i}`, gates, H));
  const transposed = input('transposed weights', H, gates);
  const otherWeights = forward ? input('other weights', outer, K) : input('other weights', K, outer);
  const other = input('other', B, K);
  const biases = [0, 1].map((i) => input(`bias ${i}`, 1, outer));
  const scale = input('scale', B, 1);
  const [fed, fedBy]: readonly [Name, Name] = forward
    ? [cell === 'gru' ? 'hiddenGates' : 'gates', 'hidden']
    : ['hiddenGradient', cell === 'gru' ? 'hiddenGradients' : 'gradients'];

  const product = (step: Step): void => {
    const out = block(fed, step.places.product);
    const a = block(fedBy, step.places.factor);
    const state = forward ? a : out;
    if (step.interruption === 'weights') recorder.add('copy', { out: weights[0]!, input: weights[1]! });
    if (step.interruption === 'change') recorder.add('scaleRows', { out: state, input: state, scale });
    if (step.interruption === 'reading') {
      recorder.add('copy', { out: declare('aside', 'state', B, state.columns), input: state });
    }
    if (step.factor === 'none') return;
    const recurrent = step.factor === 'recurrent';
    const transposeA = recurrent && step.transposes === 'a';
    const unusual = recurrent && (step.transposes === 'b' || (transposeA && forward)); // never both
    recorder.add('matmul', {
      out,
      a: recurrent ? a : other,
      b: unusual ? transposed : recurrent ? weights[step.weights]! : otherWeights,
      transposeA,
      transposeB: forward !== unusual,
      accumulate: step.accumulate,
      ...(step.bias !== 'none' && { bias: biases[step.bias]! }),
    });
    if (step.scaled) recorder.add('scaleRows', { out, input: out, scale });
  };
  for (const step of steps) {
    if (forward) product(step);
    recordCell(recorder, plan, step, (role) => at(step, role), all.cellGradient);
    if (!forward) product(step);
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
  { activation }: Step,
  at: (role: Exclude<Role, 'factor' | 'product'>) => Matrix,
  cellGradient: Matrix,
): void {
  const [gates, hiddenGates, hidden] = [at('gates'), at('hiddenGates'), at('hidden')];
  const [gradients, hiddenGradient] = [at('gradients'), at('hiddenGradient')];
  const previousHidden = at('previousHidden');
  const cells = { previousCell: at('previousCell'), cell: at('cell') };
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
    case 'lstm backward':
      recorder.add('lstmBackward', {
        gates,
        ...cells,
        hiddenGradient,
        cellGradient,
        gatesGradient: gradients,
      });
      break;
    case 'gru forward':
      recorder.add('gruForward', { inputGates: gates, hiddenGates, previousHidden, hidden });
      break;
    case 'gru backward':
      recorder.add('gruBackward', {
        inputGates: gates,
        hiddenGates,
        previousHidden,
        hiddenGradient,
        previousHiddenGradient: at('previousHiddenGradient'),
        inputGatesGradient: gradients,
        hiddenGatesGradient: at('hiddenGradients'),
      });
  }
}
