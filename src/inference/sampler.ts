/** Draws text from a model, one symbol at a time, for one stream or several side by side. */
import { declare, type Engine, type Executable, type Matrix } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import type { Random } from '../random.ts';
import { Distribution, draw, type SamplingOptions } from './distribution.ts';
import { zero } from './evaluator.ts';

/** Reads and draws symbols; its state is what was read so far, from zero. */
export class Sampler {
  readonly #engine: Engine;
  readonly #executable: Executable;
  readonly #state: StreamState;
  readonly #ids: Matrix;
  readonly #logits: Matrix;
  readonly #distribution: Distribution;

  /**
   * @param streams B, texts drawn side by side
   * @param unknown id of the unknown symbol, which is never drawn
   */
  constructor(engine: Engine, model: LanguageModel, unknown: number, streams = 1) {
    const recorder = new Recorder('sampling');
    this.#engine = engine;
    this.#state = model.declareState(streams);
    this.#ids = declare('sampling.ids', 'input', streams, 1, 'i32');
    this.#logits = declare('sampling.logits', 'state', streams, model.config.vocabulary);
    const { logits } = model.recordForward(recorder, { ids: this.#ids, state: this.#state });
    recorder.add('copy', { out: this.#logits, input: logits });
    this.#executable = engine.prepare(recorder.finish());
    this.#distribution = new Distribution(model.config.vocabulary, unknown);
  }

  /** Forgets everything read and drawn: the zero state. */
  reset(): void {
    zero(this.#engine, this.#state.flat());
  }

  /** Reads `ids` in every stream, without drawing. */
  async feed(ids: ArrayLike<number>): Promise<void> {
    const step = new Int32Array(this.#ids.rows);
    for (let i = 0; i < ids.length; i++) await this.#step(step.fill(ids[i]!));
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
    const { rows: B, columns: V } = this.#logits;
    const distribution = this.#distribution;
    const ids = Int32Array.from(first);
    for (let n = 0; n < length; n++) {
      await this.#step(ids);
      const logits = await this.#engine.read(this.#logits);
      for (let b = 0; b < B; b++) {
        distribution.set(logits, options, b * V);
        ids[b] = draw(distribution.probabilities, generators[b]!);
      }
      yield ids;
    }
  }

  #step(ids: Int32Array): Promise<void> {
    this.#engine.write(this.#ids, ids);
    return this.#executable.run();
  }
}
