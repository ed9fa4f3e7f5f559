/** The network of a page: its model on the `simd` engine, the kernels that the command line uses, on one thread. */
import kernels from '../../../engine/simd/kernels.wasm';
import { SimdEngine } from '../../../engine/simd/simd-engine.ts';
import { CharloomError } from '../../../errors.ts';
import { Stepper } from '../../../inference/stepper.ts';
import { checkModelConfig, type ModelConfig } from '../../../model/config.ts';
import { LanguageModel } from '../../../model/language-model.ts';
import { crc32 } from '../../../text/crc32.ts';
import { Vocabulary } from '../../../text/vocabulary.ts';
import type { PlayData } from '../../play-data.ts';

const PAGE_BYTES = 65536;

/** A text as the network reads it, from the zero state. */
export class Network {
  readonly config: ModelConfig;
  readonly vocabulary: Vocabulary;
  readonly #stepper: Stepper;
  #logits: ArrayLike<number> | undefined;

  constructor(model: LanguageModel, vocabulary: Vocabulary, stepper: Stepper) {
    this.config = model.config;
    this.vocabulary = vocabulary;
    this.#stepper = stepper;
  }

  /** The logits [V] of what comes next; undefined before anything was read. */
  get logits(): ArrayLike<number> | undefined {
    return this.#logits;
  }

  /** Forgets everything. */
  reset(): void {
    this.#stepper.reset();
    this.#logits = undefined;
  }

  /** @returns −log₂ of the probability that it had given the symbol; undefined for the first one, which it could not foresee */
  async read(id: number): Promise<number | undefined> {
    const bits = this.#logits && surprise(this.#logits, id);
    await this.#stepper.step([id]);
    this.#logits = await this.#stepper.logits();
    return bits;
  }

  /** The activations of all units after what was read, bottom layer first: tanh c of an LSTM, else h; a unit's 1 is 127. */
  async activations(): Promise<Int8Array> {
    const { cell, activation, layers, hidden: H } = this.config;
    const all = new Int8Array(layers * H);
    for (let l = 0; l < layers; l++) {
      const values = await this.#stepper.state(l, cell === 'lstm' ? 1 : 0);
      for (let i = 0; i < H; i++) {
        const value = values[i]!;
        // A ReLU has no greatest value: what is 1 there shows as half.
        const level =
          cell === 'lstm'
            ? Math.tanh(value)
            : activation === 'relu' && cell === 'rnn'
              ? value / (1 + value)
              : value;
        all[l * H + i] = Math.round(127 * level);
      }
    }
    return all;
  }
}

/** −log₂ softmax(logits)[id] */
function surprise(logits: ArrayLike<number>, id: number): number {
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) greatest = Math.max(greatest, logits[i]!);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - greatest);
  return Math.max(0, (Math.log(sum) + greatest - logits[id]!) / Math.LN2);
}

/**
 * Makes the network of a page.
 * @throws CharloomError UNAVAILABLE if the browser cannot run it, BAD_DATA if the page is damaged
 */
export async function openNetwork(data: PlayData): Promise<Network> {
  const vocabulary = Vocabulary.parse(data.vocabulary);
  const config = checkModelConfig(data.model, {
    code: 'BAD_DATA',
    field: (name) => `the model of this page: ${name}`,
  });
  const model = new LanguageModel(config);
  const weights = weightsOf(data, model.layout.length);
  const engine = await openEngine(weights.byteLength);
  engine.write(model.parameters, weights);
  return new Network(model, vocabulary, new Stepper(engine, model));
}

function weightsOf({ weights, checksum }: PlayData, length: number): Float32Array {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const text = atob(weights);
    bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  } catch {
    bytes = new Uint8Array();
  }
  if (bytes.length !== length * 4 || crc32(bytes) !== checksum) {
    throw new CharloomError(
      'BAD_DATA',
      'this page is damaged: its weights are not those that were exported',
      'export it again',
    );
  }
  return new Float32Array(bytes.buffer);
}

/** @param bytes of the weights: they are kept twice, the second time packed for products */
async function openEngine(bytes: number): Promise<SimdEngine> {
  const fail = (what: string): CharloomError =>
    new CharloomError(
      'UNAVAILABLE',
      `this browser ${what}`,
      'a current Chrome, Edge or Firefox can; in others, `charloom play` may do where a file does not',
    );
  if (typeof WebAssembly !== 'object') throw fail('does not run WebAssembly');
  if (!WebAssembly.validate(kernels)) throw fail('does not run WebAssembly with SIMD and threads');
  let memory: WebAssembly.Memory;
  try {
    const maximum = Math.min(65536, Math.ceil((3 * bytes + 2 ** 26) / PAGE_BYTES));
    memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
  } catch (error) {
    throw fail(`does not give WebAssembly the memory that the network needs (${(error as Error).message})`);
  }
  const module = await WebAssembly.compile(kernels);
  return new SimdEngine({ module, memory, threads: 1, startWorkers: () => Promise.resolve() });
}
