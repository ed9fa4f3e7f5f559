/**
 * The optimizers' updates. One dispatch computes everything an update writes, one part after the other: n
 * parameters, then n numbers for each moment. Threads of a moment do the sums of the parameter again, which is
 * cheaper than another dispatch.
 */
import type { Operations, OptimizerOperands } from '../../engine.ts';
import { type Kernel, kernel } from '../commands.ts';

/**
 * The source of an update of `parts` parts, with `i` for the index in each. A norm that is not finite fails
 * the comparison, whatever it is, and everything stays as it was.
 *
 * @param moments names of the moments, arguments after (parameters, gradient, norm, rates)
 * @param update statements from `g` (clipped) and `p` to `results`, one expression for each part
 */
function source(
  moments: readonly string[],
  clipNorm: number,
  update: string,
  results: readonly string[],
): string {
  const part = (index: string, before: string, result: string): string => `
      const old = ${before}[${index}];
      if (norm[0] < 3e38) {
      const p = parameters[${index}];
      let g = gradient[${index}];
      ${clipNorm > 0 ? 'g = g * Math.min(1, this.constants.clipNorm / (norm[0] + 0.000001));' : ''}
      ${update.replaceAll('[i]', `[${index}]`)}
      return ${result};
      }
      return old;`;
  const parts = ['parameters', ...moments].map((before, k) => {
    const index = k === 0 ? 'this.thread.x' : `this.thread.x - this.constants.n * ${k}`;
    return `if (this.thread.x < this.constants.n * ${k + 1}) {${part(index, before, results[k]!)}\n    }`;
  });
  return `function (parameters, gradient, norm, rates, ${moments.join(', ')}) {\n    ${parts.join('\n    ')}\n    return 0;\n  }`;
}

const sizes = ({ parameters }: OptimizerOperands): Record<string, number> => ({ n: parameters.length });
const factors = ({ clipNorm, weightDecay }: OptimizerOperands): Record<string, number> => ({
  clipNorm,
  weightDecay,
});

/** (parameters, gradient, norm, rates, m, v) → parameters, m, v */
export function adam(o: Operations['adam']): Kernel {
  const { beta1, beta2, epsilon, decoupled } = o;
  const update = `${decoupled ? '' : 'g = g + this.constants.weightDecay * p;'}
      const m = this.constants.beta1 * firstMoment[i] + this.constants.gain1 * g;
      const v = this.constants.beta2 * secondMoment[i] + this.constants.gain2 * g * g;
      const step = m / rates[1] / (Math.sqrt(v / rates[2]) + this.constants.epsilon);`;
  const decay = decoupled ? ' + this.constants.weightDecay * p' : '';
  return kernel(
    'adam',
    source(['firstMoment', 'secondMoment'], o.clipNorm, update, [`p - rates[0] * (step${decay})`, 'm', 'v']),
    sizes(o),
    { ...factors(o), beta1, beta2, epsilon, gain1: 1 - beta1, gain2: 1 - beta2 },
  );
}

/** (parameters, gradient, norm, rates, v) → parameters, v */
export function rmsprop(o: Operations['rmsprop']): Kernel {
  const update = `g = g + this.constants.weightDecay * p;
      const v = this.constants.alpha * secondMoment[i] + this.constants.gain * g * g;`;
  return kernel(
    'rmsprop',
    source(['secondMoment'], o.clipNorm, update, [
      'p - rates[0] * g / (Math.sqrt(v) + this.constants.epsilon)',
      'v',
    ]),
    sizes(o),
    { ...factors(o), alpha: o.alpha, gain: 1 - o.alpha, epsilon: o.epsilon },
  );
}

/** (parameters, gradient, norm, rates, u) → parameters, u */
export function sgd(o: Operations['sgd']): Kernel {
  const update = `g = g + this.constants.weightDecay * p;
      const u = this.constants.momentum * velocity[i] + g;`;
  return kernel('sgd', source(['velocity'], o.clipNorm, update, ['p - rates[0] * u', 'u']), sizes(o), {
    ...factors(o),
    momentum: o.momentum,
  });
}
