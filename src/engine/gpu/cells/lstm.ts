/**
 * Chains of LSTM steps: T dispatches, each of which computes the recurrent product and the cell, and a few over
 * all T steps at once. Equations and letters are those of `Operations.lstmForward` and `lstmBackward`.
 */
import type { Matrix } from '../../engine.ts';
import { blocks, type Chain } from '../chains.ts';
import type { CommandList } from '../command-list.ts';
import { kernel, type View, view1d, view2d } from '../commands.ts';
import { sigmoid, tanh } from '../kernels/arithmetic.ts';
import { dispatchProduct } from '../kernels/matmul.ts';
import { overTerms } from '../kernels/terms.ts';
import { Records, readRecord } from './records.ts';

/**
 * Forward: a step keeps [c, h] only. The gates, where the backward pass wants them, are one product over all
 * steps afterwards.
 */
export function lowerLstmForward(
  list: CommandList,
  { steps, product: fed }: Chain<'lstmForward'>,
  isRead: (matrix: Matrix) => boolean,
): void {
  const T = steps.length;
  const { gates, previousCell, cell, hidden } = steps[0]!;
  const { rows: B, columns: H } = hidden;
  const records = new Records(list, T, [2 * B, H]);
  steps.forEach((step, s) => {
    const state = s === 0 ? [view2d(fed?.a ?? hidden), view2d(previousCell)] : [records.at(s - 1)];
    const weights = fed ? [view2d(fed.b), ...(fed.bias ? [view1d(fed.bias)] : [])] : [];
    // Without a product the hidden state plays no part.
    const inputs = [view2d(step.gates), ...(fed ? state : state.slice(1)), ...weights];
    list.dispatch(
      forwardStep(H, s === 0, fed !== undefined, fed?.bias !== undefined),
      inputs,
      records.at(s),
      [B, H],
    );
  });
  // The cells of all steps, then the hidden states, in one dispatch; each to its own tensor.
  const states = blocks(hidden, T).length;
  const tensor = list.scratch('states', 2 * states);
  list.dispatch(unpackStates(T), records.all, { tensor, offset: 0, size: [H, B, 2 * T] }, [H, B, 2 * T]);
  list.copy({ tensor, offset: 0, size: [states] }, view1d(blocks(cell, T)));
  list.copy({ tensor, offset: states, size: [states] }, view1d(blocks(hidden, T)));
  const allGates = blocks(gates, T);
  if (!isRead(allGates)) return;
  if (fed) {
    dispatchProduct(list, { ...fed, out: allGates, a: blocks(fed.a, T) }, view2d(allGates), true);
  } else list.dispatch(activateGates(H), [view2d(allGates)], view2d(allGates), [4 * H, B * T]);
}

/**
 * One step; thread x is the stream b, y the unit u, so that neighbours share rows of W. The record is
 * [u][2b] = c, [u][2b + 1] = h.
 */
function forwardStep(H: number, first: boolean, fed: boolean, biased: boolean) {
  const names = ['x', ...(first ? [...(fed ? ['h0'] : []), 'c0'] : ['before'])];
  if (fed) names.push('w');
  if (biased) names.push('bias');
  const gate = (name: string, k: number): string => {
    const column = `this.thread.y + this.constants.H * ${k}`;
    return `let ${name} = x[this.thread.x][${column}]${biased ? ` + bias[${column}]` : ''};`;
  };
  const h = (k: string): string =>
    first ? `h0[this.thread.x][${k}]` : `before[${k}][this.thread.x * 2 + 1]`;
  const c = first ? 'c0[this.thread.x][this.thread.y]' : 'before[this.thread.y][this.thread.x * 2]';
  const recurrent = overTerms(H, (k, name) => {
    const add = (gate: string, i: number): string =>
      `${gate} += hidden${name} * w[this.thread.y + this.constants.H * ${i}][${k}];`;
    return `const hidden${name} = ${h(k)};
      ${['i', 'f', 'g', 'o'].map(add).join('\n      ')}`;
  });
  return kernel(
    'lstmStep',
    `function (${names.join(', ')}) {
    ${['i', 'f', 'g', 'o'].map(gate).join('\n    ')}
    ${fed ? recurrent : ''}
    const c = ${c} * ${sigmoid('f')} + ${sigmoid('i')} * ${tanh('g')};
    return [c, ${sigmoid('o')} * ${tanh('c')}];
  }`,
    { H },
    {},
    2,
  );
}

/** (records) → c [T][B][H], then h */
function unpackStates(T: number) {
  return kernel(
    'lstmStates',
    `function (even, odd) {
      if (this.thread.z < this.constants.T) {
        ${readRecord('this.thread.z', { c: '[this.thread.x][this.thread.y * 2]' })}
        return c;
      }
      ${readRecord('this.thread.z - this.constants.T', { h: '[this.thread.x][this.thread.y * 2 + 1]' })}
      return h;
    }`,
    { T },
  );
}

/** (gates [R, 4H] before activation) */
function activateGates(H: number) {
  return kernel(
    'lstmGates',
    `function (gates) {
      const v = gates[this.thread.y][this.thread.x];
      if (this.thread.x >= this.constants.H * 2 && this.thread.x < this.constants.H * 3) { return ${tanh('v')}; }
      return ${sigmoid('v')};
    }`,
    { H },
  );
}

/**
 * Backward: every gate's gradient is a coefficient, known beforehand for all steps, times ∂L/∂c (i, f, g) or
 * ∂L/∂h (o). So a step keeps [∂L/∂c, ∂L/∂h], and the gradients of the gates are multiplied out at the end.
 */
export function lowerLstmBackward(
  list: CommandList,
  { steps, product: fed }: Chain<'lstmBackward'>,
  isRead: (matrix: Matrix) => boolean,
): void {
  const T = steps.length;
  const last = steps.at(-1)!; // the first in time
  const { rows: B, columns: H } = last.hiddenGradient;
  const allGates = blocks(last.gates, T);
  const coefficients: View = {
    tensor: list.scratch('coefficients', allGates.length),
    offset: 0,
    size: [4 * H, B * T],
  };
  const ofStep = (s: number): View => ({
    ...coefficients,
    offset: (T - 1 - s) * B * 4 * H,
    size: [4 * H, B],
  });
  list.dispatch(
    gateCoefficients(H),
    [view2d(allGates), view2d(blocks(last.previousCell, T)), view2d(blocks(last.cell, T))],
    coefficients,
    coefficients.size,
  );
  const records = new Records(list, T, [2 * H, B]);
  steps.forEach((step, s) => {
    const own = [view2d(step.hiddenGradient), view2d(step.gates), view2d(step.cell)];
    const after =
      s === 0
        ? [view2d(step.cellGradient)]
        : [records.at(s - 1), view2d(steps[s - 1]!.gates), ofStep(s - 1), view2d(fed!.b)];
    list.dispatch(backwardStep(H, s === 0), [...own, ...after], records.at(s), [H, B]);
  });
  // The carried ∂L/∂c needs the forget gates, which the gradients may replace.
  if (isRead(last.cellGradient)) {
    list.dispatch(
      carriedCellGradient(H),
      [records.at(T - 1), view2d(last.gates)],
      view2d(last.cellGradient),
      [H, B],
    );
  }
  const allGradients = blocks(last.gatesGradient, T);
  list.dispatch(
    gateGradients(H, T),
    [...records.all, { ...coefficients, size: [4 * H, B, T] }],
    { ...view2d(allGradients), size: [4 * H, B, T] },
    [4 * H, B, T],
  );
}

/** (gates [R, 4H], previousCell [R, H], cell [R, H]) → [R, 4H]: i, f, g: ∂c/∂preactivation; o: ∂h/∂preactivation */
function gateCoefficients(H: number) {
  return kernel(
    'lstmCoefficients',
    `function (gates, previousCell, cell) {
      const v = gates[this.thread.y][this.thread.x];
      if (this.thread.x < this.constants.H) {
        return gates[this.thread.y][this.thread.x + this.constants.H * 2] * v * (1 - v);
      }
      if (this.thread.x < this.constants.H * 2) {
        return previousCell[this.thread.y][this.thread.x - this.constants.H] * v * (1 - v);
      }
      if (this.thread.x < this.constants.H * 3) {
        return gates[this.thread.y][this.thread.x - this.constants.H * 2] * (1 - v * v);
      }
      const c = cell[this.thread.y][this.thread.x - this.constants.H * 3];
      return ${tanh('c')} * v * (1 - v);
    }`,
    { H },
  );
}

/**
 * One step; thread x is the unit, y the stream. `above` is ∂L/∂h_t without the steps after t; `after`,
 * `afterGates`, `afterCoefficients` belong to step t + 1. The record is [b][2u] = ∂L/∂c, [b][2u + 1] = ∂L/∂h.
 */
function backwardStep(H: number, first: boolean) {
  const term = (k: string, gate: number): string => {
    const index = `${k} + this.constants.H * ${gate}`;
    return `afterCoefficients[this.thread.y][${index}] * w[${index}][this.thread.x]`;
  };
  const recurrent = overTerms(
    H,
    (k) => `dh += after[this.thread.y][(${k}) * 2] * (${term(k, 0)} + ${term(k, 1)} + ${term(k, 2)})
        + after[this.thread.y][(${k}) * 2 + 1] * ${term(k, 3)};`,
  );
  const carried = first
    ? 'cellGradient[this.thread.y][this.thread.x]'
    : 'after[this.thread.y][this.thread.x * 2] * afterGates[this.thread.y][this.thread.x + this.constants.H]';
  return kernel(
    'lstmBackwardStep',
    `function (above, gates, cell, ${first ? 'cellGradient' : 'after, afterGates, afterCoefficients, w'}) {
    let dh = above[this.thread.y][this.thread.x];
    ${first ? '' : recurrent}
    const c = cell[this.thread.y][this.thread.x];
    const t = ${tanh('c')};
    return [dh * gates[this.thread.y][this.thread.x + this.constants.H * 3] * (1 - t * t) + ${carried}, dh];
  }`,
    { H },
    {},
    2,
  );
}

function carriedCellGradient(H: number) {
  return kernel(
    'lstmCarried',
    `function (record, gates) {
      return record[this.thread.y][this.thread.x * 2] * gates[this.thread.y][this.thread.x + this.constants.H];
    }`,
    { H },
  );
}

/** (records, coefficients [T][B][4H]) → the gradients of the gates; the records run against time. */
function gateGradients(H: number, T: number) {
  const read = (block: number): string =>
    readRecord('this.constants.last - this.thread.z', {
      d: `[this.thread.y][(this.thread.x - this.constants.H * ${block}) * 2 + ${block === 3 ? 1 : 0}]`,
    });
  const branch = (block: number): string => `if (this.thread.x < this.constants.H * ${block + 1}) {
        ${read(block)}
        return d * coefficients[this.thread.z][this.thread.y][this.thread.x];
      }`;
  return kernel(
    'lstmGradients',
    `function (even, odd, coefficients) {
      ${[0, 1, 2, 3].map(branch).join('\n      ')}
      return 0;
    }`,
    { H, last: T - 1 },
  );
}
