/** A model that reads texts symbol by symbol: what it expects next is there after each. */
import { declare, type Engine, type Executable, type Matrix } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import { zero } from './evaluator.ts';

/** Reads B texts side by side, from the zero state. */
export class Stepper {
  readonly #engine: Engine;
  readonly #executable: Executable;
  readonly #state: StreamState;
  readonly #ids: Matrix;
  readonly #logits: Matrix;

  /** @param streams B */
  constructor(engine: Engine, model: LanguageModel, streams = 1) {
    const recorder = new Recorder('sampling');
    this.#engine = engine;
    this.#state = model.declareState(streams);
    this.#ids = declare('sampling.ids', 'input', streams, 1, 'i32');
    this.#logits = declare('sampling.logits', 'state', streams, model.config.vocabulary);
    const { logits } = model.recordForward(recorder, { ids: this.#ids, state: this.#state });
    recorder.add('copy', { out: this.#logits, input: logits });
    this.#executable = engine.prepare(recorder.finish());
  }

  /** B. */
  get streams(): number {
    return this.#ids.rows;
  }

  /** Forgets what was read: the zero state. */
  reset(): void {
    zero(this.#engine, this.#state.flat());
  }

  /** Reads the next symbol of every text. @param ids [B] */
  step(ids: ArrayLike<number>): Promise<void> {
    this.#engine.write(this.#ids, ids);
    return this.#executable.run();
  }

  /** A copy of the logits [B, V] of the symbols that come next. */
  logits(): Promise<Float32Array | Float64Array> {
    return this.#engine.read(this.#logits);
  }

  /**
   * A copy of one state of a layer [B, H] after what was read.
   * @param layer 0 is the one that reads the symbols
   * @param state index into the states of the cell, of which the first is its output h
   */
  state(layer: number, state: number): Promise<Float32Array | Float64Array> {
    return this.#engine.read(this.#state[layer]![state]!);
  }
}
