/** Any bytes come back, from no other model and from no damaged file; and the size is what the evaluation says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Engine } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { CharloomError } from '../../src/errors.ts';
import {
  formatCompressedFile,
  HEADER_BYTES,
  parseCompressedFile,
} from '../../src/inference/compressed-file.ts';
import { Compressor } from '../../src/inference/compressor.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import type { Unit } from '../../src/text/symbol-reader.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';

const STEP = 12;
const SYMBOLS: Readonly<Record<Unit, readonly string[]>> = {
  character: [...'\n eathonsrd漢é\u{1f600}', ''],
  grapheme: ['\r\n', ...' eathonsrd漢é\u{1f600}', 'e\u0301', '', '\u{1f1e9}\u{1f1ea}'],
  byte: [...'\n eathonsrd\u00e6\u00bc\u00a2', ''],
};

interface Setup {
  readonly engine: Engine;
  readonly model: LanguageModel;
  readonly vocabulary: Vocabulary;
  readonly compressor: Compressor;
}

/** A model with weights of any kind: what it predicts is far from even, and the same in every JavaScript engine. */
async function setup(
  symbols: readonly string[],
  {
    unit = 'character',
    seed = 1,
    scale = 2,
    device = 'simd',
    threads = 1,
    ...config
  }: Partial<ModelConfig> & {
    unit?: Unit;
    seed?: number;
    scale?: number;
    device?: string;
    threads?: number;
  } = {},
): Promise<Setup> {
  const vocabulary = Vocabulary.parse({ unit, symbols, unknown: symbols.indexOf('') });
  const engine = await openEngine(device, { threads });
  const model = new LanguageModel({
    ...({ cell: 'gru', activation: 'tanh', layers: 1, hidden: 12, embedding: 5, dropout: 0 } as const),
    ...config,
    vocabulary: symbols.length,
  });
  const random = new Random(seed);
  const weights = new Float32Array(model.layout.length);
  for (const { rows, columns, offset } of model.layout.entries) {
    for (let i = 0; i < rows * columns; i++) weights[offset + i] = scale * (random.uniform() - 0.5);
  }
  engine.write(model.parameters, weights);
  return { engine, model, vocabulary, compressor: new Compressor(engine, model, vocabulary) };
}

async function roundTrip({ compressor }: Setup, bytes: Uint8Array): Promise<Uint8Array> {
  const { file, coding } = await compressor.compress(bytes, STEP);
  assert.ok(file.length <= bytes.length + HEADER_BYTES, `${bytes.length} bytes became ${file.length}`);
  const restored = await compressor.decompress(file, 'file');
  assert.deepEqual(Buffer.from(restored.bytes), Buffer.from(bytes));
  assert.equal(restored.characters, coding?.characters);
  return file;
}

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof CharloomError && error.code === 'BAD_DATA' && message.test(error.message);

/** A text that the models of these tests know, but for an `x` now and then. */
const textOf = (length: number, symbols: readonly string[], seed = 4): string => {
  const random = new Random(seed);
  return Array.from({ length }, () => symbols[random.integer(symbols.length)] || 'x').join('');
};

/** Bytes of every kind: text, broken text, none. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
  fc.string({ unit: 'grapheme-composite', maxLength: 30 }).map((text) => Buffer.from(text)),
  fc
    .array(
      fc.constantFrom('the ', 'né', '漢', '\r\n', '\u{1f600}', '\ufeff', '\0', 'e\u0301\u0302', '\u200d'),
      {
        maxLength: 30,
      },
    )
    .chain((pieces) => {
      const bytes = Buffer.from(pieces.join(''));
      return fc.nat(bytes.length).map((end) => bytes.subarray(end >> 2, end));
    }),
);

const NASTY: Readonly<Record<string, Uint8Array>> = {
  nothing: Buffer.alloc(0),
  'one known character': Buffer.from('e'),
  'one unknown character': Buffer.from('x'),
  'one byte that is no text': Buffer.of(0x80),
  NUL: Buffer.from('\0\0the\0'),
  'a byte order mark': Buffer.from('\ufeffthe'),
  'two byte order marks, one of them broken': Buffer.of(0xef, 0xbb, 0xbf, 0xef, 0xbb),
  'line ends of Windows': Buffer.from('the\r\nsea\r\n\r\n\n\r'),
  'lone surrogates as UTF-8 would have them': Buffer.of(0xed, 0xa0, 0x80, 0x41, 0xed, 0xb2, 0x80),
  'overlong forms': Buffer.of(0xc0, 0xaf, 0xe0, 0x80, 0xaf, 0xf0, 0x80, 0x80, 0xaf, 0xf5, 0xff),
  'sequences cut off': Buffer.of(0xf0, 0x9f, 0x98, 0xf0, 0x9f, 0xe6, 0x61, 0xe6, 0xbc),
  UTF16: Buffer.from('\ufeffthe sea', 'utf16le'),
  'every byte': Uint8Array.from({ length: 256 }, (_, i) => i),
  'a cluster without end': Buffer.from(`e${'\u0301'.repeat(2500)}a${'\u0301'.repeat(1024)}`),
  'many different clusters': Buffer.from(
    Array.from({ length: 400 }, (_, i) => `${String.fromCodePoint(0x4e00 + i)}\u0301`).join(''),
  ),
  'a border of pieces within a character': Buffer.from(`${'e'.repeat(1023)}漢${'t'.repeat(1021)}\u{1f600}`),
};

for (const unit of ['character', 'grapheme', 'byte'] as const) {
  describe(`the unit is ${unit}`, () => {
    for (const [name, bytes] of Object.entries(NASTY)) {
      it(`when the file is ${name} then it comes back`, async () => {
        await roundTrip(await setup(SYMBOLS[unit], { unit }), bytes);
      });
    }

    it('when the file is anything then it comes back', async () => {
      const model = await setup(SYMBOLS[unit], { unit });
      await fc.assert(
        fc.asyncProperty(anyBytes, async (bytes) => {
          await roundTrip(model, bytes);
        }),
        { numRuns: 150 },
      );
    });

    it('when unknown symbols are in a text then they are not stored as they are, but with the model', async () => {
      const model = await setup(SYMBOLS[unit], { unit });
      const bytes = Buffer.from(textOf(100, ['eatho'.repeat(8), '\u0416', '漢']));
      bytes[100] = 0xff;
      const file = await roundTrip(model, bytes);
      assert.equal(parseCompressedFile(file, 'file').method, 'model');
    });
  });
}

describe('the size', () => {
  const cases: [name: string, options: Parameters<typeof setup>[1]][] = [
    ['a GRU', {}],
    ['a deep LSTM', { cell: 'lstm', layers: 2, hidden: 24, embedding: 0 }],
    ['a textbook RNN that is sure of itself', { cell: 'rnn', scale: 3 }],
  ];
  for (const [name, options] of cases) {
    it(`when the model is ${name} then it is the cross-entropy of the evaluation, within 0.1% and three bytes`, async () => {
      const { engine, model, vocabulary, compressor } = await setup(SYMBOLS.character, options);
      // Drawn evenly, so that the model is often wrong; without unknown symbols, which cost their escape beside.
      const text = textOf(20_000, SYMBOLS.character.filter(Boolean));
      const { ids } = vocabulary.encode(text);
      const { crossEntropy } = await new Evaluator(engine, model).evaluate(IdSequence.of(ids));
      const { file, coding } = await compressor.compress(Buffer.from(text), STEP);
      assert.equal(coding?.characters, ids.length);
      assert.ok(Math.abs(coding!.crossEntropy / crossEntropy - 1) < 1e-6);
      const ideal = (crossEntropy * (ids.length - 1)) / Math.LN2 / 8;
      const size = file.length - HEADER_BYTES;
      assert.ok(Math.abs(size - ideal) <= 0.001 * ideal + 3, `${size}, evaluation ${ideal}`);
    });
  }

  it('when a model finds a text more surprising than its length then the text itself is stored', async () => {
    const model = await setup(SYMBOLS.character);
    const noise = Uint8Array.from({ length: 2000 }, (_, i) => (i * 7919 + (i >> 3)) & 255);
    const file = await roundTrip(model, noise);
    assert.equal(file.length, HEADER_BYTES + noise.length);
    assert.equal((await model.compressor.compress(noise, STEP)).coding, undefined);
  });

  it('when there are several thousand symbols then they are round trips, too', async () => {
    const symbols = [...Array.from({ length: 6000 }, (_, i) => String.fromCodePoint(0x4e00 + i)), ''];
    const text = textOf(300, symbols);
    const file = await roundTrip(await setup(symbols), Buffer.from(text));
    assert.ok(file.length < Buffer.byteLength(text), `${file.length}`);
  });
});

describe('the same file', () => {
  const bytes = Buffer.from(textOf(1500, SYMBOLS.character));

  it('when the engine has two threads then the file is the same', async () => {
    const options = { cell: 'lstm', layers: 2, hidden: 70 } as const;
    const one = await setup(SYMBOLS.character, options);
    const two = await setup(SYMBOLS.character, { ...options, threads: 2 });
    const [a, b] = [await one.compressor.compress(bytes, STEP), await two.compressor.compress(bytes, STEP)];
    assert.deepEqual(a.file, b.file);
    await two.engine.close();
  });

  it('when it was written by an earlier version, on another machine, then it is read, and written again', async () => {
    const { compressor } = await setup([...'\n abdehinorst', ''], { hidden: 40, scale: 1 });
    const text = 'on the shore there stands a house, 漢\n';
    const golden =
      'TE9PTQEB0WxYoXpUvI7JNz9hAAAAAAAMAAAAAAAlyUoCNKq7rkblaNkGErwGzbHGViJCuHxr2iIzVRypAWqU5d4XkR/hiZLKkBg=';
    const { file } = await compressor.compress(Buffer.from(text), STEP);
    assert.equal(Buffer.from(file).toString('base64'), golden);
    const restored = await compressor.decompress(Buffer.from(golden, 'base64'), 'golden');
    assert.equal(Buffer.from(restored.bytes).toString(), text);
  });

  it('when the step is more than the format holds then the file says the greatest that it does', async () => {
    const { compressor } = await setup(SYMBOLS.character);
    const { file } = await compressor.compress(bytes, 2 ** 50);
    assert.equal(parseCompressedFile(file, 'file').step, 2 ** 48 - 1);
  });
});

describe('another model', () => {
  const bytes = Buffer.from('the sea and the sand\n'.repeat(5));

  it('when a weight, the vocabulary or the shape differs then the file is refused, with the step it was made at', async () => {
    const { file } = await (await setup(SYMBOLS.character)).compressor.compress(bytes, STEP);
    const others = [
      await setup(SYMBOLS.character, { seed: 2 }),
      await setup(SYMBOLS.character.with(0, '!')),
      await setup(SYMBOLS.character, { cell: 'lstm' }),
      await setup(SYMBOLS.character, { activation: 'relu' }),
    ];
    const changed = await setup(SYMBOLS.character);
    const weights = await changed.engine.read(changed.model.parameters);
    weights[3]! += 1e-6;
    changed.engine.write(changed.model.parameters, weights);
    for (const { compressor } of [...others, changed]) {
      await assert.rejects(
        compressor.decompress(file, 'a.loom'),
        refused(/^a\.loom was compressed with another model \(.+, step 12\)/),
      );
    }
  });

  it('when the model is the same but its arithmetic is not then the file is refused', async () => {
    const { file } = await (await setup(SYMBOLS.character)).compressor.compress(bytes, STEP);
    const { compressor } = await setup(SYMBOLS.character, { device: 'reference' });
    await assert.rejects(compressor.decompress(file, 'a.loom'), refused(/other roundings/));
  });

  it('when the weights are not finite then the model has diverged', async () => {
    const { engine, model, compressor } = await setup(SYMBOLS.character);
    engine.write(model.parameters, new Float32Array(model.layout.length).fill(Number.NaN));
    await assert.rejects(
      compressor.compress(bytes, STEP),
      (error) => error instanceof CharloomError && error.code === 'DIVERGED',
    );
  });
});

describe('a damaged file', () => {
  const bytes = Buffer.from(`${textOf(200, SYMBOLS.character)}\u0416`);

  it('when a bit of any byte is flipped, or the file ends at any byte, then it is refused', async () => {
    const { compressor } = await setup(SYMBOLS.character);
    const { file } = await compressor.compress(bytes, STEP);
    for (let at = 0; at < file.length; at++) {
      const flipped = Uint8Array.from(file);
      flipped[at]! ^= 1 << (at % 8);
      await assert.rejects(compressor.decompress(flipped, 'x'), refused(/^x /), `bit of ${at}`);
      await assert.rejects(compressor.decompress(file.slice(0, at), 'x'), refused(/^x /), `end at ${at}`);
    }
    await assert.rejects(compressor.decompress(Buffer.concat([file, file]), 'x'), refused(/damaged/));
    await assert.rejects(compressor.decompress(bytes, 'x'), refused(/was not made by charloom compress/));
    const newer = Uint8Array.from(file).fill(2, 4, 5);
    await assert.rejects(compressor.decompress(newer, 'x'), refused(/version 2 .+ knows version 1/));
  });

  it('when it is hostile, every digest of it right, then it is refused without much work', async () => {
    const { compressor } = await setup(SYMBOLS.character);
    const { file } = await compressor.compress(bytes, STEP);
    const parsed = parseCompressedFile(file, 'x');
    const lastChanged = Uint8Array.from(parsed.body);
    lastChanged[lastChanged.length - 1]! ^= 4;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.tuple(fc.nat(parsed.body.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
            const body = Uint8Array.from(parsed.body);
            body[at]! ^= bits;
            return body;
          }),
        ),
        fc.constantFrom(0, 1, parsed.length - 1, parsed.length, parsed.length + 50, 1e6, 1e9, 2 ** 48 - 1),
        fc.constantFrom('model' as const, 'stored' as const),
        async (body, length, method) => {
          const hostile = formatCompressedFile({ ...parsed, body, length, method });
          let symbols = 0;
          const onProgress = (done: number): void => {
            symbols = done;
          };
          const restored = await compressor.decompress(hostile, 'x', { onProgress }).catch((error) => {
            assert.ok(refused(/damaged/)(error), `${error}`);
          });
          assert.ok(symbols < 5000, `${symbols} symbols of ${body.length} bytes`);
          if (!restored) return;
          // The coder may end with any number of its last interval: then the last byte is another, and the text is the same.
          assert.deepEqual(Buffer.from(restored.bytes), bytes);
          assert.deepEqual([length, method], [parsed.length, 'model']);
          assert.deepEqual(Buffer.from(body.subarray(0, -1)), Buffer.from(parsed.body.subarray(0, -1)));
        },
      ),
      { numRuns: 200, examples: [[lastChanged, parsed.length, 'model']] },
    );
  });
});

describe('a long work', () => {
  it('when it is interrupted then it ends, both ways', async () => {
    const { compressor } = await setup(SYMBOLS.character);
    const bytes = Buffer.from(textOf(5000, SYMBOLS.character));
    const { file } = await compressor.compress(bytes, STEP);
    for (const work of [
      (options: object) => compressor.compress(bytes, STEP, options),
      (options: object) => compressor.decompress(file, 'x', options),
    ]) {
      const controller = new AbortController();
      const seen: number[] = [];
      const onProgress = (done: number): void => {
        seen.push(done);
        if (seen.length === 20) controller.abort();
      };
      await assert.rejects(work({ onProgress, signal: controller.signal }), { name: 'AbortError' });
      assert.equal(seen.length, 20);
      assert.deepEqual(
        seen,
        [...seen].sort((a, b) => a - b),
      );
    }
  });
});
