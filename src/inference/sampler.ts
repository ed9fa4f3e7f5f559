/** Draws text from a model, one symbol at a time, for one stream or several side by side. */
import { declare, type Engine, type Executable, type Matrix } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import type { Random } from '../random.ts';
import { distribution, draw, type SamplingOptions } from './distribution.ts';
import { zero } from './evaluator.ts';

/** Reads and draws symbols; its state is what was read so far, from zero. */
export class Sampler {
  readonly #engine: Engine;
  readonly #executable: Executable;
  readonly #state: StreamState;
  readonly #ids: Matrix;
  readonly #logits: Matrix;
  readonly #unknown: number;

  /**
   * @param streams B, texts drawn side by side
   * @param unknown id of the unknown symbol, which is never drawn
   */
  constructor(engine: Engine, model: LanguageModel, unknown: number, streams = 1) {
    const recorder = new Recorder('sampling');
    this.#engine = engine;
    this.#unknown = unknown;
    this.#state = model.declareState(streams);
    this.#ids = declare('sampling.ids', 'input', streams, 1, 'i32');
    this.#logits = declare('sampling.logits', 'state', streams, model.config.vocabulary);
    const { logits } = model.recordForward(recorder, { ids: this.#ids, state: this.#state });
    recorder.add('copy', { out: this.#logits, input: logits });
    this.#executable = engine.prepare(recorder.finish());
  }

  /** Forgets everything read and drawn: the zero state. */
  reset(): void {
    zero(this.#engine, this.#state.flat());
  }

  /** Reads `ids` in every stream, without drawing. */
  async feed(ids: ArrayLike<number>): Promise<void> {
    for (let i = 0; i < ids.length; i++) await this.#step(new Int32Array(this.#ids.rows).fill(ids[i]!));
  }

  /**
   * Draws `length` symbols in every stream; yields the ids of all streams, one array [B] a time.
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
    const B = this.#ids.rows;
    const V = this.#logits.columns;
    let ids = Int32Array.from(first);
    for (let n = 0; n < length; n++) {
      await this.#step(ids);
      const logits = await this.#engine.read(this.#logits);
      ids = Int32Array.from({ length: B }, (_, b) =>
        draw(distribution(logits.subarray(b * V, (b + 1) * V), options, this.#unknown), generators[b]!),
      );
      yield ids;
    }
  }

  async #step(ids: Int32Array): Promise<void> {
    this.#engine.write(this.#ids, ids);
    await this.#executable.run();
  }
}
