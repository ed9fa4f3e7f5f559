/** What happened in a run, from its events: curves that are short enough to be drawn, samples, and where it stands. */
import { CharloomError, shellWord } from '../errors.ts';
import type { TrainingConfig } from '../training/config.ts';
import type { DoneReason } from '../training/events.ts';
import { METRICS, type MetricsOptions, type RecordedEvent, readMetrics } from '../training/metrics.ts';
import type { Run } from '../training/run.ts';
import { type ThinnedCurve, Thinning } from './thinning.ts';

/** Steps whose mean is the training loss that the run ends with. */
const LAST_LOSSES = 50;
/** Characters of a sample that are kept. */
const LONGEST_SAMPLE = 4000;
const MOST_WARNINGS = 20;
const REASONS: readonly DoneReason[] = ['epochs', 'steps', 'minutes', 'interrupted'];

/** What is measured at some steps. Minutes are those of the training steps alone. */
interface Measured {
  readonly steps: readonly number[];
  /** Undefined where the events do not say how long steps took. */
  readonly minutes: readonly number[] | undefined;
}

export interface RunHistory {
  readonly training: Measured & {
    readonly loss: ThinnedCurve;
    readonly learningRate: ThinnedCurve;
    readonly gradientNorm: ThinnedCurve;
  };
  readonly validation: Measured & { readonly crossEntropy: ThinnedCurve };
  readonly samples: readonly { readonly step: number; readonly text: string }[];
  /** Where the run went back to after it had diverged. */
  readonly rollbacks: readonly {
    readonly step: number;
    readonly minutes: number;
    readonly divergedAt: number;
    readonly learningRateFactor: number;
  }[];
  readonly warnings: readonly { readonly step: number; readonly message: string }[];
  readonly figures: RunFigures;
  /** Lines of the file that are no events. */
  readonly damagedLines: number;
}

/** Where a run stands. Null: not known, or not measured. */
export interface RunFigures {
  /** The last step, and the passes over the text until then. */
  readonly steps: number;
  readonly epochs: number | null;
  readonly characters: number;
  /** Of the training steps alone. */
  readonly minutes: number | null;
  /** Mean of the last 50 steps, nats per character (or the squared error). */
  readonly trainingLoss: number | null;
  readonly learningRate: number | null;
  /** Nats per character. */
  readonly validation: { readonly step: number; readonly crossEntropy: number } | null;
  readonly best: { readonly step: number; readonly crossEntropy: number } | null;
  readonly rollbacks: number;
  /** What ended the run; null while it is trained, and of one that was killed. */
  readonly ended: DoneReason | null;
}

export interface HistoryOptions extends MetricsOptions {
  /** Points that a curve has at most. Default: 600. */
  readonly points?: number;
  /** Samples that are kept at most, the first and the last among them; evenly spread. Default: 100. */
  readonly samples?: number;
}

/**
 * Reads the events of a run.
 * @throws CharloomError NO_INPUT if nothing has been trained yet, BAD_DATA if none of the lines is an event, IO; the signal's
 *   reason when it is aborted
 */
export async function readHistory(run: Run, options: HistoryOptions = {}): Promise<RunHistory> {
  const collector = new HistoryCollector(run.config.training, options);
  for await (const event of readMetrics(run.dir, options)) collector.add(event);
  const history = collector.finish();
  if (history.figures.steps > 0) return history;
  if (history.damagedLines > 0) {
    throw new CharloomError(
      'BAD_DATA',
      `${run.dir}/${METRICS} has no step among its lines, ${history.damagedLines} of which are no events`,
    );
  }
  throw new CharloomError(
    'NO_INPUT',
    `${run.dir} has no step yet: there is nothing to report`,
    `train it: charloom resume ${shellWord(run.dir)}`,
  );
}

/** Takes the events of a run one by one. */
export class HistoryCollector {
  readonly #charactersPerStep: number;
  readonly #training: Thinning;
  readonly #validation: Thinning;
  readonly #samples: Sieve<RunHistory['samples'][number]>;
  readonly #rollbacks: RunHistory['rollbacks'][number][] = [];
  readonly #warnings: RunHistory['warnings'][number][] = [];
  #minutes = 0;
  #timed = true;
  #lastLosses: number[] = [];
  #steps = 0;
  #epochs: number | null = null;
  #learningRate: number | null = null;
  #latest: RunFigures['validation'] = null;
  #best: RunFigures['best'] = null;
  #ended: DoneReason | null = null;
  #damaged = 0;

  constructor(
    { batchSize, sequenceLength }: Pick<TrainingConfig, 'batchSize' | 'sequenceLength'>,
    { points = 600, samples = 100 }: HistoryOptions = {},
  ) {
    this.#charactersPerStep = batchSize * sequenceLength;
    this.#training = new Thinning(points, 3);
    this.#validation = new Thinning(points, 1);
    this.#samples = new Sieve(samples);
  }

  /** @param event undefined for a line that is none */
  add(event: RecordedEvent | undefined): void {
    if (!event) {
      this.#damaged++;
      return;
    }
    const { step } = event;
    // A run that goes on after its end tells so by going on.
    if (event.event !== 'done') this.#ended = null;
    switch (event.event) {
      case 'step':
        this.#step(event);
        break;
      case 'eval': {
        const crossEntropy = numberOf(event.crossEntropy);
        this.#validation.add(step, this.#minutes, [crossEntropy]);
        if (!Number.isFinite(crossEntropy)) break;
        this.#latest = { step, crossEntropy };
        if (!this.#best || crossEntropy < this.#best.crossEntropy) this.#best = this.#latest;
        break;
      }
      case 'sample':
        if (typeof event.text === 'string') this.#samples.add({ step, text: shortened(event.text) });
        break;
      case 'warning':
        if (typeof event.message === 'string' && this.#warnings.length < MOST_WARNINGS) {
          this.#warnings.push({ step, message: shortened(event.message) });
        }
        break;
      case 'rollback':
        this.#rollbacks.push({
          step,
          minutes: this.#minutes,
          divergedAt: numberOf(event.divergedAt),
          learningRateFactor: numberOf(event.learningRateFactor),
        });
        break;
      case 'done':
        this.#ended = REASONS.find((reason) => reason === event.reason) ?? null;
        break;
    }
  }

  #step(event: RecordedEvent): void {
    const loss = numberOf(event.loss);
    const learningRate = numberOf(event.learningRate);
    const speed = numberOf(event.charactersPerSecond);
    if (speed > 0) this.#minutes += this.#charactersPerStep / speed / 60;
    else this.#timed = false;
    this.#training.add(event.step, this.#minutes, [loss, learningRate, numberOf(event.gradientNorm)]);
    this.#steps = Math.max(this.#steps, event.step);
    this.#epochs = finiteOrNull(numberOf(event.epoch));
    this.#learningRate = finiteOrNull(learningRate);
    if (Number.isFinite(loss)) this.#lastLosses.push(loss);
    if (this.#lastLosses.length > 2 * LAST_LOSSES) this.#lastLosses = this.#lastLosses.slice(-LAST_LOSSES);
  }

  finish(): RunHistory {
    const { steps, minutes, curves } = this.#training.get();
    const validation = this.#validation.get();
    const last = this.#lastLosses.slice(-LAST_LOSSES);
    const [loss, learningRate, gradientNorm] = curves as [ThinnedCurve, ThinnedCurve, ThinnedCurve];
    return {
      training: { steps, minutes: this.#timed ? minutes : undefined, loss, learningRate, gradientNorm },
      validation: {
        steps: validation.steps,
        minutes: this.#timed ? validation.minutes : undefined,
        crossEntropy: validation.curves[0]!,
      },
      samples: this.#samples.get(),
      rollbacks: this.#rollbacks,
      warnings: this.#warnings,
      damagedLines: this.#damaged,
      figures: {
        steps: this.#steps,
        epochs: this.#epochs,
        characters: this.#steps * this.#charactersPerStep,
        minutes: this.#timed ? this.#minutes : null,
        trainingLoss: last.length > 0 ? last.reduce((a, b) => a + b, 0) / last.length : null,
        learningRate: this.#learningRate,
        validation: this.#latest,
        best: this.#best,
        rollbacks: this.#rollbacks.length,
        ended: this.#ended,
      },
    };
  }
}

/** Keeps so many of a series at most, evenly spread, the first and the last among them. */
class Sieve<T> {
  readonly #most: number;
  #kept: T[] = [];
  #last: T | undefined;
  #every = 1;
  #seen = 0;

  constructor(most: number) {
    this.#most = Math.max(2, most);
  }

  add(value: T): void {
    this.#last = value;
    if (this.#seen++ % this.#every > 0) return;
    if (this.#kept.length === this.#most - 1) {
      this.#kept = this.#kept.filter((_, i) => i % 2 === 0);
      this.#every *= 2;
      if ((this.#seen - 1) % this.#every > 0) return;
    }
    this.#kept.push(value);
  }

  get(): readonly T[] {
    return this.#last === undefined || this.#kept.at(-1) === this.#last
      ? this.#kept
      : [...this.#kept, this.#last];
  }
}

/** NaN for what is no number: JSON has null for those that are not finite. */
function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function shortened(text: string): string {
  return text.length <= LONGEST_SAMPLE ? text : `${text.slice(0, LONGEST_SAMPLE)}…`;
}
