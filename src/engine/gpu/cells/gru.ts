/**
 * Chains of GRU steps: T dispatches, each of which computes the recurrent product and the cell, and a few over
 * all T steps at once. Equations and letters are those of `Operations.gruForward` and `gruBackward`.
 */
import type { Matrix } from '../../engine.ts';
import { blocks, type Chain } from '../chains.ts';
import type { CommandList } from '../command-list.ts';
import { kernel, type View, view1d, view2d } from '../commands.ts';
import { sigmoid, tanh } from '../kernels/arithmetic.ts';
import { dispatchProduct } from '../kernels/matmul.ts';
import { overTerms } from '../kernels/terms.ts';
import { Records, readRecord } from './records.ts';

/** Forward: a step keeps h only; the gates, where they are wanted, are computed over all steps afterwards. */
export function lowerGruForward(
  list: CommandList,
  { steps, product: fed }: Chain<'gruForward'>,
  isRead: (matrix: Matrix) => boolean,
): void {
  const T = steps.length;
  const { inputGates, hiddenGates, previousHidden, hidden } = steps[0]!;
  const { rows: B, columns: H } = hidden;
  const records = new Records(list, T, [B, H]);
  steps.forEach((step, s) => {
    const state = s === 0 ? view2d(previousHidden) : records.at(s - 1);
    const inner = fed ? [view2d(fed.b), ...(fed.bias ? [view1d(fed.bias)] : [])] : [view2d(step.hiddenGates)];
    list.dispatch(
      forwardStep(H, s === 0, fed !== undefined, fed?.bias !== undefined),
      [view2d(step.inputGates), state, ...inner],
      records.at(s),
      [B, H],
    );
  });
  const allHidden = blocks(hidden, T);
  const allInputGates = blocks(inputGates, T);
  const allHiddenGates = blocks(hiddenGates, T);
  const gatesRead = isRead(allInputGates);
  const productRead = fed !== undefined && (gatesRead || isRead(allHiddenGates));
  if (productRead || isRead(allHidden)) {
    list.dispatch(unpackState, records.all, view2d(allHidden), [H, B, T]);
  }
  if (productRead) {
    dispatchProduct(list, { ...fed, out: allHiddenGates, a: blocks(fed.a, T) });
  }
  if (gatesRead) {
    list.dispatch(activateGates(H), [view2d(allInputGates), view2d(allHiddenGates)], view2d(allInputGates), [
      3 * H,
      B * T,
    ]);
  }
}

/** One step; thread x is the stream b, y the unit u, so that neighbours share rows of W. The record is h as [u][b]. */
function forwardStep(H: number, first: boolean, fed: boolean, biased: boolean) {
  const inner = fed ? ['w', ...(biased ? ['bias'] : [])] : ['hiddenGates'];
  const block = (k: number): string => `this.thread.y + this.constants.H * ${k}`;
  const gate = (name: string, k: number): string => {
    if (!fed) return `let ${name} = hiddenGates[this.thread.x][${block(k)}];`;
    return `let ${name} = ${biased ? `bias[${block(k)}]` : '0.0'};`;
  };
  const h = (unit: string): string =>
    first ? `before[this.thread.x][${unit}]` : `before[${unit}][this.thread.x]`;
  const recurrent = overTerms(
    H,
    (k, name) => `const hidden${name} = ${h(k)};
      ${['r', 'z', 'n'].map((gate, i) => `${gate} += hidden${name} * w[${block(i)}][${k}];`).join('\n      ')}`,
  );
  const x = (k: number): string => `x[this.thread.x][${block(k)}]`;
  return kernel(
    'gruStep',
    `function (x, before, ${inner.join(', ')}) {
    ${['r', 'z', 'n'].map(gate).join('\n    ')}
    ${fed ? recurrent : ''}
    r = ${sigmoid(`r + ${x(0)}`)};
    z = ${sigmoid(`z + ${x(1)}`)};
    n = ${tanh(`${x(2)} + r * n`)};
    return (1 - z) * n + z * ${h('this.thread.y')};
  }`,
    { H },
  );
}

const unpackState = kernel(
  'gruState',
  `function (even, odd) {
    ${readRecord('this.thread.z', { value: '[this.thread.x][this.thread.y]' })}
    return value;
  }`,
);

/** (inputGates, hiddenGates [R, 3H]) → r, z, n */
function activateGates(H: number) {
  return kernel(
    'gruGates',
    `function (inputGates, hiddenGates) {
      const x = inputGates[this.thread.y][this.thread.x];
      const h = hiddenGates[this.thread.y][this.thread.x];
      if (this.thread.x < this.constants.H * 2) { return ${sigmoid('x + h')}; }
      const s = inputGates[this.thread.y][this.thread.x - this.constants.H * 2]
        + hiddenGates[this.thread.y][this.thread.x - this.constants.H * 2];
      return ${tanh(`x + h * ${sigmoid('s')}`)};
    }`,
    { H },
  );
}

/**
 * Backward: the gradient of every gate is a coefficient, known beforehand for all steps, times ∂L/∂h_t. So a
 * step keeps ∂L/∂h_t, and the gradients of the gates are multiplied out at the end.
 */
export function lowerGruBackward(
  list: CommandList,
  { steps, product: fed }: Chain<'gruBackward'>,
  isRead: (matrix: Matrix) => boolean,
): void {
  const T = steps.length;
  const last = steps.at(-1)!; // the first in time
  const { rows: B, columns: H } = last.hiddenGradient;
  const length = B * T * 4 * H;
  const coefficients: View = {
    tensor: list.scratch('coefficients', length),
    offset: 0,
    size: [4 * H, B * T],
  };
  const ofStep = (s: number): View => ({
    ...coefficients,
    offset: (T - 1 - s) * B * 4 * H,
    size: [4 * H, B],
  });
  const all = [last.inputGates, last.hiddenGates, last.previousHidden].map((first) =>
    view2d(blocks(first, T)),
  );
  list.dispatch(gateCoefficients(H), all, coefficients, coefficients.size);

  const records = new Records(list, T, [H, B]);
  steps.forEach((step, s) => {
    const after =
      s === 0 ? [] : [records.at(s - 1), view2d(steps[s - 1]!.inputGates), ofStep(s - 1), view2d(fed!.b)];
    list.dispatch(backwardStep(H, s === 0), [view2d(step.hiddenGradient), ...after], records.at(s), [H, B]);
  });
  // The direct path needs the update gates, which the gradients may replace.
  const { previousHiddenGradient } = last;
  if (isRead(previousHiddenGradient)) {
    const old = view2d(previousHiddenGradient);
    list.dispatch(directPath(H), [old, records.at(T - 1), view2d(last.inputGates)], old, [H, B]);
  }
  for (const [first, side] of [
    [last.inputGatesGradient, 'input'],
    [last.hiddenGatesGradient, 'hidden'],
  ] as const) {
    const size = [3 * H, B, T] as const;
    list.dispatch(
      gateGradients(H, T, side),
      [...records.all, { ...coefficients, size: [4 * H, B, T] }],
      { ...view2d(first), size },
      size,
    );
  }
}

/** (inputGates r, z, n and hiddenGates [R, 3H], previousHidden [R, H]) → [R, 4H]: of r, z, input n, hidden n */
function gateCoefficients(H: number) {
  const gate = (k: number, block: number): string =>
    `inputGates[this.thread.y][this.thread.x + this.constants.H * ${k - block}]`;
  // ∂h/∂(the sum inside n's tanh), seen from the block whose columns the thread is in
  const inner = (block: number): string =>
    `(1 - ${gate(1, block)}) * (1 - ${gate(2, block)} * ${gate(2, block)})`;
  return kernel(
    'gruCoefficients',
    `function (inputGates, hiddenGates, previousHidden) {
      if (this.thread.x < this.constants.H) {
        const r = ${gate(0, 0)};
        return ${inner(0)} * hiddenGates[this.thread.y][this.thread.x + this.constants.H * 2] * r * (1 - r);
      }
      if (this.thread.x < this.constants.H * 2) {
        const z = ${gate(1, 1)};
        return (previousHidden[this.thread.y][this.thread.x - this.constants.H] - ${gate(2, 1)}) * z * (1 - z);
      }
      if (this.thread.x < this.constants.H * 3) { return ${inner(2)}; }
      return ${inner(3)} * ${gate(0, 3)};
    }`,
    { H },
  );
}

/** One step; thread x is the unit, y the stream; `after…` belong to step t + 1. The record is ∂L/∂h_t. */
function backwardStep(H: number, first: boolean) {
  // Columns r, z and hidden n of the coefficients meet rows r, z and n of W.
  const term = (k: string, coefficient: number, row: number): string =>
    `afterCoefficients[this.thread.y][${k} + this.constants.H * ${coefficient}] * w[${k} + this.constants.H * ${row}][this.thread.x]`;
  const recurrent = `dh += after[this.thread.y][this.thread.x] * afterGates[this.thread.y][this.thread.x + this.constants.H];
    ${overTerms(H, (k) => `dh += after[this.thread.y][${k}] * (${term(k, 0, 0)} + ${term(k, 1, 1)} + ${term(k, 3, 2)});`)}`;
  return kernel(
    'gruBackwardStep',
    `function (above${first ? '' : ', after, afterGates, afterCoefficients, w'}) {
    let dh = above[this.thread.y][this.thread.x];
    ${first ? '' : recurrent}
    return dh;
  }`,
    { H },
  );
}

/** (old [B, H], ∂L/∂h [B, H], gates r, z, n [B, 3H]) → old + ∂L/∂h ⊙ z */
function directPath(H: number) {
  return kernel(
    'gruDirectPath',
    `function (old, dh, gates) {
      return old[this.thread.y][this.thread.x]
        + dh[this.thread.y][this.thread.x] * gates[this.thread.y][this.thread.x + this.constants.H];
    }`,
    { H },
  );
}

/** (records, coefficients [T][B][4H]) → gradients [T][B][3H] of one side; the records run against time. */
function gateGradients(H: number, T: number, side: 'input' | 'hidden') {
  const branch = (block: number): string => {
    const shift = side === 'hidden' && block === 2 ? ' + this.constants.H' : '';
    return `if (this.thread.x < this.constants.H * ${block + 1}) {
        ${readRecord('this.constants.last - this.thread.z', { d: `[this.thread.y][this.thread.x - this.constants.H * ${block}]` })}
        return d * coefficients[this.thread.z][this.thread.y][this.thread.x${shift}];
      }`;
  };
  return kernel(
    'gruGradients',
    `function (even, odd, coefficients) {
      ${[0, 1, 2].map(branch).join('\n      ')}
      return 0;
    }`,
    { H, last: T - 1 },
  );
}
