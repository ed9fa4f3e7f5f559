/** The optimizer: its moments, its hyperparameters, and the update at the end of a training step. */
import { declare, Matrix } from '../engine/engine.ts';
import type { Recorder } from '../engine/recorder.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { OptimizerName, TrainingConfig } from './config.ts';

const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
/** char-rnn's. */
const RMSPROP = { alpha: 0.95, epsilon: 1e-8 };
const SGD = { momentum: 0.9 };

const MOMENTS: Record<OptimizerName, readonly string[]> = {
  adam: ['firstMoment', 'secondMoment'],
  adamw: ['firstMoment', 'secondMoment'],
  rmsprop: ['secondMoment'],
  sgd: ['velocity'],
};

/** One optimizer of the flat weights of one model. */
export class Optimizer {
  /** What the optimizer remembers, by name, each flat like the parameters; saved in checkpoints. */
  readonly moments: ReadonlyMap<string, Matrix>;
  /** [1, 3] input: learning rate and Adam's bias corrections; fill it with `ratesAt` before each step. */
  readonly rates = declare('optimizer.rates', 'input', 1, 3);
  readonly #config: TrainingConfig;
  readonly #model: LanguageModel;

  constructor(config: TrainingConfig, model: LanguageModel) {
    this.#config = config;
    this.#model = model;
    this.moments = new Map(
      MOMENTS[config.optimizer].map((name) => [
        name,
        declare(`optimizer.${name}`, 'state', 1, model.layout.length),
      ]),
    );
  }

  /** The values of `rates` for step number `step` (the first is 1). */
  ratesAt(step: number, learningRate: number): [number, number, number] {
    return [learningRate, 1 - ADAM.beta1 ** step, 1 - ADAM.beta2 ** step];
  }

  /** Records the update: clipping by the global norm, then the step; matrices decay, biases do not. */
  record(recorder: Recorder, gradient: Matrix, norm: Matrix): void {
    const { decayedLength, length } = this.#model.layout;
    this.#recordRange(recorder, gradient, norm, 0, decayedLength, this.#config.weightDecay);
    this.#recordRange(recorder, gradient, norm, decayedLength, length - decayedLength, 0);
  }

  #recordRange(
    recorder: Recorder,
    gradient: Matrix,
    norm: Matrix,
    start: number,
    length: number,
    weightDecay: number,
  ): void {
    const range = (flat: Matrix): Matrix => new Matrix(flat.tensor, flat.offset + start, 1, length);
    const moment = (name: string): Matrix => range(this.moments.get(name)!);
    const operands = {
      parameters: range(this.#model.parameters),
      gradient: range(gradient),
      norm,
      clipNorm: this.#config.clipNorm,
      rates: this.rates,
      weightDecay,
    };
    switch (this.#config.optimizer) {
      case 'adam':
      case 'adamw':
        recorder.add('adam', {
          ...operands,
          ...ADAM,
          firstMoment: moment('firstMoment'),
          secondMoment: moment('secondMoment'),
          decoupled: this.#config.optimizer === 'adamw',
        });
        break;
      case 'rmsprop':
        recorder.add('rmsprop', { ...operands, ...RMSPROP, secondMoment: moment('secondMoment') });
        break;
      case 'sgd':
        recorder.add('sgd', { ...operands, ...SGD, velocity: moment('velocity') });
        break;
    }
  }
}
