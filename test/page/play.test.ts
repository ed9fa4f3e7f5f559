/** The page of a model: what is in it, and what is not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ModelConfig } from '../../src/model/config.ts';
import { ParameterLayout } from '../../src/model/parameters.ts';
import { playPage } from '../../src/page/play.ts';
import type { PlayData } from '../../src/page/play-data.ts';
import { crc32 } from '../../src/text/crc32.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';

const vocabulary = Vocabulary.fromCounts(
  'character',
  new Map([
    ['a', 1],
    ['<', 1],
    ['\n', 1],
  ]),
  1,
);
const config: ModelConfig = {
  cell: 'gru',
  activation: 'tanh',
  layers: 1,
  hidden: 3,
  embedding: 2,
  vocabulary: vocabulary.size,
  dropout: 0,
};
const weights = Float64Array.from({ length: new ParameterLayout(config).length }, (_, i) => Math.sin(i));
const model = { config, vocabulary, weights, step: 12345, bitsPerCharacter: 2.345 };
const page = playPage({
  ...model,
  name: '</title><script>\u202e',
  texts: ['a.txt', '<b>.txt', 'c', 'd', 'e'],
});

describe('the page of a model', () => {
  it('has its weights, in the precision that the engine has, and their checksum', () => {
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!;
    const data = JSON.parse(json) as PlayData;
    const bytes = Buffer.from(data.weights, 'base64');
    assert.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), Float32Array.from(weights));
    assert.equal(data.checksum, crc32(bytes));
    assert.deepEqual(data.model, config);
    assert.deepEqual(Vocabulary.parse(data.vocabulary).symbols, vocabulary.symbols);
  });

  it('says what the model is, and shows names as text', () => {
    assert.match(page, /<title>&lt;\/title&gt;&lt;script&gt;\\u\{202e\}: a network that writes<\/title>/);
    assert.match(page, /<b>a\.txt<\/b>, <b>&lt;b&gt;\.txt<\/b>, <b>c<\/b> and 2 more texts/);
    assert.match(
      page,
      /GRU, 1 x 3 · \d+ parameters · 3 different characters · after step 12,345 · 2\.35 bits/,
    );
    assert.match(
      playPage({ ...model, name: 'x', texts: ['a'], bitsPerCharacter: undefined }),
      /not measured on text that it had not seen/,
    );
  });
});

describe('the script of the page', () => {
  const script = readFileSync(new URL('../../src/page/built/play.js', import.meta.url), 'utf8');

  it('has nothing of Node.js', () => {
    assert.doesNotMatch(script, /node:|\brequire\(|\bBuffer\b|\bprocess\./);
  });

  it('has the kernels of the simd engine', () => {
    const kernels = readFileSync(new URL('../../src/engine/simd/kernels.wasm', import.meta.url));
    assert.ok(script.includes(kernels.toString('base64').replace(/=+$/, '')));
  });
});
