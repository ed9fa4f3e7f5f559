/** `charloom eval` against the same computation in the plainest terms. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { RunConfig } from '../../src/training/run-config.ts';
import { json, metrics, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const text = sampleText(3000);
const STEPS = '150';
const train = (run: string, ...args: string[]) =>
  succeed(
    ['train', 'text.txt', ...TINY, '--steps', STEPS, '--learning-rate', '0.02', ...args, '--out', run],
    { cwd },
  );

interface Figures {
  readonly characters: number;
  readonly unknownCharacters: number;
  readonly crossEntropy: number;
  readonly bitsPerCharacter: number;
  readonly perplexity: number;
  readonly step: number;
}

const evaluate = async (...args: string[]): Promise<Figures> =>
  (await json<Figures>(['eval', ...args], { cwd }))[0]!;

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), text);
  writeFileSync(join(cwd, 'other.txt'), `${sampleText(4100).slice(3500)}你好`);
  await train('lstm', '--eval-every', '50');
});

type Matrix = readonly (readonly number[])[];

/** A run's weights by name, as rows of numbers; a bias is one row. */
function readWeights(run: string): (name: string) => Matrix {
  const path = join(cwd, run, 'checkpoints', STEPS, 'model.safetensors');
  const { tensors } = decodeSafetensors(readFileSync(path), path);
  return (name) => {
    const { shape, data } = tensors.get(name)!;
    const columns = shape.at(-1)!;
    return Array.from({ length: data.length / columns }, (_, row) => [
      ...data.slice(row * columns, (row + 1) * columns),
    ]);
  };
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** W x + b */
const affine = (W: Matrix, b: Matrix, x: readonly number[]): number[] =>
  W.map((row, i) => row.reduce((sum, w, j) => sum + w * x[j]!, b[0]![i]!));

/** Mean −ln p(next character) of a text of a run, in float64, one character and one unit at a time. */
function crossEntropyOf(run: string, evaluated: string): number {
  const { model } = JSON.parse(readFileSync(join(cwd, run, 'config.json'), 'utf8')) as RunConfig;
  const { symbols } = JSON.parse(readFileSync(join(cwd, run, 'vocabulary.json'), 'utf8')) as {
    symbols: string[];
  };
  const weights = readWeights(run);
  const { hidden: H, layers, embedding, vocabulary: V } = model;
  const ids = [...evaluated].map((character) => {
    const id = symbols.indexOf(character);
    return id >= 0 ? id : symbols.indexOf('');
  });
  const activation = model.activation === 'tanh' ? Math.tanh : (x: number) => Math.max(0, x);
  const h = Array.from({ length: layers }, () => Array<number>(H).fill(0));
  const c = Array.from({ length: layers }, () => Array<number>(H).fill(0));
  let total = 0;
  for (let t = 0; t + 1 < ids.length; t++) {
    const id = ids[t]!;
    let x: readonly number[] = embedding
      ? weights('embedding.weight')[id]!
      : Array.from({ length: V }, (_, i) => Number(i === id));
    for (let l = 0; l < layers; l++) {
      const input = affine(weights(`rnn.weight_ih_l${l}`), weights(`rnn.bias_ih_l${l}`), x);
      const recurrent = affine(weights(`rnn.weight_hh_l${l}`), weights(`rnn.bias_hh_l${l}`), h[l]!);
      const sum = (gate: number, unit: number) => input[gate * H + unit]! + recurrent[gate * H + unit]!;
      h[l] = h[l]!.map((previous, unit) => {
        if (model.cell === 'rnn') return activation(sum(0, unit));
        if (model.cell === 'gru') {
          const reset = sigmoid(sum(0, unit));
          const update = sigmoid(sum(1, unit));
          const candidate = Math.tanh(input[2 * H + unit]! + reset * recurrent[2 * H + unit]!);
          return (1 - update) * candidate + update * previous;
        }
        c[l]![unit] = sigmoid(sum(1, unit)) * c[l]![unit]! + sigmoid(sum(0, unit)) * Math.tanh(sum(2, unit));
        return sigmoid(sum(3, unit)) * Math.tanh(c[l]![unit]!);
      });
      x = h[l]!;
    }
    const logits = affine(weights('head.weight'), weights('head.bias'), x);
    total += Math.log(logits.reduce((sum, y) => sum + Math.exp(y), 0)) - logits[ids[t + 1]!]!;
  }
  return total / (ids.length - 1);
}

const near = (actual: number, expected: number, tolerance = 1e-4): void =>
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual}, expected ${expected}`);

describe('the figures are those of a computation by hand', { concurrency: 3 }, () => {
  const models = [
    ['lstm', '--layers', '2'],
    ['gru', '--embedding', '0'],
    ['gru', '--layers', '2'],
    ['rnn', '--activation', 'relu'],
    ['rnn', '--embedding', '0', '--layers', '2'],
  ];
  for (const [i, [cell, ...args]] of models.entries()) {
    it(`when the model is ${cell} ${args.join(' ')}`, async () => {
      const run = `by-hand-${i}`;
      await train(run, '--cell', cell!, ...args, '--eval-every', '0');
      const figures = await evaluate(run, 'other.txt', '--checkpoint', 'latest');
      assert.deepEqual([figures.characters, figures.unknownCharacters], [602, 2]);
      near(figures.crossEntropy, crossEntropyOf(run, readFileSync(join(cwd, 'other.txt'), 'utf8')));
      near(figures.bitsPerCharacter, figures.crossEntropy / Math.LN2, 1e-9);
      near(figures.perplexity, Math.exp(figures.crossEntropy), 1e-9);
    });
  }
});

describe('charloom eval', { concurrency: 3 }, () => {
  it('when no file is given then it is the evaluation of training again', async () => {
    const last = metrics(join(cwd, 'lstm')).findLast(({ event }) => event === 'eval')!;
    const figures = await evaluate('lstm', '--checkpoint', 'latest');
    assert.equal(figures.step, last.step);
    assert.deepEqual(
      [figures.crossEntropy, figures.perplexity],
      [Reflect.get(last, 'crossEntropy'), Reflect.get(last, 'perplexity')],
    );
    assert.deepEqual(
      await evaluate('lstm', '--split', 'validation', '--checkpoint', 'latest').then(without),
      without(figures),
    );
  });

  it('when a split is asked for then it is that part of the text', async () => {
    writeFileSync(join(cwd, 'part.txt'), text.slice(2850));
    const [split, part] = await Promise.all([
      evaluate('lstm', '--split', 'test'),
      evaluate('lstm', 'part.txt'),
    ]);
    assert.equal(split.characters, 150);
    assert.equal(split.crossEntropy, part.crossEntropy);
  });

  it('when there are several files then they are one text', async () => {
    writeFileSync(join(cwd, 'one.txt'), text.slice(0, 300));
    writeFileSync(join(cwd, 'two.txt'), text.slice(300, 1000));
    writeFileSync(join(cwd, 'both.txt'), text.slice(0, 1000));
    const [parts, whole] = await Promise.all([
      evaluate('lstm', 'one.txt', 'two.txt'),
      evaluate('lstm', 'both.txt'),
    ]);
    assert.equal(parts.crossEntropy, whole.crossEntropy);
    const piped = await json<Figures>(['eval', 'lstm', '-'], { cwd, input: text.slice(0, 1000) });
    assert.equal(piped[0]!.crossEntropy, whole.crossEntropy);
  });

  it('when there are unknown characters then people are told', async () => {
    const { stdout, stderr } = await succeed(['eval', 'lstm', 'other.txt'], { cwd });
    assert.match(stdout, /^characters +602 \(2 unknown\)$/m);
    assert.match(stderr, /^2 of 602 characters are not in the model's vocabulary/m);
  });

  it('when another engine computes then the figures are the same within its precision', async () => {
    const [simd, reference] = await Promise.all(
      ['simd', 'reference'].map((device) => evaluate('lstm', 'other.txt', '--device', device)),
    );
    near(simd!.crossEntropy, reference!.crossEntropy, 1e-5);
  });

  it('when the weights are bfloat16 then the figures change a little, and are the same on every engine', async () => {
    const [full, simd, reference] = await Promise.all(
      [[], ['--weights', 'bf16'], ['--weights', 'bf16', '--device', 'reference']].map((options) =>
        evaluate('lstm', 'other.txt', ...options),
      ),
    );
    near(simd!.crossEntropy, reference!.crossEntropy, 1e-5);
    near(simd!.crossEntropy, full!.crossEntropy, 0.02);
    assert.notEqual(simd!.crossEntropy, full!.crossEntropy);
  });
});

/** The figures that are the same each time. */
function without({ characters, unknownCharacters, crossEntropy }: Figures) {
  return { characters, unknownCharacters, crossEntropy };
}
