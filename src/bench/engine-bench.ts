/** Measures one engine: training, sampling and evaluation of models, and the matrix products inside them. */
import type { Engine } from '../engine/engine.ts';
import { CharloomError } from '../errors.ts';
import { WINDOW } from '../inference/evaluator.ts';
import { LanguageModel } from '../model/language-model.ts';
import { closeAnyway } from './fastest-engine.ts';
import { evaluationWork, samplingWork } from './inference-work.ts';
import { measure, type Speed, type Work } from './measure.ts';
import { forwardFlops, type Product, productFlops, productWork, trainingFlops } from './products.ts';
import type { BenchShape } from './shapes.ts';
import { syntheticWeights } from './synthetic.ts';
import { TrainingWork } from './training-work.ts';

/** Engines whose `run` returns before the work is done: only of them the time of a launch means something. */
const QUEUEING: readonly string[] = ['gpu.js:webgpu'];
/** Work that is expected to take more than so many times the time it is given is left out, */
const TOO_LONG = 10;
/** unless it takes less than so many seconds: nobody minds them, and a guess from so little is worth little. */
const ALWAYS_AFFORDED = 2;

/** Of float32 in the largest array that every Node.js from 20 on can make. */
const MOST_WEIGHTS = 2 ** 30;

/** The speed of a model; null where it could not be measured, which the notes of the bench explain. */
export interface ModelSpeed {
  readonly shape: BenchShape;
  readonly parameters: number;
  /** Floating-point operations per character in the matrix products of training. */
  readonly trainingFlops: number;
  /** Characters per second. */
  training: Speed | null;
  sampling: Speed | null;
  evaluation: Speed | null;
  /** Kernel launches of one training step. */
  dispatches: number | null;
  /** Seconds of the host for each of them; null also where an engine computes while it launches. */
  launchSeconds: number | null;
}

export interface ProductSpeed {
  readonly product: Product;
  /** Floating-point operations per second. */
  readonly speed: Speed | null;
}

export interface EngineBenchOptions {
  readonly name: string;
  /** Opens the engine; called for every model, so that each starts with empty memory. */
  readonly open: () => Promise<Engine>;
  /** Time for every figure. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** Shows what is being measured, until `work` is done. */
  readonly show: <T>(what: string, work: Promise<T>) => Promise<T>;
}

/** The measurements of one engine. All throw the signal's reason when it is aborted. */
export class EngineBench {
  /** Why figures are missing. */
  readonly notes: string[] = [];
  readonly #options: EngineBenchOptions;
  /** Floating-point operations per second in the last training or product: larger work is expected to be as fast. */
  #flopsPerSecond = Number.POSITIVE_INFINITY;

  constructor(options: EngineBenchOptions) {
    this.#options = options;
  }

  async model(shape: BenchShape): Promise<ModelSpeed> {
    const model = new LanguageModel(shape.model);
    const { batchSize: B, sequenceLength: T } = shape.training;
    const perCharacter = trainingFlops(model);
    const result: ModelSpeed = {
      shape,
      parameters: model.layout.count,
      trainingFlops: perCharacter,
      training: null,
      sampling: null,
      evaluation: null,
      dispatches: null,
      launchSeconds: null,
    };
    const name = `${shape.model.cell} ${shape.name}`;
    await this.#withEngine(name, async (engine) => {
      if (model.layout.length > MOST_WEIGHTS) {
        throw new CharloomError(
          'UNAVAILABLE',
          `${model.layout.count} weights are more than any engine takes: give fewer layers or hidden units`,
        );
      }
      engine.write(model.parameters, syntheticWeights(model));
      if (this.#affords(`${name}, training`, perCharacter * B * T)) {
        const step = new TrainingWork(engine, model, shape.training);
        result.training = await this.#measure(`${name}, training`, () => step.run());
        this.#flopsPerSecond = result.training.perSecond * perCharacter;
        result.dispatches = step.dispatches;
        if (QUEUEING.includes(engine.description.name)) {
          result.launchSeconds = (await step.launchSeconds()) / step.dispatches;
        }
      }
      if (this.#affords(`${name}, sampling`, forwardFlops(model))) {
        result.sampling = await this.#measure(`${name}, sampling`, samplingWork(engine, model));
      }
      if (this.#affords(`${name}, evaluation`, forwardFlops(model) * WINDOW)) {
        result.evaluation = await this.#measure(`${name}, evaluation`, evaluationWork(engine, model));
      }
    });
    return result;
  }

  async products(products: readonly Product[]): Promise<ProductSpeed[]> {
    const speeds = new Map<Product, Speed>();
    for (const product of products) {
      const what = `${product.name} [${product.rows}, ${product.depth}] x [${product.depth}, ${product.columns}]`;
      await this.#withEngine(what, async (engine) => {
        if (!this.#affords(what, productFlops(product))) return;
        const speed = await this.#measure(what, productWork(engine, product));
        this.#flopsPerSecond = speed.perSecond;
        speeds.set(product, speed);
      });
    }
    return products.map((product) => ({ product, speed: speeds.get(product) ?? null }));
  }

  /** Gives `body` an engine of its own; what makes the engine fail is noted, and the bench goes on. */
  async #withEngine(what: string, body: (engine: Engine) => Promise<void>): Promise<void> {
    let engine: Engine | undefined;
    try {
      engine = await this.#options.open();
      await body(engine);
    } catch (error) {
      if (!(error instanceof CharloomError)) throw error;
      this.#note(what, error.message);
    } finally {
      if (engine) await closeAnyway(engine);
    }
  }

  #measure(what: string, work: Work): Promise<Speed> {
    const { name, seconds, signal, show } = this.#options;
    return show(`${name}: ${what}`, measure(work, seconds, signal));
  }

  /** Whether work of so many floating-point operations is worth waiting for; if not, it is noted. */
  #affords(what: string, flops: number): boolean {
    const expected = flops / this.#flopsPerSecond;
    const limit = Math.max(TOO_LONG * this.#options.seconds, ALWAYS_AFFORDED);
    if (expected <= limit) return true;
    this.#note(
      what,
      `left out, one run would take about ${Math.round(expected)} s (more --seconds allow more)`,
    );
    return false;
  }

  #note(what: string, text: string): void {
    this.notes.push(`${this.#options.name}, ${what}: ${text}`);
  }
}
