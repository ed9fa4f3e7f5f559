/**
 * Lossless compression with a language model: what the model predicts well takes little room (Shannon 1951; Cleary & Witten 1984;
 * with a network: Schmidhuber & Heil 1996). The size is the cross-entropy that `Evaluator` measures, in bits, so each is a test of
 * the other.
 *
 * Both directions replay the same recorded step, symbol by symbol, and turn the same logits into the same whole numbers. On an
 * engine that gives the same bits everywhere (`simd`), what one machine wrote any other one reads.
 */
import type { Engine } from '../engine/engine.ts';
import { CharloomError } from '../errors.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { bytesOfSymbol, SymbolReader } from '../text/symbol-reader.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import { ArithmeticDecoder, ArithmeticEncoder } from './arithmetic-coder.ts';
import { ByteWriter } from './byte-writer.ts';
import {
  type CompressedFile,
  digestOf,
  formatCompressedFile,
  MODEL_DIGEST_BYTES,
  PREDICTION_DIGEST_BYTES,
  parseCompressedFile,
  TEXT_DIGEST_BYTES,
} from './compressed-file.ts';
import { decodeEscape, encodeEscape } from './escape.ts';
import { Stepper } from './stepper.ts';
import { SymbolFrequencies } from './symbol-frequencies.ts';

/** Bytes of a text that are cut into symbols at once. */
const SLICE_BYTES = 2 ** 10;
/** Symbols between two looks at whether to go on. */
const CHECK_INTERVAL = 64;
/** Symbols that the model reads to show that it predicts the same here as where a file was written. */
const TRIAL = 32;

export interface CompressionOptions {
  /** Is told, often, how much is done: bytes of the text when compressing, symbols when decompressing. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the work early: the signal's reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Compressed {
  /** The compressed file. */
  readonly file: Uint8Array;
  /** What the model saw; undefined where the text itself is in the file, because the model would have made it longer. */
  readonly coding?: {
    /** Symbols of the text, and how many of them the vocabulary lacks. */
    readonly characters: number;
    readonly unknownCharacters: number;
    /** Mean −ln p of all symbols but the first, as `Evaluator` has it, nats; NaN for fewer than two symbols. */
    readonly crossEntropy: number;
  };
}

/** Compresses and decompresses with one model, whose weights are read where they lie. */
export class Compressor {
  readonly #engine: Engine;
  readonly #model: LanguageModel;
  readonly #vocabulary: Vocabulary;
  readonly #stepper: Stepper;
  readonly #frequencies: SymbolFrequencies;

  constructor(engine: Engine, model: LanguageModel, vocabulary: Vocabulary) {
    this.#engine = engine;
    this.#model = model;
    this.#vocabulary = vocabulary;
    this.#stepper = new Stepper(engine, model);
    this.#frequencies = new SymbolFrequencies(vocabulary.size);
  }

  /**
   * @param bytes any bytes: they need not be text
   * @param step of the checkpoint, for messages
   * @throws CharloomError DIVERGED if the model's predictions are not finite
   */
  async compress(bytes: Uint8Array, step: number, options: CompressionOptions = {}): Promise<Compressed> {
    const { unit, unknown, size: V } = this.#vocabulary;
    const model = await this.#identity();
    const predictions = await this.#trial();
    const encoder = new ArithmeticEncoder();
    const frequencies = this.#frequencies;
    let length = 0;
    let unknownCharacters = 0;
    let loss = 0;
    let previous = 0;
    this.#stepper.reset();
    for (const { symbol, end } of symbolsOf(bytes, unit)) {
      if (length % CHECK_INTERVAL === 0) {
        options.signal?.throwIfAborted();
        options.onProgress?.(end, bytes.length);
        if (encoder.length > bytes.length) break; // stored, whatever comes
      }
      const id = this.#vocabulary.idOf(symbol);
      if (length === 0) {
        encoder.encode(id, 1, V); // nothing predicts it
      } else {
        await this.#predict(previous);
        encoder.encode(frequencies.startOf(id), frequencies.of(id), SymbolFrequencies.TOTAL);
        loss += frequencies.lossOf(id);
      }
      if (id === unknown) {
        encodeEscape(encoder, symbol, unit);
        unknownCharacters++;
      }
      previous = id;
      length++;
    }
    const body = encoder.finish();
    const rest = { model, predictions, step, text: digestOf(TEXT_DIGEST_BYTES, bytes) };
    if (body.length > bytes.length) {
      return { file: formatCompressedFile({ ...rest, method: 'stored', length: bytes.length, body: bytes }) };
    }
    return {
      file: formatCompressedFile({ ...rest, method: 'model', length, body }),
      coding: {
        characters: length,
        unknownCharacters,
        crossEntropy: length > 1 ? loss / (length - 1) : Number.NaN,
      },
    };
  }

  /**
   * The bytes that `compress` was given, and how many symbols they were, where the model has decoded them.
   * @param name of the file, for error messages
   * @throws CharloomError BAD_DATA if the file is damaged, or was made with another model
   */
  async decompress(
    content: Uint8Array,
    name: string,
    options: CompressionOptions = {},
  ): Promise<{ bytes: Uint8Array; characters?: number }> {
    const file = parseCompressedFile(content, name);
    await this.#requireSameModel(file, name);
    const bytes = file.method === 'stored' ? file.body : await this.#decode(file, name, options);
    if (digestOf(TEXT_DIGEST_BYTES, bytes) !== file.text) {
      throw new CharloomError('BAD_DATA', `${name} is damaged: what comes out is not what was compressed`);
    }
    return file.method === 'stored' ? { bytes } : { bytes, characters: file.length };
  }

  async #decode(
    { length, body }: CompressedFile,
    name: string,
    options: CompressionOptions,
  ): Promise<Uint8Array> {
    const { unit, unknown, size: V, symbols } = this.#vocabulary;
    requirePlausible(length, body.length, V, name);
    const known = symbols.map((symbol) => bytesOfSymbol(symbol, unit));
    const decoder = new ArithmeticDecoder(body, name);
    const out = new ByteWriter();
    let previous = 0;
    this.#stepper.reset();
    for (let n = 0; n < length; n++) {
      if (n % CHECK_INTERVAL === 0) {
        options.signal?.throwIfAborted();
        options.onProgress?.(n, length);
      }
      let id: number;
      if (n === 0) {
        id = decoder.find(V);
        decoder.remove(id, 1);
      } else {
        await this.#predict(previous);
        const found = this.#frequencies.at(decoder.find(SymbolFrequencies.TOTAL));
        id = found.id;
        decoder.remove(found.start, this.#frequencies.of(id));
      }
      out.append(id === unknown ? bytesOfSymbol(decodeEscape(decoder, unit), unit) : known[id]!);
      previous = id;
    }
    decoder.finish();
    return out.bytes();
  }

  /** Makes the frequencies those of what follows `id`. */
  async #predict(id: number): Promise<void> {
    await this.#stepper.step([id]);
    this.#frequencies.set(await this.#stepper.logits());
  }

  /** Digest of what decides about the predictions: shape of the model, vocabulary, weights. */
  async #identity(): Promise<string> {
    const { cell, activation, layers, hidden, embedding } = this.#model.config;
    const shape = { cell, activation, layers, hidden, embedding, vocabulary: this.#vocabulary };
    const weights = Float32Array.from(await this.#engine.read(this.#model.parameters));
    return digestOf(MODEL_DIGEST_BYTES, JSON.stringify(shape), new Uint8Array(weights.buffer));
  }

  /** Digest of a prediction: where it is the same, so is the arithmetic of engine and program. */
  async #trial(): Promise<string> {
    this.#stepper.reset();
    for (let i = 0; i < TRIAL; i++) await this.#predict(i % this.#vocabulary.size);
    return digestOf(PREDICTION_DIGEST_BYTES, this.#frequencies.toString());
  }

  async #requireSameModel(file: CompressedFile, name: string): Promise<void> {
    const model = await this.#identity();
    if (file.model !== model) {
      throw new CharloomError(
        'BAD_DATA',
        `${name} was compressed with another model (${file.model}, step ${file.step}) than this one (${model})`,
        'give the run and the --checkpoint that it was compressed with',
      );
    }
    if (file.predictions !== (await this.#trial())) {
      throw new CharloomError(
        'BAD_DATA',
        `${name} was compressed with this model, but by arithmetic with other roundings than here`,
        'decompress it with the version of charloom that made it',
      );
    }
  }
}

/** The symbols of any bytes, and where each piece of them ends. */
function* symbolsOf(bytes: Uint8Array, unit: Vocabulary['unit']): Generator<{ symbol: string; end: number }> {
  const reader = new SymbolReader(unit, { lossless: true });
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    const end = Math.min(bytes.length, at + SLICE_BYTES);
    for (const code of reader.push(bytes.subarray(at, end))) yield { symbol: reader.symbolOf(code), end };
  }
  for (const code of reader.end()) yield { symbol: reader.symbolOf(code), end: bytes.length };
}

/**
 * Refuses a length that no encoder can have got into so few bytes: a symbol takes −log₂ of the greatest frequency there can be.
 * @throws CharloomError BAD_DATA
 */
function requirePlausible(length: number, bytes: number, V: number, name: string): void {
  const leastBits = -Math.log2(1 - (V - 1) / SymbolFrequencies.TOTAL);
  if ((length - 1) * leastBits <= 8 * (bytes + 1)) return;
  throw new CharloomError('BAD_DATA', `${name} is damaged: ${bytes} bytes cannot hold ${length} symbols`);
}
