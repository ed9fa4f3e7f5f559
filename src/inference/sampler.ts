/** Draws text from a model, one symbol at a time, for one stream or several side by side. */
import type { Engine } from '../engine/engine.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { Random } from '../random.ts';
import { Distribution, draw } from './distribution.ts';
import type { SamplingOptions } from './sampling-options.ts';
import { Stepper } from './stepper.ts';

export interface FeedOptions {
  /** Is told after each symbol how many have been read. */
  readonly onProgress?: (symbols: number) => void;
  readonly signal?: AbortSignal;
}

/** Reads and draws symbols; its state is what was read so far, from zero. */
export class Sampler {
  readonly #stepper: Stepper;
  readonly #distribution: Distribution;

  /**
   * @param streams B, texts drawn side by side
   * @param unknown id of the unknown symbol, which is never drawn
   */
  constructor(engine: Engine, model: LanguageModel, unknown: number, streams = 1) {
    this.#stepper = new Stepper(engine, model, streams);
    this.#distribution = new Distribution(model.config.vocabulary, unknown);
  }

  /** B. */
  get streams(): number {
    return this.#stepper.streams;
  }

  /** Forgets everything read and drawn: the zero state. */
  reset(): void {
    this.#stepper.reset();
  }

  /**
   * Reads `ids` in every stream, without drawing.
   * @throws the signal's reason when it is aborted
   */
  async feed(ids: ArrayLike<number>, { onProgress, signal }: FeedOptions = {}): Promise<void> {
    const step = new Int32Array(this.#stepper.streams);
    for (let i = 0; i < ids.length; i++) {
      signal?.throwIfAborted();
      await this.#stepper.step(step.fill(ids[i]!));
      onProgress?.(i + 1);
    }
  }

  /**
   * Draws `length` symbols in every stream; yields the ids of all streams at every step, in one array [B] that
   * the next step reads and overwrites.
   *
   * @param first [B]: the symbol that each stream reads before its first draw (the last of its prompt)
   * @param generators one for each stream: the same generator state draws the same text
   */
  async *sample(
    first: ArrayLike<number>,
    length: number,
    options: SamplingOptions,
    generators: readonly Random[],
  ): AsyncGenerator<Int32Array> {
    const distribution = this.#distribution;
    const V = distribution.probabilities.length;
    const ids = Int32Array.from(first);
    for (let n = 0; n < length; n++) {
      await this.#stepper.step(ids);
      const logits = await this.#stepper.logits();
      for (let b = 0; b < ids.length; b++) {
        distribution.set(logits, options, b * V);
        ids[b] = draw(distribution.probabilities, generators[b]!);
      }
      yield ids;
    }
  }
}
