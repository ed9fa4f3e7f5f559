/** `charloom surprise`: it adds up to what `charloom eval` says, and shows texts of any kind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { SurpriseData } from '../../src/page/surprise-data.ts';
import { dataOf } from '../page/unpacked.ts';
import {
  charloom,
  EXECUTABLE,
  json,
  parseLines,
  sampleText,
  scratchFolder,
  start,
  succeed,
  TINY,
} from './charloom.ts';

const cwd = scratchFolder();
/** What escape sequences begin with. */
const ESCAPE = '\u001b';
const letters = readFileSync(new URL('../../corpora/mountain-letters.zh-TW.txt', import.meta.url), 'utf8');

interface Totals {
  readonly characters: number;
  readonly unknownCharacters: number;
  readonly crossEntropy: number;
  readonly bitsPerCharacter: number;
  readonly perplexity: number;
  readonly step: number;
  readonly source: string;
}

interface Surprise extends Totals {
  readonly passages: readonly {
    readonly start: number;
    readonly end: number;
    readonly line: number;
    readonly bits: number;
    readonly bitsPerCharacter: number;
    readonly text: string;
  }[];
}

interface CharacterLine {
  readonly position: number;
  readonly character: string;
  readonly bits: number | null;
  readonly rank?: number;
  readonly guesses?: readonly { readonly character: string; readonly probability: number }[];
}

const surprise = async (...args: string[]): Promise<Surprise> =>
  (await json<Surprise>(['surprise', ...args], { cwd }))[0]!;
const evaluate = async (...args: string[]): Promise<Totals> =>
  (await json<Totals>(['eval', ...args], { cwd }))[0]!;
const totals = ({
  characters,
  unknownCharacters,
  crossEntropy,
  bitsPerCharacter,
  perplexity,
  step,
  source,
}: Totals): Totals => ({
  characters,
  unknownCharacters,
  crossEntropy,
  bitsPerCharacter,
  perplexity,
  step,
  source,
});

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
  writeFileSync(join(cwd, 'other.txt'), `${sampleText(4100).slice(3500)}你好`);
  writeFileSync(join(cwd, 'long.txt'), sampleText(50_000).repeat(20));
  writeFileSync(join(cwd, 'letters.txt'), letters.slice(0, 1500));
  const train = (text: string, run: string, ...args: string[]) =>
    succeed(['train', text, ...TINY, '--steps', '60', '--learning-rate', '0.02', ...args, '--out', run], {
      cwd,
    });
  await Promise.all([
    train('text.txt', 'run'),
    train('letters.txt', 'letters', '--cell', 'lstm', '--layers', '2'),
    train('letters.txt', 'bytes', '--unit', 'byte', '--cell', 'rnn'),
  ]);
});

describe('charloom surprise', { concurrency: 3 }, () => {
  it('when it has read a text then its totals are those of eval, to the bit', async () => {
    for (const args of [
      ['run', 'other.txt'],
      ['run', 'other.txt', 'text.txt', '--device', 'reference'],
      ['run', '--split', 'test'],
      ['letters', 'letters.txt', '--weights', 'bf16', '--checkpoint', 'latest'],
    ]) {
      const [own, expected] = await Promise.all([surprise(...args), evaluate(...args)]);
      assert.deepEqual(totals(own), totals(expected));
    }
    const page = ['--html', 'totals.html', '--per-character', 'totals.jsonl'];
    assert.deepEqual(
      totals(await surprise('letters', 'letters.txt', ...page)),
      totals(await evaluate('letters', 'letters.txt')),
    );
  });

  it('when characters are asked for one by one then each has its bits, and they add up', async () => {
    const { bitsPerCharacter, passages } = await surprise('run', 'other.txt', '--per-character', 'all.jsonl');
    const lines = parseLines<CharacterLine>(readFileSync(join(cwd, 'all.jsonl'), 'utf8'));
    const text = readFileSync(join(cwd, 'other.txt'), 'utf8');
    assert.equal(lines.map(({ character }) => character).join(''), text);
    assert.deepEqual(lines[0], { position: 0, character: text[0], bits: null });
    const bits = lines.map((line) => line.bits ?? 0);
    const sum = (all: readonly number[]): number => all.reduce((total, own) => total + own, 0);
    assert.ok(Math.abs(sum(bits) / (lines.length - 1) - bitsPerCharacter) < 1e-9);
    for (const [i, { position, rank, guesses, bits, character }] of lines.entries()) {
      assert.equal(position, i);
      if (i === 0) continue;
      assert.equal(guesses!.length, 5);
      const own = guesses![rank! - 1];
      if (own) {
        assert.equal(own.character, character);
        assert.ok(Math.abs(2 ** -bits! - own.probability) < 1e-4);
      }
    }
    assert.ok(passages.length > 5 && passages.length <= 10);
    for (const { start, end, line, bits: cost, text: passage, bitsPerCharacter: mean } of passages) {
      assert.equal(end - start, 32);
      assert.equal(passage, text.slice(start, end));
      assert.equal(line, text.slice(0, start).split('\n').length);
      assert.ok(Math.abs(cost - sum(bits.slice(start, end))) < 1e-6);
      assert.ok(Math.abs(mean - cost / 32) < 1e-9);
    }
  });

  it('when stdout is no terminal then every line has its mean, then come the totals and the passages', async () => {
    const text = '\nMARA:\n\tThe light\x1b[31m 你 is out.\r\nEnd';
    const { stdout, stderr } = await succeed(['surprise', 'run', '-', '--passages', '2', '--width', '5'], {
      cwd,
      input: text,
    });
    assert.match(
      stdout.replace(ESCAPE, 'ESC'),
      /^ {5}-\n +\d\.\d\d {2}MARA:\n +\d\.\d\d {2}\tThe lightESC\[31m 你 is out\.\n +\d\.\d\d {2}End\n\nbefore each line: its bits per character\n\ntext +-\ncharacters +37 \(6 unknown\)\nbits per character +\d\.\d{4}\ncross-entropy .+\nperplexity .+\n\nBITS +LINE +COSTLIEST PASSAGES\n(\d+\.\d\d +\d +.+\n){2}$/,
    );
    assert.match(stderr, /^6 of 37 characters are not in the model's vocabulary/m);
    // The means of the lines are those of their characters.
    const input = { cwd, input: text };
    await succeed(['surprise', 'run', '-', '--per-character', 'lines.jsonl'], input);
    const lines = parseLines<CharacterLine>(readFileSync(join(cwd, 'lines.jsonl'), 'utf8'));
    const mara = lines.slice(1, 7).map(({ bits }) => bits!);
    const mean = mara.reduce((sum, bits) => sum + bits, 0) / 6;
    assert.equal(/([\d.]+) {2}MARA/.exec(stdout)![1], mean.toFixed(2));
  });

  it('when stdout is a terminal then the text is in colours and controls nothing', (t) => {
    writeFileSync(join(cwd, 'controls.txt'), `The ${ESCAPE}[2J\x07light <b> 你\n`.repeat(3));
    const onTerminal = (environment: NodeJS.ProcessEnv) =>
      spawnSync(
        'script',
        ['-qec', `${process.execPath} ${EXECUTABLE} surprise run controls.txt`, '/dev/null'],
        {
          cwd,
          encoding: 'utf8',
          env: {
            ...process.env,
            ...{ TERM: 'xterm-256color', COLORTERM: 'truecolor', NO_COLOR: undefined, CI: undefined },
            ...environment,
          },
        },
      );
    const { error, stdout } = onTerminal({});
    if (error) return t.skip('no script(1) here');
    assert.ok(
      stdout.includes(`${ESCAPE}[48;2;`) && !stdout.includes(`${ESCAPE}[2J`) && !stdout.includes('\x07'),
    );
    const plain = stdout.replaceAll(new RegExp(`${ESCAPE}\\[[\\d;?]*[a-zA-Z]`, 'g'), '');
    assert.match(plain, /The ␛\[2J␇light <b> 你↵/);
    assert.match(plain, / 0 {2}0\.5 {2}1 .* 12 {2}bits and more/);
    const light = onTerminal({ COLORFGBG: '0;15' }).stdout;
    assert.ok(light.includes(`${ESCAPE}[48;2;`) && light !== stdout);
    const none = onTerminal({ NO_COLOR: '1' }).stdout;
    assert.ok(!none.includes(ESCAPE) && none.includes('The \\u{1b}[2J\\u{7}light <b> 你'));
  });

  it('when the text is too short then the error is that of eval', async () => {
    writeFileSync(join(cwd, 'one.txt'), 'a');
    writeFileSync(join(cwd, 'empty.txt'), '');
    for (const name of ['one.txt', 'empty.txt']) {
      const [own, expected] = await Promise.all(
        ['surprise', 'eval'].map((command) => charloom([command, 'run', name], { cwd })),
      );
      assert.notEqual(own!.status, 0);
      assert.deepEqual(own, expected);
    }
  });

  it('when the text has two characters then there is one prediction, and one passage of it', async () => {
    writeFileSync(join(cwd, 'two.txt'), 'Th');
    const { characters, passages, bitsPerCharacter } = await surprise('run', 'two.txt', '--html', 'two.html');
    assert.equal(characters, 2);
    assert.deepEqual(passages, [
      { start: 1, end: 2, line: 1, bits: bitsPerCharacter, bitsPerCharacter, text: 'h' },
    ]);
    assert.equal(dataOf<SurpriseData>(readFileSync(join(cwd, 'two.html'), 'utf8')).length, 2);
    await succeed(['surprise', 'run', 'two.txt'], { cwd });
  });

  it('when the text is Chinese then characters, and bytes, are shown as text', async () => {
    for (const run of ['letters', 'bytes']) {
      const { passages } = await surprise(run, 'letters.txt', '--html', `${run}.html`);
      const page = readFileSync(join(cwd, `${run}.html`), 'utf8');
      for (const { text } of passages) {
        const whole = text.replace(/^\ufffd+|\ufffd+$/g, '');
        assert.ok(whole.length > 0 && letters.includes(whole), text);
      }
      assert.match(page, run === 'bytes' ? /··新··茶/ : /新茶/);
    }
  });

  it('when only so many characters are to be read then the source says so', async () => {
    const { characters, source, crossEntropy } = await surprise('run', 'other.txt', '--limit', '100');
    assert.equal(characters, 100);
    assert.equal(source, 'the first 100 characters of other.txt');
    writeFileSync(join(cwd, 'part.txt'), sampleText(3600).slice(3500));
    assert.equal(crossEntropy, (await evaluate('run', 'part.txt')).crossEntropy);
  });

  it('when something cannot be done then nothing is left behind, and what was there is as it was', async () => {
    const own = join(cwd, 'own');
    mkdirSync(join(own, 'folder'), { recursive: true });
    const fails = (...args: string[]) => charloom(['surprise', '../run', ...args], { cwd: own });
    const cases: [args: string[], status: number, message: RegExp][] = [
      [['--html', 'missing/page.html'], 73, /cannot create missing\/page\.html: its folder does not exist/],
      [['--html', 'folder'], 73, /folder/],
      [['--per-character', '-'], 2, /--per-character '-' is not a file name/],
      [['--html', '../other.txt'], 2, /--html \.\.\/other\.txt is the file that is read/],
      [['--limit', '1'], 2, /--limit is 1/],
      [['--width', '0'], 2, /--width is 0/],
      [['--split', 'test'], 2, /--split/],
    ];
    for (const [args, status, message] of cases) {
      const result = await fails('../other.txt', ...args);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, '');
    }
    writeFileSync(join(own, 'kept.html'), 'kept');
    const full = { cwd: own, stdout: '/dev/full' };
    for (const output of ['--html', '--per-character']) {
      const args = ['surprise', '../run', '../long.txt', output, 'kept.html'];
      const { child, result, until } = start(args, { cwd: own });
      await until(/reading the text/);
      child.kill('SIGINT');
      assert.equal((await result).status, 130);
    }
    assert.equal(readFileSync(join(own, 'kept.html'), 'utf8'), 'kept');
    assert.deepEqual(readdirSync(own), ['folder', 'kept.html']);
    if (existsSync('/dev/full')) {
      const { status } = await charloom(['surprise', '../run', '../other.txt'], full);
      assert.equal(status, 74);
    }
  });

  it('when the text has a megabyte then the page is of moderate size, and so is memory', async () => {
    const gauge = join(cwd, 'gauge.mjs');
    writeFileSync(
      gauge,
      `import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync('memory', String(process.resourceUsage().maxRSS)));`,
    );
    await succeed(['surprise', 'run', 'long.txt', '--html', 'long.html'], {
      cwd,
      environment: { NODE_OPTIONS: `--import ${pathToFileURL(gauge)}` },
    });
    const megabytes = statSync(join(cwd, 'long.html')).size / 1e6;
    assert.ok(megabytes > 2 && megabytes < 18, `${megabytes} MB`);
    const memory = Number(readFileSync(join(cwd, 'memory'), 'utf8')) / 1e3;
    assert.ok(memory < 450, `${memory} MB`);
  });
});
