/** `charloom compress` and `charloom decompress`, as people and scripts use them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HEADER_BYTES } from '../../src/inference/compressed-file.ts';
import { charloom, EXECUTABLE, json, sampleText, scratchFolder, start, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const inFolder = (name: string): string => join(cwd, name);
const held = sampleText(26_000).slice(20_000);

interface Figures {
  readonly file: string;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly ratio: number;
  readonly characters: number;
  readonly unknownCharacters: number;
  readonly bitsPerCharacter: number;
  readonly crossEntropy: number;
  readonly stored: boolean;
}

const compress = async (...args: string[]): Promise<Figures> =>
  (await json<Figures>(['compress', ...args], { cwd }))[0]!;

before(async () => {
  writeFileSync(inFolder('text.txt'), sampleText(20_000));
  writeFileSync(inFolder('held.txt'), held);
  writeFileSync(
    inFolder('mixed.bin'),
    Buffer.concat([Buffer.from(`\ufeff${held.slice(0, 500)}é漢`), Buffer.of(0xff, 0)]),
  );
  writeFileSync(inFolder('empty'), '');
  mkdirSync(inFolder('folder'));
  const options = ['--steps', '400', '--hidden', '32', '--learning-rate', '0.01', '--eval-every', '0'];
  await succeed(['train', 'text.txt', ...TINY, ...options, '--checkpoint-every', '200', '--out', 'run'], {
    cwd,
  });
  await compress('run', 'held.txt', '-o', 'held.loom', '--checkpoint', 'latest');
});

describe('a file and back', { concurrency: 3 }, () => {
  it('when a text is compressed then its size is what eval says, within 0.1% and a constant', async () => {
    const figures = await compress('run', 'held.txt', '-o', 'size.loom');
    const [evaluation] = await json<Figures>(['eval', 'run', 'held.txt'], { cwd });
    assert.equal(figures.file, 'size.loom');
    assert.equal(figures.characters, evaluation!.characters);
    assert.equal(figures.compressedBytes, readFileSync(inFolder('size.loom')).length);
    assert.ok(Math.abs(figures.crossEntropy / evaluation!.crossEntropy - 1) < 1e-6);
    const ideal = (evaluation!.crossEntropy * (evaluation!.characters - 1)) / Math.LN2 / 8;
    const body = figures.compressedBytes - HEADER_BYTES;
    assert.ok(Math.abs(body - ideal) <= 0.001 * ideal + 3, `${body}, eval ${ideal}`);
    assert.ok(body < 0.5 * held.length, 'the model has learned something');
    assert.equal(figures.bitsPerCharacter, (8 * figures.compressedBytes) / figures.characters);
    assert.equal(figures.ratio, figures.bytes / figures.compressedBytes);
  });

  for (const name of ['held.txt', 'mixed.bin', 'empty']) {
    it(`when it is ${name} then it comes back, from a run and from a checkpoint folder, with any threads`, async () => {
      const made = [`${name}.1.loom`, `${name}.2.loom`];
      const model = 'run/checkpoints/400';
      const figures = await compress(model, name, '-o', made[0]!, '--threads', '1');
      await compress('run', name, '-o', made[1]!, '--threads', '2', '--checkpoint', '400');
      assert.deepEqual(readFileSync(inFolder(made[0]!)), readFileSync(inFolder(made[1]!)));
      const [restored] = await json(['decompress', model, made[1]!, '-o', `${name}.back`], { cwd });
      assert.deepEqual(readFileSync(inFolder(`${name}.back`)), readFileSync(inFolder(name)));
      assert.equal(restored!.file, `${name}.back`);
      assert.equal(restored!.bytes, figures.bytes);
      assert.equal(restored!.characters, figures.characters);
    });
  }

  it('when it goes through pipes then nothing but its bytes is on stdout', async () => {
    const shell = '"$@" compress run - | "$@" decompress run - > piped.txt';
    const { stderr } = await succeed([], { cwd, shell, input: held });
    assert.equal(readFileSync(inFolder('piped.txt'), 'utf8'), held);
    assert.match(stderr, /^6000 bytes to \d+, \d+\.\d% of it$/m);
    const output = await succeed(['decompress', 'run', 'held.loom', '--checkpoint', 'latest', '-o', '-'], {
      cwd,
    });
    assert.equal(output.stdout, held);
  });

  it('when people compress then they read sizes, and what the model claims', async () => {
    const { stdout, stderr } = await succeed(['compress', 'run', 'mixed.bin', '-o', 'said.loom'], { cwd });
    assert.match(
      stdout,
      /^file +said\.loom\nsize +\d+ bytes to \d+, \d+\.\d% of it\nbits per character +\d\.\d{4}\nclaimed by the model +\d\.\d{4}\nspeed .+ on simd\n$/,
    );
    assert.match(stderr, /^5 of 505 characters are not in the model's vocabulary/m);
    const back = await succeed(['decompress', 'run', 'said.loom', '-o', 'said.bin'], { cwd });
    assert.match(back.stdout, /^file +said\.bin\nsize +\d+ bytes to 510\nspeed .+\n$/);
  });

  it('when a file would become longer then it is stored, and people are told', async () => {
    const noise = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7919 + (i >> 3)) & 255));
    writeFileSync(inFolder('noise.bin'), noise);
    const { stderr } = await succeed(['compress', 'run', 'noise.bin', '-o', 'noise.loom'], { cwd });
    assert.match(stderr, /^noise\.bin is stored as it is/m);
    assert.equal(readFileSync(inFolder('noise.loom')).length, 300 + HEADER_BYTES);
    await succeed(['decompress', 'run', 'noise.loom', '-o', 'noise.back'], { cwd });
    assert.deepEqual(readFileSync(inFolder('noise.back')), noise);
  });
});

describe('what is refused', { concurrency: 3 }, () => {
  before(() => {
    const bytes = readFileSync(inFolder('held.loom'));
    bytes[200]! ^= 4;
    writeFileSync(inFolder('damaged.loom'), bytes);
  });
  const cases: [title: string, status: number, args: string[], message: RegExp][] = [
    [
      'the file was made with another checkpoint',
      65,
      ['decompress', 'run', 'held.loom', '--checkpoint', '200', '-o', 'out'],
      /held\.loom was compressed with another model \(.+, step 400\).+\nhint: .+--checkpoint/,
    ],
    [
      'the file is damaged',
      65,
      ['decompress', 'run', 'damaged.loom', '-o', 'out'],
      /damaged\.loom is damaged/,
    ],
    [
      'the file is none of ours',
      65,
      ['decompress', 'run', 'text.txt', '-o', 'out'],
      /text\.txt was not made/,
    ],
    ['the file is empty', 65, ['decompress', 'run', 'empty', '-o', 'out'], /empty was not made/],
    ['the file does not exist', 66, ['compress', 'run', 'none', '-o', 'out'], /none: it does not exist/],
    ['the file is a folder', 66, ['compress', 'run', 'folder', '-o', 'out'], /folder: it is a folder/],
    [
      'the model does not exist',
      66,
      ['compress', 'none', 'held.txt', '-o', 'out'],
      /none: it does not exist/,
    ],
    ['the output is a folder', 73, ['compress', 'run', 'held.txt', '-o', 'folder'], /folder: it is a folder/],
    [
      'the output cannot be',
      73,
      ['compress', 'run', 'held.txt', '-o', 'none/out'],
      /none\/out: its folder does not exist/,
    ],
    ['JSON and data would be mixed', 2, ['compress', 'run', 'held.txt', '--json'], /-o FILE/],
    [
      'the output is the input',
      2,
      ['compress', 'run', 'held.txt', '-o', './held.txt'],
      /is the file that is read/,
    ],
    ['the output has no name', 2, ['decompress', 'run', 'held.loom', '-o', ''], /not a file name/],
    ['another engine is asked for', 2, ['compress', 'run', 'held.txt', '--device', 'native'], /--device/],
  ];
  for (const [title, status, args, message] of cases) {
    it(`when ${title} then the status is ${status}, and nothing is written`, async () => {
      const result = await charloom(args, { cwd });
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, '');
      assert.equal(existsSync(inFolder('out')), false);
    });
  }

  it('when an output that is there cannot be replaced by what was asked for then it stays', async () => {
    writeFileSync(inFolder('kept'), 'kept');
    assert.equal((await charloom(['decompress', 'run', 'damaged.loom', '-o', 'kept'], { cwd })).status, 65);
    assert.equal(readFileSync(inFolder('kept'), 'utf8'), 'kept');
  });

  it('when stdout is a terminal then no bytes go there', (t) => {
    for (const args of ['compress run held.txt', 'decompress run held.loom -o -']) {
      const command = `${process.execPath} ${EXECUTABLE} ${args}`;
      const result = spawnSync('script', ['-qec', command, '/dev/null'], { cwd, encoding: 'utf8' });
      if (result.error) {
        t.skip("there is no 'script' of util-linux to make a terminal");
        return;
      }
      assert.equal(result.status, 2, result.stdout);
      assert.match(result.stdout, /standard output is a terminal/);
    }
  });

  it('when stdout is full or closed then that is an error, or a quiet end', {
    skip: !existsSync('/dev/full'),
  }, async () => {
    const full = await charloom(['compress', 'run', 'held.txt'], { cwd, stdout: '/dev/full' });
    assert.equal(full.status, 74, full.stderr);
    const closed = await charloom(['decompress', 'run', 'held.loom', '--checkpoint', 'latest'], {
      cwd,
      shell: '{ "$@"; echo "status $?" >&2; } | true',
    });
    assert.match(closed.stderr, /status 0$/m);
  });
});

describe('Ctrl-C', () => {
  before(async () => {
    writeFileSync(inFolder('long.txt'), held.repeat(20));
    await compress('run', 'long.txt', '-o', 'long.loom');
  });

  for (const [name, input] of [
    ['compress', 'long.txt'],
    ['decompress', 'long.loom'],
  ] as const) {
    it(`when it comes while charloom ${name} works then nothing is left behind`, async () => {
      const files = readdirSync(cwd);
      const { child, until, result } = start([name, 'run', input, '-o', 'interrupted'], { cwd });
      await until(/reading the text/);
      await sleep(300);
      child.kill('SIGINT');
      const { status, stderr } = await result;
      assert.equal(status, 130, stderr);
      assert.doesNotMatch(stderr, /error/);
      assert.deepEqual(readdirSync(cwd), files);
    });
  }
});
