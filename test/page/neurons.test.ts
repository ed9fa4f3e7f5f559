import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NeuronStudy } from '../../src/analysis/neurons.ts';
import { neuronsPage } from '../../src/page/neurons.ts';
import type { NeuronsData } from '../../src/page/neurons-data.ts';
import { textOf } from '../analysis/text-of.ts';
import { blockTexts, dataOf, unpacked } from './unpacked.ts';

const STUDY: NeuronStudy = {
  symbols: 100,
  features: [
    {
      feature: { name: 'vowel', kind: 'binary', meaning: 'a <vowel>' },
      occurrences: [30, 20],
      neurons: [
        { layer: 1, index: 0, chosen: -0.9, heldOut: -0.876 },
        { layer: 0, index: 7, chosen: 0.5, heldOut: 0.4 },
      ],
    },
    { feature: { name: 'digit', kind: 'binary', meaning: 'a digit' }, occurrences: [0, 0], neurons: [] },
  ],
  gates: [{ layer: 0, gate: 'forget', left: [0, 0.25], right: [1, 0.5] }],
};

const pageOf = (symbols: string, activations: readonly number[][]): string =>
  neuronsPage({
    model: 'runs/<b>',
    source: 'text',
    activation: 'h',
    study: STUDY,
    text: textOf(symbols),
    neurons: [
      { layer: 1, index: 0 },
      { layer: 0, index: 7 },
    ].slice(0, activations.length),
    activations: activations.map((values) => Float32Array.from(values)),
  });

describe('the page on cells', () => {
  it('has the activations of every cell in 127 steps of their extent', () => {
    const page = pageOf('a\n<b', [
      [-1, 1, 0, 0.5],
      [0, 4, 2, -0.1],
    ]);
    const { neurons, length, blocks } = dataOf<NeuronsData>(page);
    assert.equal(length, 4);
    assert.deepEqual(unpacked(blocks[0]!).words(4), [1, 2, 1, 1]);
    const steps = neurons.map((neuron) => [...Int8Array.from(unpacked(neuron.blocks[0]!).bytes(4))]);
    assert.deepEqual(steps, [
      [-127, 127, 0, 64],
      [0, 127, 64, -3],
    ]);
    assert.deepEqual(
      neurons.map(({ name, extent }) => [name, extent]),
      [
        ['1:0', 1],
        ['0:7', 4],
      ],
    );
    assert.deepEqual(blockTexts(page), ['a↵\n<b']);
    assert.match(page, /The first 4 of 100 characters\./);
  });

  it('lists features with the score on the second half, and those that are too rare', () => {
    const page = pageOf('ab', [
      [0, 1],
      [1, 0],
    ]);
    assert.match(page, /vowel<br><span class="quiet">a &lt;vowel&gt;<\/span>/);
    assert.match(page, /<button type="button" data-neuron="0">1:0<\/button> −0\.88/);
    assert.match(
      page,
      /Left out: present, or absent, at fewer than 20 characters of one half of the text: digit\./,
    );
    assert.doesNotMatch(page, /<b>/);
    // A cell that the page cannot show is named all the same.
    assert.match(pageOf('ab', [[0, 1]]), /<td>0:7 \+0\.40<\/td>/);
  });

  it('draws a point for every cell where its gate stands', () => {
    const page = pageOf('ab', [[0, 1]]);
    const points = [
      ...page.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="3.5"><title>(\d+:\d+)<\/title>/g),
    ];
    assert.deepEqual(
      points.map(([, x, y, name]) => [x, y, name]),
      [
        ['44.0', '8.0', '0:0'],
        ['94.0', '108.0', '0:1'],
      ],
    );
  });

  it('is there without any cell, and for one character', () => {
    const page = pageOf('a', []);
    assert.deepEqual(dataOf<NeuronsData>(page).neurons, []);
    assert.deepEqual(blockTexts(page), ['a']);
  });
});
