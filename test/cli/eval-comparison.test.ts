/** `charloom eval --baseline` and `--dynamic`: other models of the same text beside the network. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { KneserNey } from '../../src/analysis/kneser-ney.ts';
import { orderOf } from '../../src/cli/eval-baseline.ts';
import { dynamicSettings } from '../../src/cli/eval-dynamic.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { Vocabulary, type VocabularyJson } from '../../src/text/vocabulary.ts';
import { DYNAMIC_DEFAULTS } from '../../src/training/dynamic-evaluation.ts';
import { whyMissing } from '../engines.ts';
import { charloom, json, sampleText, scratchFolder, start, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const text = sampleText(20_000);
const noNative = await whyMissing('native');

interface Measured {
  readonly crossEntropy: number;
  readonly bitsPerCharacter: number;
  readonly perplexity: number;
}
interface Gains {
  readonly characters: readonly {
    readonly character: string | null;
    readonly occurrences: number;
    readonly networkBits: number;
    readonly baselineBits: number;
  }[];
  readonly passages: readonly { start: number; end: number; line: number; bitsSaved: number; text: string }[];
}
interface Figures extends Measured {
  readonly characters: number;
  readonly unknownCharacters: number;
  readonly charactersPerSecond: number;
  readonly baseline?: Measured & {
    readonly order: number;
    readonly ngrams: number;
    readonly networkBetter: Gains;
    readonly baselineBetter: Gains;
  };
  readonly dynamic?: Measured & {
    readonly learningRate: number;
    readonly segment: number;
    readonly charactersPerSecond: number;
  };
}

const evaluate = async (...args: string[]): Promise<Figures> =>
  (await json<Figures>(['eval', ...args, '--threads', '1'], { cwd }))[0]!;

const train = (file: string, run: string, ...args: string[]) =>
  succeed(['train', file, ...TINY, '--steps', '300', '--learning-rate', '0.02', ...args, '--out', run], {
    cwd,
  });

/** What the n-gram model says of a text, by itself. */
async function crossEntropyOf(order: number, run: string, training: string, evaluated: string) {
  const file = readFileSync(join(cwd, run, 'vocabulary.json'), 'utf8');
  const vocabulary = Vocabulary.parse(JSON.parse(file) as VocabularyJson);
  const ids = IdSequence.of(vocabulary.encode(training).ids);
  const reader = (await KneserNey.train(ids, vocabulary.size, order)).reader();
  const losses = [...vocabulary.encode(evaluated).ids].map((id) => -Math.log(reader.read(id))).slice(1);
  return losses.reduce((sum, loss) => sum + loss) / losses.length;
}

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);

function consistent({ crossEntropy, bitsPerCharacter, perplexity }: Measured): void {
  near(bitsPerCharacter, crossEntropy / Math.LN2, 1e-9);
  near(perplexity, Math.exp(crossEntropy), 1e-9 * perplexity);
}

async function fails(status: number, args: readonly string[], ...parts: string[]): Promise<void> {
  const result = await charloom(['eval', ...args], { cwd });
  assert.equal(result.status, status, result.stderr);
  assert.equal(result.stdout, '');
  const message = result.stderr.slice(result.stderr.search(/^error:/m));
  assert.match(message, /^error: .+\n(.+\n)?$/, 'one or two lines');
  for (const part of parts) assert.ok(message.includes(part), `${message} has no ${part}`);
}

before(async () => {
  writeFileSync(join(cwd, 'play.txt'), text);
  writeFileSync(join(cwd, 'other.txt'), `${sampleText(24_000).slice(21_000)}${'你好\u{1F600}你'.repeat(20)}`);
  await train('play.txt', 'run');
});

describe('charloom eval --baseline', { concurrency: 3 }, () => {
  it('gives the figures of the n-gram model on the same predictions, and does not change the others', async () => {
    const [plain, beside] = await Promise.all([evaluate('run'), evaluate('run', '--baseline', '4')]);
    const { baseline, charactersPerSecond, ...rest } = beside;
    assert.deepEqual({ ...rest, charactersPerSecond: plain.charactersPerSecond }, plain);
    assert.ok(charactersPerSecond > 0);
    assert.equal(baseline!.order, 4);
    assert.ok(baseline!.ngrams > 1000);
    consistent(baseline!);
    const expected = await crossEntropyOf(4, 'run', text.slice(0, 18_000), text.slice(18_000, 19_000));
    near(baseline!.crossEntropy, expected, 1e-12);
  });

  it('when files are given then they are read with the n-grams of the training text', async () => {
    const other = readFileSync(join(cwd, 'other.txt'), 'utf8');
    const { baseline, characters, unknownCharacters } = await evaluate('run', 'other.txt', '--baseline');
    const known = new Set(text.slice(0, 18_000));
    const unknown = [...other].filter((character) => !known.has(character)).length;
    assert.deepEqual([characters, unknownCharacters, baseline!.order], [3080, unknown, 7]);
    assert.ok(unknown >= 80);
    near(baseline!.crossEntropy, await crossEntropyOf(7, 'run', text.slice(0, 18_000), other), 1e-12);
    const gains = [baseline!.networkBetter, baseline!.baselineBetter];
    const passages = gains.flatMap(({ passages }) => passages);
    assert.ok(passages.length >= 4);
    for (const { start, end, line, text, bitsSaved } of passages) {
      assert.equal(text, [...other].slice(start, end).join(''));
      assert.equal(line, [...other].slice(0, start).join('').split('\n').length);
      assert.ok(bitsSaved > 0);
    }
  });

  it('tells on which characters which model saves bits', async () => {
    const { baseline } = await evaluate('run', '--split', 'test', '--baseline', '6');
    for (const [gains, own, other] of [
      [baseline!.networkBetter, 'networkBits', 'baselineBits'],
      [baseline!.baselineBetter, 'baselineBits', 'networkBits'],
    ] as const) {
      const saved = gains.characters.map((character) => character[other] - character[own]);
      assert.ok(saved.length > 0 && saved.every((bits) => bits > 0));
      assert.deepEqual(
        saved,
        saved.toSorted((a, b) => b - a),
      );
      for (const { character, occurrences } of gains.characters) {
        assert.equal(text.slice(19_001).split(character!).length - 1, occurrences);
      }
    }
  });

  it('shows people both models, and where each is better', async () => {
    const { stdout, stderr } = await succeed(['eval', 'run', 'other.txt', '--baseline', '6'], { cwd });
    assert.match(stdout, /^MODEL +BITS\/CHARACTER +CROSS-ENTROPY +PERPLEXITY$/m);
    assert.match(stdout, /^network( +\d+\.\d{4}){3}$/m);
    assert.match(stdout, /^6-gram, Kneser-Ney( +\d+\.\d{4}){3} +[+−]\d\.\d{4} bits$/m);
    assert.match(stdout, /^THE 6-GRAM MODEL IS BETTER AT +TIMES +6-GRAM +NETWORK +BITS SAVED$/m);
    assert.match(stdout, /^(space|e) +\d+( +\d+\.\d\d){2} +\d+$/m);
    assert.match(stderr, /^8\d of 3080 characters are not in the model's vocabulary/m);
  });

  it('when a text has two characters, or is Chinese, or of bytes, then that is no difference', async () => {
    writeFileSync(join(cwd, 'two.txt'), 'th');
    const { baseline } = await evaluate('run', 'two.txt', '--baseline', '16');
    near(baseline!.crossEntropy, await crossEntropyOf(16, 'run', text.slice(0, 18_000), 'th'), 1e-12);
    writeFileSync(join(cwd, '信.txt'), '山上有霧，山下有雨。'.repeat(200));
    await train('信.txt', 'letters');
    const letters = await evaluate('letters', '--baseline', '3', '--dynamic');
    assert.ok(letters.baseline!.bitsPerCharacter < 0.2, 'it repeats');
    consistent(letters.dynamic!);
    await train('信.txt', 'bytes', '--unit', 'byte');
    const bytes = await evaluate('bytes', '信.txt', '--baseline', '9');
    assert.ok(bytes.baseline!.bitsPerCharacter < 0.1, 'it repeats');
  });

  it('what is not in the vocabulary appears in passages as what it is, in lists as one character', async () => {
    writeFileSync(join(cwd, 'strange.txt'), 'th你好\u{1F600}'.repeat(40));
    const { baseline } = await evaluate('run', 'strange.txt', '--baseline', '2');
    const gains = [baseline!.networkBetter, baseline!.baselineBetter];
    const unknown = gains.flatMap(({ characters }) =>
      characters.filter(({ character }) => character === null),
    );
    assert.deepEqual(
      unknown.map(({ occurrences }) => occurrences),
      [120],
    );
    const passages = gains.flatMap(({ passages }) => passages);
    assert.ok(passages.length > 0 && passages.every((passage) => passage.text.includes('th你好\u{1F600}')));
  });

  it('exit status 2: when the order is none', async () => {
    await fails(2, ['run', '--baseline=17'], '--baseline is 17, must be an integer from 1 to 16');
    await fails(2, ['run', '--baseline', 'other.txt'], 'other.txt', 'Not a number');
    for (const order of [0, 17, 2.5, -1, Number.NaN]) assert.throws(() => orderOf(order), { code: 'USAGE' });
    assert.deepEqual([orderOf(true), orderOf(1), orderOf(16)], [7, 1, 16]);
  });

  it('exit status 66, 65: when the training text has gone, or has changed', async () => {
    writeFileSync(join(cwd, 'gone.txt'), text);
    await train('gone.txt', 'moved', '--steps', '1');
    renameSync(join(cwd, 'gone.txt'), join(cwd, 'went.txt'));
    await fails(66, ['moved', 'other.txt', '--baseline'], 'gone.txt', 'hint: --baseline');
    writeFileSync(join(cwd, 'gone.txt'), `${text}.`);
    await fails(65, ['moved', 'other.txt', '--baseline'], 'gone.txt is not the text');
    await succeed(['train', '-', ...TINY, '--steps', '1', '--out', 'piped'], { cwd, input: text });
    await fails(66, ['piped', 'other.txt', '--baseline'], 'standard input');
    await succeed(['eval', 'piped', 'other.txt', '--dynamic'], { cwd });
  });
});

describe('charloom eval --dynamic', { concurrency: 3 }, () => {
  it('gives the figures of a network that learns, and does not change the others, nor the run', async () => {
    const files = readdirSync(join(cwd, 'run'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const digest = (): string[] =>
      files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'));
    const before = digest();
    const [plain, learning] = await Promise.all([
      evaluate('run', 'other.txt'),
      evaluate('run', 'other.txt', '--dynamic', '--dynamic-rate', '0.003', '--baseline'),
    ]);
    const { dynamic, baseline, charactersPerSecond, ...rest } = learning;
    assert.deepEqual({ ...rest, charactersPerSecond: plain.charactersPerSecond }, plain);
    assert.ok(baseline && charactersPerSecond > 0);
    consistent(dynamic!);
    assert.deepEqual([dynamic!.learningRate, dynamic!.segment], [0.003, 20]);
    assert.ok(dynamic!.crossEntropy < plain.crossEntropy - 0.02, `${dynamic!.crossEntropy}`);
    assert.ok(files.length >= 5);
    assert.deepEqual(digest(), before);
  });

  it('when another engine computes then the figure is about the same', { skip: noNative }, async () => {
    const found = await Promise.all(
      ['simd', 'native', 'reference'].map((device) => evaluate('run', '--dynamic', '--device', device)),
    );
    for (const { dynamic } of found) near(dynamic!.crossEntropy, found[0]!.dynamic!.crossEntropy, 1e-3);
  });

  it('when a step is tiny then it is the evaluation as ever', async () => {
    for (const segment of ['1', '1024']) {
      const still = ['--dynamic', '--dynamic-rate', '1e-30', '--dynamic-segment', segment];
      const { dynamic, crossEntropy } = await evaluate('run', ...still);
      near(dynamic!.crossEntropy, crossEntropy, 1e-6);
    }
  });

  it('shows people the gain', async () => {
    const { stdout } = await succeed(['eval', 'run', '--dynamic'], { cwd });
    assert.match(stdout, /^network, learning( +\d+\.\d{4}){3} +[+−]\d\.\d{4} bits$/m);
    assert.match(stdout, /^speed, learning +\d\S* characters\/s$/m);
  });

  it('exit status 2: when an option makes no sense', async () => {
    await fails(2, ['run', '--dynamic-rate', '0.1'], '--dynamic-rate', '--dynamic');
    const usage = { code: 'USAGE' };
    const weights = 'f32';
    assert.throws(() => dynamicSettings({ dynamicSegment: 10, weights }), usage);
    for (const dynamicRate of [0, -1, 2, Number.NaN]) {
      assert.throws(() => dynamicSettings({ dynamic: true, dynamicRate, weights }), usage);
    }
    for (const dynamicSegment of [0, 1.5, 1025]) {
      assert.throws(() => dynamicSettings({ dynamic: true, dynamicSegment, weights }), usage);
    }
    assert.throws(() => dynamicSettings({ dynamic: true, weights: 'bf16' }), usage);
    assert.equal(dynamicSettings({ weights }), undefined);
    assert.deepEqual(dynamicSettings({ dynamic: true, weights }), DYNAMIC_DEFAULTS);
  });

  it('exit status 76: when what it learns makes no sense', async () => {
    await train('play.txt', 'relu', '--cell', 'rnn', '--activation', 'relu', '--steps', '20');
    await fails(76, ['relu', 'play.txt', '--dynamic', '--dynamic-rate', '1'], 'diverged', '--dynamic-rate');
  });

  it('exit status 130: when SIGINT comes then it ends, with no figure', async () => {
    // Of a minute; what it says in a pipe comes every five seconds.
    writeFileSync(join(cwd, 'long.txt'), text.repeat(200));
    const args = ['eval', 'run', 'long.txt', '--dynamic', '--dynamic-segment', '1'];
    const { child, result, until } = start(args, { cwd });
    await until(/^evaluating dynamically/m);
    child.kill('SIGINT');
    const { status, stdout, stderr } = await result;
    assert.equal(status, 130, stderr);
    assert.equal(stdout, '');
    assert.doesNotMatch(stderr, /error/);
  });
});
