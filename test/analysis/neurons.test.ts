/** Cells whose weights were set by hand must be found, and their figures be those of the plain formulas. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { activations } from '../../src/analysis/activations.ts';
import { CorrelationSums } from '../../src/analysis/correlation.ts';
import { collectActivations, mostVaried } from '../../src/analysis/excerpt.ts';
import { GATES } from '../../src/analysis/gates.ts';
import { nameOfNeuron, studyNeurons } from '../../src/analysis/neurons.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import { CELLS, type CellName, type ModelConfig } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { textOf } from './text-of.ts';

const H = 6;
const alphabet = [...'aeBcd\n'];
const V = alphabet.length + 1;
const random = new Random(4);
const drawn = (letters: readonly string[], length: number): string =>
  Array.from({ length }, () => letters[random.integer(letters.length)]!).join('');
const idsOf = (text: string): IdSequence =>
  IdSequence.of(Uint8Array.from(text, (letter) => alphabet.indexOf(letter)));

async function modelOf(cell: CellName, config: Partial<ModelConfig> = {}) {
  const engine = new ReferenceEngine();
  const model = new LanguageModel({
    ...{ cell, activation: 'tanh', layers: 2, hidden: H, embedding: 0, vocabulary: V, dropout: 0 },
    ...config,
  });
  engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(1)));
  return { engine, model };
}

/** A textbook RNN of one layer whose cell 2 says whether the last letter was a vowel, and cell 4 whether it was an a. */
async function readerOfVowels() {
  const { engine, model } = await modelOf('rnn', { layers: 1 });
  const input = new Float32Array(H * V);
  for (let letter = 0; letter < alphabet.length; letter++) {
    input[2 * V + letter] = 'ae'.includes(alphabet[letter]!) ? -2 : 2;
    input[4 * V + letter] = alphabet[letter] === 'a' ? 2 : -2;
  }
  engine.write(model.weights('rnn.weight_ih_l0'), input);
  engine.write(model.weights('rnn.weight_hh_l0'), new Float32Array(H * H));
  return { engine, model };
}

describe('the study of cells', () => {
  it('finds the cell that tracks a feature, with its sign', async () => {
    const { engine, model } = await readerOfVowels();
    const text = drawn(alphabet, 600);
    const { features, symbols } = await studyNeurons(engine, model, idsOf(text), textOf(text), { best: 2 });
    assert.equal(symbols, 599);
    const { neurons, occurrences } = features.find(({ feature }) => feature.name === 'vowel')!;
    assert.equal(nameOfNeuron(neurons[0]!), '0:2');
    assert.ok(neurons[0]!.chosen < -0.999 && neurons[0]!.heldOut < -0.999);
    const vowels = (part: string): number => part.replace(/[^ae]/g, '').length;
    assert.deepEqual(occurrences, [vowels(text.slice(0, 300)), vowels(text.slice(300, 599))]);
    assert.equal(features[0]!.feature.name, 'vowel');
  });

  it('judges a cell on the half of the text where it was not chosen', async () => {
    const { engine, model } = await readerOfVowels();
    // In the first half only the a is a vowel, in the second only the e.
    const text = drawn([...'aBcd'], 400) + drawn([...'eBcd'], 401);
    const { features } = await studyNeurons(engine, model, idsOf(text), textOf(text), { best: 2 });
    const { neurons } = features.find(({ feature }) => feature.name === 'vowel')!;
    const letter = neurons.find(({ index }) => index === 4)!;
    assert.ok(letter.chosen > 0.999);
    assert.equal(letter.heldOut, 0);
    assert.ok(neurons.find(({ index }) => index === 2)!.heldOut < -0.999);
  });

  it('ranks nothing by features that are too rare, or nearly everywhere', async () => {
    const { engine, model } = await readerOfVowels();
    const text = `${drawn([...'aB'], 200)}\n${drawn([...'aB'], 200)}`;
    const { features } = await studyNeurons(engine, model, idsOf(text), textOf(text), { best: 2 });
    const ranked = (name: string): number =>
      features.find(({ feature }) => feature.name === name)!.neurons.length;
    assert.deepEqual(['line-break', 'word', 'quotes', 'digit'].map(ranked), [0, 0, 0, 0]);
    assert.ok(ranked('vowel') > 0 && ranked('capital') > 0);
    const two = await studyNeurons(engine, model, idsOf('aB'), textOf('aB'), { best: 2 });
    assert.ok(two.features.every(({ neurons }) => neurons.length === 0));
  });

  it('ranks by a feature that is present, and absent, at 20 characters of each half, not at fewer', async () => {
    const { engine, model } = await readerOfVowels();
    const half = (vowels: number): string => 'a'.repeat(vowels) + 'B'.repeat(100 - vowels);
    for (const [first, second, count] of [
      [20, 20, 2],
      [80, 80, 2],
      [19, 20, 0],
      [20, 19, 0],
      [81, 80, 0],
      [80, 81, 0],
    ] as const) {
      const text = `${half(first)}${half(second)}B`;
      const { features } = await studyNeurons(engine, model, idsOf(text), textOf(text), { best: 2 });
      const { neurons } = features.find(({ feature }) => feature.name === 'vowel')!;
      assert.equal(neurons.length, count, `${first} and ${second} vowels`);
    }
  });

  for (const cell of CELLS) {
    it(`of a ${cell}: correlations and gates are those of the definition`, async () => {
      const { engine, model } = await modelOf(cell);
      const text = drawn(alphabet, 700);
      const study = await studyNeurons(engine, model, idsOf(text), textOf(text), { best: 2 * H });
      const shown = Array.from({ length: 2 * H }, (): number[] => []);
      const gates: number[][][] = [[], []];
      for await (const { count, layers } of new Evaluator(engine, model, { layers: true }).windows(
        idsOf(text),
      )) {
        for (const [l, { states, gates: own }] of layers!.entries()) {
          for (let i = 0; i < count; i++) {
            for (let h = 0; h < H; h++) {
              const value = cell === 'lstm' ? Math.tanh(states[1]![i * H + h]!) : states[0]![i * H + h]!;
              shown[l * H + h]!.push(value);
            }
            const width = own.length / count;
            gates[l]!.push([...own.subarray(i * width, (i + 1) * width)]);
          }
        }
      }
      const { neurons } = study.features.find(({ feature }) => feature.name === 'capital')!;
      const x = [...text].slice(0, 699).map((letter) => Number(letter === 'B'));
      for (const { layer, index, chosen, heldOut } of neurons) {
        const a = shown[layer * H + index]!;
        assert.ok(Math.abs(chosen - pearson(a.slice(0, 350), x.slice(0, 350))) < 1e-9);
        assert.ok(Math.abs(heldOut - pearson(a.slice(350), x.slice(350))) < 1e-9);
      }
      assert.equal(neurons.length, 2 * H);

      assert.equal(study.gates.length, 2 * GATES[cell].length);
      for (const { layer, gate, left, right } of study.gates) {
        const { place } = GATES[cell].find(({ name }) => name === gate)!;
        for (let h = 0; h < H; h++) {
          const values = gates[layer]!.map((row) => row[place * H + h]!);
          assert.equal(left[h], values.filter((value) => value < 0.1).length / 699);
          assert.equal(right[h], values.filter((value) => value > 0.9).length / 699);
        }
      }
    });
  }

  it('tells the activations of cells over a text, over the borders of windows', async () => {
    const { engine, model } = await modelOf('gru');
    const text = drawn(alphabet, 600);
    const neurons = [
      { layer: 1, index: 3 },
      { layer: 0, index: 0 },
    ];
    const [upper, lower] = await collectActivations(engine, model, idsOf(text), neurons);
    assert.deepEqual([upper!.length, lower!.length], [599, 599]);
    for await (const { start, count, activations: layers } of activations(engine, model, idsOf(text))) {
      for (let i = 0; i < count; i++) {
        assert.equal(upper![start + i], Math.fround(layers[1]![i * H + 3]!));
        assert.equal(lower![start + i], Math.fround(layers[0]![i * H]!));
      }
    }
  });
});

function pearson(a: readonly number[], x: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [ma, mx] = [mean(a), mean(x)];
  const product = mean(a.map((value, i) => (value - ma) * (x[i]! - mx)));
  return product / Math.sqrt(mean(a.map((v) => (v - ma) ** 2)) * mean(x.map((v) => (v - mx) ** 2)));
}

describe('correlations from sums', () => {
  it('are 0 for a cell that hardly moves, and for a feature that does not', () => {
    const sums = new CorrelationSums(2, 2);
    const still = Float64Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 0.5 + 1e-6 * i : i % 10));
    sums.add([still], [Uint8Array.from({ length: 50 }, (_, i) => i), new Uint8Array(50).fill(3)], 0, 50);
    assert.deepEqual([sums.correlation(0, 0), sums.correlation(1, 1)], [0, 0]);
    assert.notEqual(sums.correlation(0, 1), 0);
  });
});

describe('the part of a text in which a feature varies most', () => {
  it('is that of the definition', () => {
    for (let round = 0; round < 100; round++) {
      const values = Array.from({ length: 5 + random.integer(40) }, () => random.integer(4));
      const width = 1 + random.integer(5);
      const variation = (start: number): number => {
        const part = values.slice(start, start + width);
        const sum = part.reduce((total, value) => total + value, 0);
        return width * part.reduce((total, value) => total + value * value, 0) - sum * sum;
      };
      const all = values.slice(width - 1).map((_, start) => variation(start));
      assert.equal(mostVaried(values, width), all.indexOf(Math.max(...all)));
    }
    assert.equal(mostVaried([1], 1), 0);
  });
});
