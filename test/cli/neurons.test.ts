/** `charloom neurons`: rankings, a text by one cell, the page. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { GateSaturation } from '../../src/analysis/gates.ts';
import type { NeuronsData } from '../../src/page/neurons-data.ts';
import { blockTexts, dataOf } from '../page/unpacked.ts';
import { charloom, json, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const letters = readFileSync(new URL('../../corpora/mountain-letters.zh-TW.txt', import.meta.url), 'utf8');

interface Report {
  readonly characters: number;
  readonly source: string;
  readonly activation: string;
  readonly features: readonly {
    readonly name: string;
    readonly occurrences: readonly number[];
    readonly neurons: readonly {
      readonly neuron: string;
      readonly chosen: number;
      readonly heldOut: number;
    }[];
  }[];
  readonly gates: readonly GateSaturation[];
}

interface OneNeuron {
  readonly neuron: string;
  readonly mean: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly activations: readonly number[];
}

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(12_000));
  writeFileSync(join(cwd, 'letters.txt'), letters.slice(0, 1500));
  const train = (text: string, run: string, ...args: string[]) =>
    succeed(['train', text, ...TINY, '--steps', '60', '--learning-rate', '0.02', ...args, '--out', run], {
      cwd,
    });
  await Promise.all([
    train('text.txt', 'run', '--cell', 'lstm', '--layers', '2'),
    train('letters.txt', 'relu', '--cell', 'rnn', '--activation', 'relu'),
    train('letters.txt', 'bytes', '--unit', 'byte'),
  ]);
});

describe('charloom neurons', { concurrency: 3 }, () => {
  it('when it has read a text then features have their best cells, and gates their fractions', async () => {
    const [report] = await json<Report>(['neurons', 'run', 'text.txt'], { cwd });
    const { characters, activation, features, gates } = report!;
    assert.deepEqual([characters, activation], [12_000, 'tanh(c)']);
    const score = ({ neurons: [best] }: Report['features'][number]) => (best ? Math.abs(best.heldOut) : -1);
    assert.deepEqual(
      features.map(score),
      features.map(score).sort((a, b) => b - a),
    );
    const word = features.find(({ name }) => name === 'word')!;
    assert.equal(word.neurons.length, 10);
    assert.match(word.neurons[0]!.neuron, /^[01]:[0-7]$/);
    assert.ok(Math.abs(word.neurons[0]!.chosen) > 0.2);
    assert.deepEqual(
      gates.map(({ layer, gate, left }) => [layer, gate, left.length]),
      [0, 1].flatMap((layer) => ['forget', 'input', 'output'].map((gate) => [layer, gate, 8])),
    );
    const { stdout } = await succeed(['neurons', 'run', 'text.txt'], { cwd });
    assert.match(stdout, /^text +text\.txt, 12000 characters\ncells +2 x 8 \(LSTM\), by tanh\(c\) .+\n/);
    assert.match(stdout, /\nFEATURE +CELL +r CHOSEN +r HELD OUT +SHARE +MEANING\n/);
    assert.match(stdout, /\nword +[01]:[0-7] +−?\d\.\d\d +−?\d\.\d\d +\d+\.\d% +a letter/);
    assert.match(stdout, /\n1 +forget +open, > 0\.9 +\d+\.\d% +\d+ +\d+ +remember\n/);
    // Excerpts: each line of text has as many bars.
    const excerpts = stdout.slice(stdout.indexOf('> HALF, > 90%')).split('\n');
    const bars = excerpts.flatMap((line, i) => (/^[▁-█]+$/.test(line) ? [i] : []));
    assert.ok(bars.length > 5);
    for (const i of bars) assert.equal(excerpts[i]!.length, excerpts[i - 1]!.length);
  });

  it('when a cell is asked for then the text is in its activations, which the report knows by r', async () => {
    const [report] = await json<Report>(['neurons', 'run', 'text.txt', '--feature', 'capital'], { cwd });
    assert.deepEqual(
      report!.features.map(({ name }) => name),
      ['capital'],
    );
    const best = report!.features[0]!.neurons[0]!;
    const asked = ['neurons', 'run', 'text.txt', '--neuron', best.neuron];
    const [one] = await json<OneNeuron>(asked, { cwd });
    const { activations, mean, minimum, maximum } = one!;
    assert.equal(activations.length, 11_999);
    const half = activations.slice(0, 6000);
    const x = [...sampleText(6000)].map((letter) => Number(/\p{Lu}/u.test(letter)));
    const average = (values: readonly number[]): number =>
      values.reduce((sum, v) => sum + v, 0) / values.length;
    const [ma, mx] = [average(half), average(x)];
    const spread = (values: readonly number[], m: number): number =>
      Math.sqrt(average(values.map((v) => (v - m) ** 2)));
    const r = average(half.map((a, i) => (a - ma) * (x[i]! - mx))) / (spread(half, ma) * spread(x, mx));
    assert.ok(Math.abs(r - best.chosen) < 1e-3, `${r}, ${best.chosen}`);
    assert.ok(Math.abs(average(activations) - mean) < 1e-4);
    assert.ok(minimum >= -1 && maximum <= 1 && minimum < mean && mean < maximum);

    const { stdout } = await succeed([...asked, '--limit', '500'], { cwd });
    assert.match(stdout, /\ntext +the first 500 characters of text\.txt\n/);
    assert.ok(stdout.startsWith(`${sampleText(500).split('\n')[0]}↵\n`));
  });

  it('when activations have no bound then their strongest is what the text shows', async () => {
    const args = ['neurons', 'relu', 'letters.txt'];
    const [report] = await json<Report>(args, { cwd });
    assert.deepEqual(report!.gates, []);
    const names = new Set(report!.features.flatMap(({ neurons }) => neurons.map(({ neuron }) => neuron)));
    const [name] = names;
    const [one] = await json<OneNeuron>([...args, '--neuron', name!], { cwd });
    assert.ok(one!.minimum >= 0);
    const { stdout } = await succeed([...args, '--neuron', name!], { cwd });
    assert.ok(one!.maximum === 0 || stdout.includes('█'));
    // Characters of two columns have two bars.
    const [text, bars] = stdout.split('\n');
    assert.equal(bars!.length, [...text!].length * 2 - 1);
  });

  it('when a page is asked for then it has the cells of all features, and the one that was asked for first', async () => {
    for (const [run, text, activations] of [
      ['run', 'text.txt', 11_999],
      ['bytes', 'letters.txt', Buffer.byteLength(letters.slice(0, 1500)) - 1],
    ] as const) {
      const own = `${run}.html`;
      await succeed(['neurons', run, text, '--html', own, '--neuron', '0:3'], { cwd });
      const page = readFileSync(join(cwd, own), 'utf8');
      const { neurons, length } = dataOf<NeuronsData>(page);
      assert.equal(length, activations);
      assert.equal(neurons[0]!.name, '0:3');
      assert.ok(neurons.length > 3);
      if (run === 'run') assert.equal(blockTexts(page).join('').replaceAll('↵', ''), sampleText(11_999));
    }
  });

  it('when the text has a megabyte then the page shows its beginning, says so, and stays small', async () => {
    writeFileSync(join(cwd, 'long.txt'), sampleText(50_000).repeat(20));
    await succeed(['neurons', 'run', 'long.txt', '--html', 'long.html'], { cwd });
    const page = readFileSync(join(cwd, 'long.html'), 'utf8');
    assert.match(page, /The first 30000 of 999999 characters\./);
    assert.ok(statSync(join(cwd, 'long.html')).size < 3e6);
  });

  it('when the text is too short to say anything then that is said', async () => {
    writeFileSync(join(cwd, 'two.txt'), 'Th');
    const { stdout } = await succeed(['neurons', 'run', 'two.txt'], { cwd });
    assert.match(
      stdout,
      /present, or absent, at fewer than 20 characters of one half of the text: quotes, .+, cjk-punctuation\n/,
    );
    await succeed(['neurons', 'run', 'two.txt', '--html', 'two.html'], { cwd });
    assert.deepEqual(blockTexts(readFileSync(join(cwd, 'two.html'), 'utf8')), ['T']);
    const { stdout: one } = await succeed(['neurons', 'run', 'two.txt', '--neuron', '1:7'], { cwd });
    assert.match(one, /^T\n[▁-█]\n\ncell +1:7, tanh\(c\) /);
    const rare = await succeed(['neurons', 'run', 'two.txt', '--feature', 'digit'], { cwd });
    assert.match(
      rare.stdout,
      /digit: present, or absent, at fewer than 20 characters of one half of the text\n$/,
    );
  });

  it('when something cannot be done then an error says what', async () => {
    writeFileSync(join(cwd, 'empty.txt'), '');
    const cases: [args: string[], status: number, message: RegExp][] = [
      [['empty.txt'], 65, /there is no text in empty\.txt/],
      [['text.txt', '--neuron', '2:0'], 2, /--neuron 2:0: expected layer:index, from 0:0 to 1:7/],
      [['text.txt', '--neuron', '17'], 2, /--neuron 17: expected/],
      [['text.txt', '--feature', 'mood'], 2, /--feature/],
      [['text.txt', '--feature', 'word', '--neuron', '0:1'], 2, /--neuron|--feature/],
      [['text.txt', '--html', 'missing/page.html'], 73, /its folder does not exist/],
      [['text.txt', '--split', 'test'], 2, /--split/],
    ];
    await Promise.all(
      cases.map(async ([args, status, message]) => {
        const result = await charloom(['neurons', 'run', ...args], { cwd });
        assert.equal(result.status, status, result.stderr);
        assert.match(result.stderr, message);
        assert.equal(result.stdout, '');
      }),
    );
    assert.ok(!readdirSync(cwd).includes('missing'));
  });
});
