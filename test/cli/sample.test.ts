/** `charloom sample`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { charloom, EXECUTABLE, json, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
  writeFileSync(join(cwd, 'chinese.txt'), '燈塔看守人寫信給山上的姐姐，說海霧又來了。'.repeat(60));
  const budget = ['--steps', '200', '--learning-rate', '0.02', '--eval-every', '0'];
  await Promise.all([
    succeed(['train', 'text.txt', ...TINY, ...budget, '--out', 'run'], { cwd }),
    succeed(['train', 'chinese.txt', ...TINY, ...budget, '--unit', 'byte', '--out', 'bytes'], { cwd }),
  ]);
});

interface Drawn {
  readonly text: string;
  readonly prompt: string;
  readonly characters: number;
  readonly seed: number;
}

const drawAll = (...args: string[]) => json<Drawn>(['sample', 'run', '--length', '60', ...args], { cwd });
const draw = async (...args: string[]): Promise<string> => (await drawAll(...args))[0]!.text;

describe('charloom sample', { concurrency: 4 }, () => {
  it('when the seed is the same then so is the text', async () => {
    const [one, again, other] = await Promise.all(['7', '7', '8'].map((seed) => draw('--seed', seed)));
    assert.equal([...one!].length, 60);
    assert.equal(again, one);
    assert.notEqual(other, one);
  });

  it('when no seed is given then it is another text each time, and can be had again', async () => {
    const [[one], [other]] = await Promise.all([drawAll(), drawAll()]);
    assert.notEqual(one!.text, other!.text);
    assert.equal(await draw('--seed', String(one!.seed)), one!.text);
  });

  it('when the temperature is 0 then the likeliest symbol is drawn, as with top-k 1', async () => {
    const [greedy, topK, topP, minP] = await Promise.all([
      draw('--temperature', '0', '--seed', '1'),
      draw('--top-k', '1', '--seed', '2'),
      draw('--top-p', '0.0001', '--seed', '3'),
      draw('--min-p', '1', '--seed', '4'),
    ]);
    assert.equal(topK, greedy);
    assert.equal(topP, greedy);
    assert.equal(minP, greedy);
  });

  it('when there is a stop string then the text ends before it', async () => {
    const text = await draw('--seed', '7');
    const stop = text.slice(20, 23);
    assert.equal(await draw('--seed', '7', '--stop', stop), text.slice(0, text.indexOf(stop)));
    const { stdout } = await succeed(
      ['sample', 'run', '--length', '60', '--prompt', '\n', '--seed', '7', '--stop', stop],
      { cwd },
    );
    assert.equal(
      stdout,
      `\n${text.slice(0, text.indexOf(stop))}\n`,
      'a prompt of a line break is what starts a text',
    );
  });

  it('when the vocabulary has no line break then each of several texts begins with a symbol of its own seed', async () => {
    writeFileSync(join(cwd, 'line.txt'), 'one two three '.repeat(100));
    await succeed(['train', 'line.txt', '--out', 'line', ...TINY, '--steps', '1'], { cwd });
    const lines = await json<{ text: string }>(
      ['sample', 'line', '--length', '60', '--count', '4', '--seed', '5'],
      {
        cwd,
      },
    );
    for (const [i, { text }] of lines.entries()) {
      const [alone] = await json<{ text: string }>(
        ['sample', 'line', '--length', '60', '--seed', `${5 + i}`],
        { cwd },
      );
      assert.equal(text, alone!.text, `seed ${5 + i}`);
    }
  });

  it('when several texts are drawn then each has its own seed, and is what that seed alone gives', async () => {
    const drawn = await drawAll('--count', '3', '--seed', '20');
    assert.deepEqual(
      drawn.map(({ seed }) => seed),
      [20, 21, 22],
    );
    assert.equal(await draw('--seed', '22'), drawn[2]!.text);
    const { stdout } = await succeed(['sample', 'run', '--length', '60', '--count', '3', '--seed', '20'], {
      cwd,
    });
    assert.equal(stdout, drawn.map(({ text }) => `${text}\n`).join('\n---\n'));
  });

  it('when the prompt has unseen characters then they are counted on stderr', async () => {
    const { stdout, stderr } = await succeed(['sample', 'run', '--prompt', '你好 The', '--length', '5'], {
      cwd,
    });
    assert.match(stdout, /^你好 The(.|\n){5}\n$/);
    assert.match(stderr, /^of the prompt, 2 characters are not in the model's vocabulary/);
  });

  it('when the prompt is in a file then it is read from there', async () => {
    writeFileSync(join(cwd, 'prompt.txt'), 'The lamp');
    const [fromFile, given] = await Promise.all([
      drawAll('--prompt-file', 'prompt.txt', '--seed', '1'),
      drawAll('--prompt', 'The lamp', '--seed', '1'),
    ]);
    assert.equal(fromFile[0]!.prompt, 'The lamp');
    assert.equal(fromFile[0]!.text, given[0]!.text);
  });

  it('when the length is 0 then only the prompt is written', async () => {
    assert.equal(
      (await succeed(['sample', 'run', '--length', '0', '--prompt', 'Hi'], { cwd })).stdout,
      'Hi\n',
    );
    const [drawn] = await drawAll('--length', '0');
    assert.deepEqual([drawn!.text, drawn!.characters], ['', 0]);
  });

  it('when the model is one of bytes then it writes bytes, and as JSON valid text', async () => {
    const args = ['sample', 'bytes', '--length', '300', '--seed', '1', '--prompt', '燈'];
    const stdout = join(cwd, 'drawn.bin');
    const [[drawn]] = await Promise.all([json<Drawn>(args, { cwd }), succeed(args, { cwd, stdout })]);
    const written = readFileSync(stdout);
    assert.equal(
      written.length,
      Buffer.byteLength('燈') + 300,
      'every byte that was drawn, and nothing else',
    );
    assert.equal(written.toString(), `燈${drawn!.text}`);
    assert.equal(drawn!.characters, 300);
    assert.match(drawn!.text, /\p{Script=Han}/u);
    assert.doesNotMatch(drawn!.text, /\p{Surrogate}/u);
  });

  it('when there are more texts than are drawn side by side then each is that of its seed', async () => {
    const args = ['sample', 'run', '--length', '5', '--seed', '7'];
    const drawn = await json<Drawn>([...args, '--count', '130'], { cwd });
    assert.equal(drawn.length, 130);
    for (const i of [0, 64, 128]) {
      const [alone] = await json<Drawn>(['sample', 'run', '--length', '5', '--seed', `${7 + i}`], { cwd });
      assert.equal(drawn[i]!.text, alone!.text, `text ${i}: the sampler forgot those before`);
    }
  });

  it('when a checkpoint folder is given then it is the model', async () => {
    const args = ['--length', '60', '--seed', '7'];
    const [drawn] = await json<Drawn>(['sample', 'run/checkpoints/200', ...args], { cwd });
    assert.equal(drawn!.text, await draw('--seed', '7'));
  });

  it('when the reader of a pipe goes away then the end is quiet', () => {
    const { status, stdout, stderr } = spawnSync(
      'sh',
      [
        '-c',
        '{ "$0" "$1" sample run --length 1000000; echo "status $?" >&2; } | head -c 10',
        process.execPath,
        EXECUTABLE,
      ],
      { cwd, encoding: 'utf8', timeout: 60_000 },
    );
    assert.equal(status, 0);
    assert.equal(stdout.length, 10);
    assert.equal(stderr, 'status 0\n');
  });
});

describe('charloom sample --interactive', { concurrency: 3 }, () => {
  const converse = (input: string, ...args: string[]) =>
    charloom(['sample', 'run', '--interactive', '--length', '10', '--seed', '3', ...args], { cwd, input });

  it('when lines are piped in then each gets an answer, of which the model knows the ones before', async () => {
    const { status, stdout, stderr } = await converse('The\nAnd\n/reset\nAnd\n', '--temperature', '0');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^((.|\n){10}\n){3}$/);
    const alone = await converse('And', '--temperature', '0');
    assert.equal(alone.stdout, stdout.slice(22), 'after /reset nothing is known');
  });

  it('when commands come then they change what follows', async () => {
    const { stdout, stderr } = await converse('/length 3\n/temperature 0\nThe\n/nonsense\n/quit\nThe\n');
    assert.equal(stdout.length, 4);
    assert.match(stderr, /\/temperature T/, 'an unknown command shows the known ones');
  });

  it('when a command asks for what the options refuse then it is refused, too, and nothing changes', async () => {
    const { stdout, stderr } = await converse(
      '/temperature 1e999\n/temperature\n/length 1e10\n/length 3\n/length 1.5\nThe\n',
    );
    assert.deepEqual(stderr.split('\n').slice(0, 4), [
      '/temperature is 1e999, must be a number from 0 to 1000000',
      '/temperature is missing, must be a number from 0 to 1000000',
      '/length is 1e10, must be an integer from 0 to 1000000000',
      '/length is 1.5, must be an integer from 0 to 1000000000',
    ]);
    assert.equal(stdout.length, 4);
    assert.doesNotMatch(stdout, /\ufffd/);
  });

  it('when a line has unseen characters then they are counted', async () => {
    assert.match((await converse('你好')).stderr, /^\(characters that the model does not know: 2\)\n$/);
  });
});
