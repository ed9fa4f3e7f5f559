/** What a run does when it diverges: it goes back to what was saved last, and on with half the learning rate. */
import { CharloomError } from '../errors.ts';

/** A loss, a gradient or a weight is not finite. */
export class Divergence extends Error {
  /** The step that it was found at. */
  readonly step: number;

  /** @param reason what is not finite */
  constructor(step: number, reason: string) {
    super(reason);
    this.step = step;
  }

  /** What `error` is, if it says that something is not finite; at `step`, unless it knows better. */
  static of(error: unknown, step: number): Divergence | undefined {
    if (error instanceof Divergence) return error;
    const isOne = error instanceof CharloomError && error.code === 'DIVERGED';
    return isOne ? new Divergence(step, error.message) : undefined;
  }

  /**
   * The error that ends the run.
   * @param rollbacks how often it has gone back
   * @param savedStep the step of the latest checkpoint, undefined if there is none
   */
  asError(rollbacks: number, savedStep: number | undefined): CharloomError {
    const tried = rollbacks > 0 ? `; the learning rate was ${halved(rollbacks)}` : '';
    const kept = savedStep === undefined ? 'nothing was saved' : `saved last: step ${savedStep}`;
    return new CharloomError(
      'DIVERGED',
      `training diverged at step ${this.step}: ${this.message}${tried}`,
      `lower --learning-rate, set --clip-norm, or use --cell lstm or gru; ${kept}`,
    );
  }
}

/** What became of the learning rate after so many rollbacks, at least one, in words. */
export function halved(rollbacks: number): string {
  return rollbacks === 1 ? 'halved once' : `halved ${rollbacks} times`;
}

/** The factor of the learning rate after so many rollbacks. */
export function rateAfter(rollbacks: number): number {
  return 2 ** -rollbacks;
}
