/** `charloom train --init-from`: a run that starts from the weights of another. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { RunConfig } from '../../src/training/run-config.ts';
import { charloom, json, metrics, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = realpathSync(scratchFolder());
const text = sampleText(6000);
const config = (run: string): RunConfig => JSON.parse(readFileSync(join(cwd, run, 'config.json'), 'utf8'));
const symbols = (run: string): string[] =>
  JSON.parse(readFileSync(join(cwd, run, 'vocabulary.json'), 'utf8')).symbols;
const weights = (run: string, step: number) =>
  readFileSync(join(cwd, run, 'checkpoints', String(step), 'model.safetensors'));
const TRAINING = ['--device', 'simd', '--batch-size', '4', '--sequence-length', '8'];
/** So small that no weight moves. */
const STILL = [...TRAINING, '--learning-rate', '1e-30', '--steps', '1'];

const train = (run: string, file: string, ...options: string[]) =>
  succeed(['train', file, ...options, '--out', run], { cwd });
const crossEntropy = async (run: string, file: string): Promise<number> =>
  (await json<{ crossEntropy: number }>(['eval', run, file], { cwd }))[0]!.crossEntropy;

async function refused(status: number, args: readonly string[], message: RegExp): Promise<void> {
  const result = await charloom(['train', 'text.txt', ...STILL, ...args, '--out', 'refused'], { cwd });
  assert.equal(result.status, status, result.stderr);
  assert.match(result.stderr, message);
  assert.equal(existsSync(join(cwd, 'refused')), false);
}

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), text);
  writeFileSync(join(cwd, 'accents.txt'), text.replaceAll('e', 'é').replaceAll('th', '\u00fe'));
  await train(
    'source',
    'text.txt',
    ...TINY,
    '--steps',
    '400',
    '--eval-every',
    '100',
    '--learning-rate',
    '0.01',
  );
});

describe('a run that starts from another', { concurrency: 2 }, () => {
  it('when nothing has been learned yet then it is the model that it started from', async () => {
    const { stderr } = await train('still', 'text.txt', ...STILL, '--init-from', 'source');
    assert.match(stderr, /^starting from source, step \d00$/m);
    assert.equal(await crossEntropy('still', 'text.txt'), await crossEntropy('source', 'text.txt'));
    const sample = ['--length', '200', '--seed', '5'];
    const [own, sources] = await Promise.all(
      ['still', 'source'].map((run) => succeed(['sample', run, ...sample], { cwd })),
    );
    assert.equal(own!.stdout, sources!.stdout);
    assert.deepEqual(config('still').model, { ...config('source').model, dropout: 0.2 });
  });

  it('when the text has other symbols then they are added, and the others keep their ids', async () => {
    const { stderr } = await train('accents', 'accents.txt', ...STILL, '--init-from', 'source');
    assert.match(stderr, /; 2 characters added to its vocabulary$/m);
    assert.match(stderr, new RegExp(`, ${symbols('source').length + 1} in the vocabulary; `));
    assert.deepEqual(symbols('accents'), [...symbols('source'), 'é', '\u00fe']);
    // Two symbols that hardly anything speaks for take little from the others.
    const [before, after] = [
      await crossEntropy('source', 'text.txt'),
      await crossEntropy('accents', 'text.txt'),
    ];
    assert.ok(after > before && after < before + 0.2, `${after}, was ${before}`);
  });

  it('when it goes on learning then it is ahead of a new run, also of a text with new symbols', async () => {
    const options = [...TRAINING, '--steps', '60', '--learning-rate', '0.005'];
    const shape = ['--hidden', '8', '--embedding', '4'];
    await train('on', 'accents.txt', ...options, '--init-from', 'source');
    await train('anew', 'accents.txt', ...options, ...shape);
    const [on, anew] = [await crossEntropy('on', 'accents.txt'), await crossEntropy('anew', 'accents.txt')];
    assert.ok(on < anew - 0.2, `${on} nats, anew ${anew}`);
  });

  it('when it was stopped then it goes on to the same bits, without the run that it came from', async () => {
    await train('copied', 'text.txt', ...TINY, '--steps', '50');
    const options = [...TRAINING, '--schedule', 'constant', '--init-from', 'copied'];
    await train('whole', 'accents.txt', ...options, '--steps', '20');
    await train('halves', 'accents.txt', ...options, '--steps', '7');
    renameSync(join(cwd, 'copied'), join(cwd, 'away'));
    await succeed(['resume', 'halves', '--steps', '20'], { cwd });
    assert.deepEqual(weights('halves', 20), weights('whole', 20));
    assert.deepEqual(config('halves').initFrom, config('whole').initFrom);
  });

  it('when it diverges before anything was saved then it goes back to the weights that it started from', async () => {
    const relu = ['--cell', 'rnn', '--activation', 'relu'];
    await train('ramp', 'text.txt', ...TINY, ...relu, '--steps', '20');
    const wild = ['--optimizer', 'sgd', '--clip-norm', '0', '--warmup', '0', '--schedule', 'constant'];
    const options = [...TRAINING, ...wild, '--eval-every', '0', '--init-from', 'ramp', '--steps', '40'];
    await train('rolled', 'text.txt', ...options, '--learning-rate', '1e6', '--rollbacks', '60');
    const back = metrics(join(cwd, 'rolled')).filter((event) => event.event === 'rollback');
    assert.ok(back.length > 0 && back.every(({ step }) => step === 0));
    const rate = 1e6 * back.at(-1)!.learningRateFactor;
    await train('slower', 'text.txt', ...options, '--learning-rate', String(rate));
    assert.deepEqual(weights('rolled', 40), weights('slower', 40));
  });

  it('when it is looked at then it says where it came from', async () => {
    const checkpoint = join(cwd, 'source', 'checkpoints', '400');
    await train('child', 'text.txt', ...STILL, '--init-from', checkpoint);
    const sha256 = createHash('sha256').update(weights('source', 400)).digest('hex');
    const initFrom = { checkpoint, step: 400, sha256 };
    assert.deepEqual(config('child').initFrom, initFrom);
    const [info] = await json(['info', 'child'], { cwd });
    assert.deepEqual(info!.initFrom, initFrom);
    const { stdout } = await succeed(['info', 'child'], { cwd });
    assert.ok(stdout.includes(`started from  `) && stdout.includes(checkpoint), stdout);
    await succeed(['report', 'child', '-o', 'child.html'], { cwd });
    const page = readFileSync(join(cwd, 'child.html'), 'utf8');
    assert.ok(page.includes(`source (step 400, sha256 ${sha256.slice(0, 12)}…)`));
    assert.ok(!page.includes(cwd), 'not where it lies');
  });

  it('when its settings say its shape, too, then they may', async () => {
    const same = ['--hidden', '8', '--config', 'source/config.json', '--init-from', 'source'];
    await train('same', 'text.txt', ...same, '--steps', '1', '--epochs', '0', '--minutes', '0');
    assert.deepEqual(config('same').model, config('source').model);
    // Presets and other runs are about how to train here; the shape is the model's.
    await train(
      'other',
      'text.txt',
      ...TINY,
      '--cell',
      'lstm',
      '--layers',
      '2',
      '--dropout',
      '0.1',
      '--steps',
      '1',
    );
    await train('like-other', 'text.txt', '--config', 'other/config.json', '--init-from', 'source');
    assert.deepEqual(config('like-other').model, { ...config('source').model, dropout: 0.1 });
    await train('preset', 'text.txt', '--preset', 'char-rnn', ...STILL, '--init-from', 'source');
    assert.deepEqual(config('preset').model, { ...config('source').model, dropout: 0 });
    assert.equal(config('preset').training.optimizer, 'rmsprop');
  });
});

describe('a model with symbols of two texts', { concurrency: 2 }, () => {
  it('when it reads symbols that it had, that were added and that it lacks then all come back from its archive', async () => {
    writeFileSync(join(cwd, 'mixed.txt'), `${text.slice(0, 300)}é\u00fe é漢字é ${text.slice(300, 400)}`);
    await train('both', 'accents.txt', ...TRAINING, '--steps', '20', '--init-from', 'source');
    await succeed(['compress', 'both', 'mixed.txt', '-o', 'mixed.loom'], { cwd });
    await succeed(['decompress', 'both', 'mixed.loom', '-o', 'mixed.back'], { cwd });
    assert.equal(readFileSync(join(cwd, 'mixed.back'), 'utf8'), readFileSync(join(cwd, 'mixed.txt'), 'utf8'));
    const [evaluation] = await json(['eval', 'both', 'mixed.txt'], { cwd });
    assert.equal(evaluation!.unknownCharacters, 2);
    const { stdout } = await succeed(['sample', 'both', '--length', '3000', '--temperature', '3'], { cwd });
    assert.ok(stdout.includes('é') && !stdout.includes('\ufffd'), 'what it lacks is never drawn');
  });

  it('when it is the start of a third then that has them, too; bytes stay bytes', async () => {
    const bytes = [...TRAINING, '--unit', 'byte', '--steps', '1', '--hidden', '8', '--embedding', '4'];
    await train('bytes', 'text.txt', ...bytes);
    writeFileSync(join(cwd, 'cyrillic.txt'), 'Ветер стих. '.repeat(200));
    await train('second', 'accents.txt', ...STILL, '--init-from', 'bytes');
    await train('third', 'cyrillic.txt', ...STILL, '--init-from', 'second');
    const known = symbols('third');
    assert.deepEqual(known.slice(0, symbols('second').length), symbols('second'));
    assert.ok(known.includes('\u00d0') && known.includes('\u00c3') && known.includes('q'));
    assert.equal(config('third').text.unit, 'byte');
  });
});

describe('a start that is refused', { concurrency: 2 }, () => {
  it('when a setting is not what the model has then it is named', async () => {
    for (const [option, value, own] of [
      ['--hidden', '9', '8'],
      ['--layers', '2', '1'],
      ['--cell', 'lstm', '"gru"'],
      ['--embedding', '0', '4'],
      ['--unit', 'byte', '"character"'],
    ] as const) {
      const said = option === '--cell' || option === '--unit' ? `"${value}"` : value;
      const message = new RegExp(
        `^error: ${option} is ${said}, but the model of --init-from has ${own}\nhint: `,
        'm',
      );
      await refused(2, ['--init-from', 'source', option, value], message);
    }
  });

  it('when there is no such model, or it is damaged, then it says so', async () => {
    await refused(66, ['--init-from', 'nowhere'], /^error: cannot read nowhere: it does not exist$/m);
    mkdirSync(join(cwd, 'empty'), { recursive: true });
    await refused(66, ['--init-from', 'empty'], /^error: empty is no run/m);
    await train('broken', 'text.txt', ...TINY, '--steps', '1');
    const path = join(cwd, 'broken', 'checkpoints', '1', 'model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 2]! ^= 1;
    writeFileSync(path, bytes);
    await refused(
      65,
      ['--init-from', 'broken'],
      /^error: .*model\.safetensors is damaged.*\nhint: .* RUN\/checkpoints\/STEP$/m,
    );
    const onto = ['train', 'text.txt', ...STILL, '--init-from', 'source', '--out', 'source'];
    const { status, stderr } = await charloom(onto, { cwd });
    assert.deepEqual([status, /^error: source holds a run already$/m.test(stderr)], [73, true], stderr);
  });
});
