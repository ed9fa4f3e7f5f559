/** `charloom gradients`: what it prints, draws and refuses. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { charloom, json, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();

interface Network {
  readonly cell: string;
  readonly activation?: string;
  readonly trained: boolean;
  readonly gain?: number;
  readonly layer: number;
  readonly lagOf: Readonly<Record<'half' | 'tenth' | 'thousandth' | 'double', number | null>>;
  readonly norms: readonly number[];
  readonly lowerQuartiles: readonly number[];
}

interface Printed {
  readonly source: string;
  readonly lags: number;
  readonly windows: number;
  readonly step?: number;
  readonly networks: readonly Network[];
}

const gradients = async (...args: string[]): Promise<Printed> =>
  (await json<Printed>(['gradients', ...args, '--threads', '1'], { cwd }))[0]!;

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
  writeFileSync(join(cwd, 'short.txt'), 'abcabcabcabc');
  writeFileSync(join(cwd, 'one.txt'), 'a');
  const args = ['train', 'text.txt', ...TINY, '--steps', '50', '--layers', '2', '--cell', 'lstm'];
  await succeed([...args, '--out', 'run'], { cwd });
});

describe('charloom gradients', { concurrency: 3 }, () => {
  it('when there is no model then new networks of each cell are measured, on a bundled text', async () => {
    const { networks, source, lags, windows } = await gradients('--lags', '40', '--windows', '4');
    assert.deepEqual([source, lags, windows], ['lighthouse.txt', 40, 4]);
    assert.deepEqual(
      networks.map(({ cell, activation = '', gain }) => `${cell} ${activation} ${gain}`),
      ['rnn tanh', 'rnn relu', 'lstm ', 'gru '].flatMap((cell) =>
        [0.5, 1, 1.5].map((gain) => `${cell} ${gain}`),
      ),
    );
    const [small, , large] = networks;
    // What Pascanu et al. say of a largest singular value below 1: it vanishes at least as fast as its powers.
    for (const [k, norm] of small!.norms.entries()) {
      assert.ok(norm <= 0.5 ** k * (1 + 1e-5), `k = ${k}: ${norm}`);
    }
    assert.equal(small!.lagOf.half, 1);
    assert.ok(large!.norms[39]! > 1);
    assert.equal(large!.lagOf.tenth, null);
    for (const { norms } of networks) assert.deepEqual([norms[0], norms.length], [1, 40]);
  });

  it('when there is a model then its layers stand beside new networks of its size', async () => {
    const { networks, source, step } = await gradients(
      'run',
      '--gain',
      '0.9',
      '1.1',
      '--lags',
      '20',
      '--windows',
      '3',
    );
    assert.deepEqual([source, step], ['validation part of text.txt', 50]);
    const lstm = networks.filter(({ cell }) => cell === 'lstm');
    assert.deepEqual(
      lstm.map(({ trained, gain, layer }) => [trained, gain, layer]),
      [
        [false, 0.9, 2],
        [false, 1.1, 2],
        [true, undefined, 1],
        [true, undefined, 2],
      ],
    );
    assert.equal(networks.length, 10);
    const again = await gradients(
      'run',
      'text.txt',
      '--gain',
      '1',
      '--lags',
      '20',
      '--device',
      'reference',
      '--windows',
      '3',
    );
    const simd = await gradients('run', 'text.txt', '--gain', '1', '--lags', '20', '--windows', '3');
    again.networks.forEach(({ norms }, i) => {
      for (const [k, norm] of norms.entries()) {
        assert.ok(Math.abs(simd.networks[i]!.norms[k]! / norm - 1) < 1e-3, `${i}, ${k}`);
      }
    });
  });

  it('when people read it then it is plots and a table of 80 columns', async () => {
    const { stdout, stderr } = await succeed(['gradients', 'text.txt', '--lags', '30', '--windows', '2'], {
      cwd,
    });
    for (const line of stdout.split('\n')) assert.ok([...line].length <= 80, line);
    assert.ok(!stdout.includes('\u001b'));
    assert.doesNotMatch(stdout, /NaN|undefined/);
    for (const name of ['textbook RNN, tanh', 'textbook RNN, ReLU', 'LSTM', 'GRU']) {
      assert.match(stdout, new RegExp(`^${name} +gain 0\\.5 `, 'm'));
    }
    assert.match(stdout, /[\u2801-\u28ff]{5}/);
    assert.match(stdout, / x1\.5/);
    assert.match(stderr, /medians over 2 windows of text\.txt; networks of 1 x 128/);
  });

  it('when a figure is asked for then it is an SVG file that needs nothing', async () => {
    await succeed(['gradients', 'run', '--svg', 'figure.svg', '--lags', '10', '--windows', '2'], { cwd });
    const figure = readFileSync(join(cwd, 'figure.svg'), 'utf8');
    assert.match(figure, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*role="img"/);
    assert.equal(figure.match(/class="chart"/g)?.length, 5);
    assert.match(figure, /<rect class="ground"/);
    assert.match(figure, />trained, layer 2</);
    assert.doesNotMatch(figure, /NaN|undefined|<script|href/);
    const { stdout } = await succeed(['gradients', 'run', '--svg', '-', '--lags', '10', '--windows', '2'], {
      cwd,
    });
    assert.equal(stdout.replace(/plot-\d+/g, ''), figure.replace(/plot-\d+/g, ''));
  });

  it('when the text is short then gradients go back as far as it goes', async () => {
    const { stdout, stderr } = await succeed(['gradients', 'short.txt', '--json', '--windows', '2'], { cwd });
    assert.equal((JSON.parse(stdout) as Printed).lags, 11);
    assert.match(stderr, /short\.txt has 12 characters: 11 lags are measured, not 100/);
    const none = await charloom(['gradients', 'one.txt'], { cwd });
    assert.equal(none.status, 65);
    assert.match(none.stderr, /one\.txt: 1 characters, gradients need at least 2/);
    assert.equal((await charloom(['gradients', '-'], { cwd, input: '' })).status, 65);
    const two = await succeed(['gradients', '-'], { cwd, input: '中文' });
    assert.match(two.stdout, /AT k = 0/);
  });

  it('when the text has a megabyte, or is Chinese, then places all over it are measured', async () => {
    for (const [text, length] of [
      [sampleText(50_000).repeat(20), 1_000_000],
      ['海上生明月，天涯共此時。'.repeat(100), 1200],
    ] as const) {
      writeFileSync(join(cwd, 'long.txt'), text.slice(0, length));
      const { windows, lags, networks } = await gradients('long.txt', '--lags', '20', '--windows', '4');
      assert.deepEqual([windows, lags, networks.length], [4, 20, 12]);
      for (const { norms } of networks) assert.ok(norms.every((norm) => norm > 0 && Number.isFinite(norm)));
    }
  });

  it('when numbers are beyond the engine then it says so', async () => {
    const { stdout } = await succeed(['gradients', 'text.txt', '--gain', '0', '40', '--windows', '2'], {
      cwd,
    });
    assert.match(stdout, /ReLU +gain 0 .*< 1e-38\n +gain 40 .*overflow/);
  });

  it('when an option is wrong then that is an error of usage', async () => {
    for (const [args, message] of [
      [['--lags', '1'], /--lags is 1, must be an integer from 2/],
      [['--windows', '0.5'], /--windows is 0\.5, must/],
      [['--seed', '-1'], /--seed is -1, must/],
      [['--gain', 'x'], /Not a number from 0 up/],
      [['--svg', '-', '--json'], /both write to standard output/],
    ] as const) {
      const result = await charloom(['gradients', 'text.txt', ...args], { cwd });
      assert.equal(result.status, 2, result.stderr);
      assert.match(result.stderr, message);
    }
    assert.equal((await charloom(['gradients', 'nonesuch'], { cwd })).status, 66);
    assert.equal((await charloom(['gradients', 'nonesuch', 'text.txt'], { cwd })).status, 66);
  });
});
