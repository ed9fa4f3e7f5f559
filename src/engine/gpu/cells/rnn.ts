/** Chains of steps of the textbook RNN: one dispatch for each, and one that puts the results in their places. */
import type { Operations } from '../../engine.ts';
import { blocks, type Chain } from '../chains.ts';
import type { CommandList } from '../command-list.ts';
import { kernel, view1d, view2d } from '../commands.ts';
import { tanh } from '../kernels/arithmetic.ts';
import { overTerms } from '../kernels/terms.ts';
import { Records, readRecord } from './records.ts';

type Activation = Operations['rnnForward']['activation'];

export function lowerRnnForward(list: CommandList, { steps, product: fed }: Chain<'rnnForward'>): void {
  const T = steps.length;
  const { hidden, activation } = steps[0]!;
  const { rows: B, columns: H } = hidden;
  const records = new Records(list, T, [B, H]);
  steps.forEach((step, s) => {
    const state = fed && (s === 0 ? [view2d(fed.a)] : [records.at(s - 1)]);
    const inputs = [view2d(step.preactivation)];
    if (fed) inputs.push(...state!, view2d(fed.b), ...(fed.bias ? [view1d(fed.bias)] : []));
    const kernel = forwardStep(H, activation, s === 0, fed !== undefined, fed?.bias !== undefined);
    list.dispatch(kernel, inputs, records.at(s), [B, H]);
  });
  list.dispatch(unpackHidden, records.all, view2d(blocks(hidden, T)), [H, B, T]);
}

/** One step; thread x is the stream b, y the unit u, so that neighbours share rows of W. The record is h as [u][b]. */
function forwardStep(H: number, activation: Activation, first: boolean, fed: boolean, biased: boolean) {
  const names = ['x', ...(fed ? ['before', 'w'] : []), ...(biased ? ['bias'] : [])];
  const h = (k: string): string => (first ? `before[this.thread.x][${k}]` : `before[${k}][this.thread.x]`);
  const recurrent = overTerms(H, (k) => `s += ${h(k)} * w[this.thread.y][${k}];`);
  return kernel(
    'rnnStep',
    `function (${names.join(', ')}) {
    let s = x[this.thread.x][this.thread.y]${biased ? ' + bias[this.thread.y]' : ''};
    ${fed ? recurrent : ''}
    ${activation === 'tanh' ? `return ${tanh('s')};` : RELU}
  }`,
    { H },
  );
}

/** Not a maximum, which may make NaN 0. */
const RELU = 'if (s <= 0) { return 0; }\n    return s;';

const unpackHidden = kernel(
  'rnnState',
  `function (even, odd) {
    ${readRecord('this.thread.z', { value: '[this.thread.x][this.thread.y]' })}
    return value;
  }`,
);

export function lowerRnnBackward(list: CommandList, { steps, product: fed }: Chain<'rnnBackward'>): void {
  const T = steps.length;
  const { preactivationGradient, activation } = steps.at(-1)!; // the first in time
  const { rows: B, columns: H } = preactivationGradient;
  const records = new Records(list, T, [H, B]);
  steps.forEach((step, s) => {
    const inputs = [view2d(step.hiddenGradient), view2d(step.hidden)];
    if (s > 0) inputs.push(records.at(s - 1), view2d(fed!.b));
    list.dispatch(backwardStep(H, activation, s === 0), inputs, records.at(s), [H, B]);
  });
  const size = [H, B, T] as const;
  list.dispatch(unpackGradient(T), records.all, { ...view2d(preactivationGradient), size }, size);
}

/** One step; thread x is the unit, y the stream. The record is ∂L/∂preactivation. */
function backwardStep(H: number, activation: Activation, first: boolean) {
  const recurrent = overTerms(H, (k) => `dh += after[this.thread.y][${k}] * w[${k}][this.thread.x];`);
  const derivative =
    activation === 'tanh' ? 'return dh * (1 - h * h);' : 'if (h > 0) { return dh; }\n    return 0;';
  return kernel(
    'rnnBackwardStep',
    `function (above, hidden${first ? '' : ', after, w'}) {
    let dh = above[this.thread.y][this.thread.x];
    ${first ? '' : recurrent}
    const h = hidden[this.thread.y][this.thread.x];
    ${derivative}
  }`,
    { H },
  );
}

/** The records run against time. */
function unpackGradient(T: number) {
  return kernel(
    'rnnGradients',
    `function (even, odd) {
      ${readRecord('this.constants.last - this.thread.z', { d: '[this.thread.y][this.thread.x]' })}
      return d;
    }`,
    { last: T - 1 },
  );
}
