/** `charloom train`: texts, settings, budgets, what is reported and kept. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { RunConfig } from '../../src/training/run-config.ts';
import { checkpointSteps, json, metrics, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const text = sampleText(3000);
const train = (run: string, ...args: string[]) =>
  succeed(['train', ...(args[0]?.startsWith('-') ? ['text.txt'] : []), ...args, '--out', run], { cwd });
const read = (...path: string[]) => JSON.parse(readFileSync(join(cwd, ...path), 'utf8'));
const config = (run: string): RunConfig => read(run, 'config.json');
const symbols = (run: string): string[] => read(run, 'vocabulary.json').symbols;
const weights = (run: string, step = 5) =>
  readFileSync(join(cwd, run, 'checkpoints', `${step}`, 'model.safetensors'));

before(() => {
  writeFileSync(join(cwd, 'text.txt'), text);
  writeFileSync(join(cwd, 'first.txt'), text.slice(0, 1000));
  writeFileSync(join(cwd, 'second.txt'), text.slice(1000));
});

describe('texts', { concurrency: 3 }, () => {
  it('when there are several files then they are one text', async () => {
    await train('whole', ...TINY, '--steps', '5');
    await train('parts', 'first.txt', 'second.txt', ...TINY, '--steps', '5');
    assert.deepEqual(
      config('parts').files.map(({ name, bytes }) => [name, bytes]),
      [
        ['first.txt', Buffer.byteLength(text.slice(0, 1000))],
        ['second.txt', Buffer.byteLength(text.slice(1000))],
      ],
    );
    assert.deepEqual(weights('parts'), weights('whole'));
  });

  it('when the text comes from standard input then the run is the same', async () => {
    await train('file', ...TINY, '--steps', '5');
    await succeed(['train', '-', ...TINY, '--steps', '5', '--out', 'pipe'], { cwd, input: text });
    assert.equal(config('pipe').files[0]!.name, 'stdin');
    assert.deepEqual(weights('pipe'), weights('file'));
  });

  it('when no --out is given then the run is named after its text, and never overwrites another', async () => {
    for (const run of ['runs/text', 'runs/text-2']) {
      const { stderr } = await succeed(['train', 'text.txt', ...TINY, '--steps', '1'], { cwd });
      assert.match(stderr, new RegExp(`saved in ${run}\n`));
      assert.ok(existsSync(join(cwd, run, 'config.json')));
    }
    for (const [file, run] of [
      ['-', 'runs/stdin'],
      ['/dev/stdin', 'runs/stdin-2'],
    ] as const) {
      const { stderr } = await succeed(['train', file, ...TINY, '--steps', '1'], { cwd, input: text });
      assert.match(stderr, new RegExp(`saved in ${run}\n`));
    }
  });

  it('when the budget is in epochs then the learning rate is that of as many steps', async () => {
    const schedule = ['--schedule', 'linear', '--warmup', '0', '--learning-rate', '0.01'];
    await train('by-epochs', ...TINY, ...schedule, '--epochs', '2');
    const [steps] = checkpointSteps(join(cwd, 'by-epochs')).slice(-1);
    await train('by-steps', ...TINY, ...schedule, '--steps', `${steps}`);
    assert.deepEqual(weights('by-epochs', steps), weights('by-steps', steps));
  });

  it('when the unit is grapheme then a symbol may have several code points', async () => {
    writeFileSync(join(cwd, 'thai.txt'), 'สวัสดีครับ ยินดีที่ได้รู้จัก 👩‍👩‍👧 '.repeat(30));
    const { stderr } = await succeed(
      ['train', 'thai.txt', ...TINY, '--unit', 'grapheme', '--steps', '1', '--out', 'thai'],
      {
        cwd,
      },
    );
    assert.match(stderr, /graphemes, \d+ different/);
    assert.ok(symbols('thai').includes('👩‍👩‍👧'));
  });

  it('when the unit is byte then any file will do', async () => {
    writeFileSync(
      join(cwd, 'binary'),
      Uint8Array.from({ length: 2000 }, (_, i) => (7 * i) % 251),
    );
    await train('binary-run', 'binary', ...TINY, '--unit', 'byte', '--steps', '1');
    assert.ok(symbols('binary-run').includes('\u00fa'));
  });

  it('when symbols are rarer than --min-count then they are unknown', async () => {
    writeFileSync(join(cwd, 'rare.txt'), `${'abc '.repeat(300)}é${'abc '.repeat(300)}`);
    await train('rare', 'rare.txt', ...TINY, '--min-count', '2', '--steps', '1');
    assert.deepEqual(symbols('rare'), [' ', 'a', 'b', 'c', '']);
  });
});

describe('settings', { concurrency: 3 }, () => {
  const cases: [string, string[], (rates: number[]) => void][] = [
    ['adam, constant', [], (rates) => assert.deepEqual(rates, Array(8).fill(0.01))],
    [
      'adamw, linear after a warm-up, squared error',
      ['--warmup', '4', '--loss', 'mse', '--weight-decay', '0.1'],
      (rates) => assert.ok(rates[0]! < rates[3]! && rates[3]! > rates[7]!, `${rates}`),
    ],
    [
      'rmsprop, step, one-hot',
      ['--embedding', '0', '--decay-after', '1', '--decay-rate', '0.5', '--batch-size', '80'],
      // 4 windows an epoch: decays with the second
      (rates) => assert.deepEqual(rates, [...Array(4).fill(0.01), ...Array(4).fill(0.005)]),
    ],
    ['sgd, cosine', [], (rates) => assert.ok(rates.every((rate, i) => i === 0 || rate < rates[i - 1]!))],
  ];
  for (const [title, own, assertRates] of cases) {
    it(`when training with ${title} then that is what is done and recorded`, async () => {
      const [optimizer, schedule] = title.split(/, | after/) as [string, string];
      const run = `${optimizer}-${schedule}`;
      const rate = ['--learning-rate', '0.01', '--warmup', '0'];
      const named = ['--optimizer', optimizer, '--schedule', schedule];
      await train(run, ...TINY, ...named, ...rate, ...own, '--steps', '8', '--eval-every', '0');
      const { training, model } = config(run);
      assert.deepEqual([training.optimizer, training.schedule], [optimizer, schedule]);
      assert.equal(training.loss, own.includes('mse') ? 'mse' : 'cross-entropy');
      assert.equal(model.embedding, own.includes('--embedding') ? 0 : 4);
      const steps = metrics(join(cwd, run)).filter((event) => event.event === 'step');
      assertRates(steps.map(({ learningRate }) => learningRate));
      // The squared error of a uniform guess is 1 - 1/V, its cross-entropy ln V.
      const V = model.vocabulary;
      const guess = training.loss === 'mse' ? 1 - 1 / V : Math.log(V);
      assert.ok(
        Math.abs(steps[0]!.loss / guess - 1) < 0.1,
        `first loss ${steps[0]!.loss}, expected ${guess}`,
      );
    });
  }

  it('when a preset is given then options override it', async () => {
    await train('preset', '--preset', 'char-rnn', ...TINY, '--steps', '1');
    const { preset, model, training } = config('preset');
    assert.deepEqual(
      [preset, model.layers, model.hidden, training.optimizer, training.clipNorm],
      ['char-rnn', 2, 8, 'rmsprop', 5],
    );
    assert.deepEqual([training.epochs, training.steps], [0, 1], 'one budget replaces all of the preset');
  });

  it("when a configuration is a run's own then the run can be repeated, with changes", async () => {
    const settings = {
      hidden: 8,
      embedding: 4,
      batchSize: 4,
      sequenceLength: 8,
      cell: 'gru',
      steps: 5,
      seed: 3,
    };
    writeFileSync(join(cwd, 'settings.json'), JSON.stringify({ ...settings, preset: 'tiny', unit: 'byte' }));
    await train('configured', '--config', 'settings.json');
    const { preset, text: how, model, training } = config('configured');
    assert.deepEqual([preset, how.unit, model.cell, training.seed], ['tiny', 'byte', 'gru', 3]);
    await train('repeated', '--config', 'configured/config.json');
    assert.deepEqual(weights('repeated'), weights('configured'));
    assert.equal(config('repeated').preset, 'tiny');
    await train('varied', '--config', 'configured/config.json', '--seed', '4', '--epochs', '0.1');
    assert.deepEqual([config('varied').training.seed, config('varied').training.steps], [4, 0]);
  });
});

describe('budgets', { concurrency: 3 }, () => {
  const done = (run: string) => {
    const last = metrics(join(cwd, run)).at(-1)!;
    assert.equal(last.event, 'done');
    return last;
  };

  it('when the epochs are used up then training ends with a whole epoch', async () => {
    await train('epochs', ...TINY, '--batch-size', '50', '--epochs', '2', '--steps', '1000');
    // ⌊2700 / 50⌋ = 54 symbols a stream: 6 windows of 8.
    assert.deepEqual([done('epochs').step, done('epochs').reason], [12, 'epochs']);
  });

  it('when the minutes are used up then training ends', async () => {
    await train('minutes', ...TINY, '--minutes', '0.01');
    const { reason, seconds } = done('minutes');
    assert.equal(reason, 'minutes');
    assert.ok(seconds >= 0.6 && seconds < 5, `${seconds} s`);
  });
});

describe('reports and checkpoints', { concurrency: 3 }, () => {
  it('when the best is old then it is kept beside the last two', async () => {
    // The model learns that there is no unknown symbol, of which the rest of the text is made.
    writeFileSync(join(cwd, 'misleading.txt'), 'ab'.repeat(900) + 'z'.repeat(200));
    const every = ['--eval-every', '2', '--sample-every', '4', '--checkpoint-every', '3'];
    const fast = ['--learning-rate', '0.05', '--warmup', '0', '--steps', '9'];
    await train('best', 'misleading.txt', ...TINY, ...every, ...fast);
    assert.deepEqual(checkpointSteps(join(cwd, 'best')), [2, 6, 9]);
    const events = metrics(join(cwd, 'best'));
    const stepsOf = (name: string) => events.filter(({ event }) => event === name).map(({ step }) => step);
    assert.deepEqual(stepsOf('eval'), [2, 4, 6, 8, 9], 'the end is evaluated');
    assert.deepEqual(stepsOf('sample'), [4, 8]);
    assert.deepEqual(
      stepsOf('checkpoint'),
      [2, 3, 6, 9, 9],
      'a new best is saved at once, and the evaluation at the end',
    );
    const [info] = await json<{ validation: { step: number } }>(['info', 'best'], { cwd });
    assert.equal(info!.validation.step, 9);
    const samples = readFileSync(join(cwd, 'best', 'samples.txt'), 'utf8');
    assert.match(samples, /^── step 4 ──\n[ab]{300}\n\n── step 8 ──\n[ab]{300}\n\n$/);
    const { stderr } = await succeed(['sample', 'best', '--length', '1', '--json'], { cwd });
    assert.equal(stderr, '');
  });

  it('when the last step is saved before its evaluation makes it the best then the best is in the checkpoint', async () => {
    const every = ['--eval-every', '3', '--checkpoint-every', '2'];
    await train('last', ...TINY, ...every, '--warmup', '0', '--steps', '4');
    const { best } = metrics(join(cwd, 'last')).at(-1)! as { best: { step: number } };
    assert.equal(best.step, 4, 'a model that has just begun gets better with every step');
    const [info] = await json<{ best: { step: number } }>(['info', 'last'], { cwd });
    assert.deepEqual(info!.best, best);
  });

  it('when all intervals are 0 then there is one checkpoint at the end, and no evaluation', async () => {
    await train(
      'never',
      ...TINY,
      '--steps',
      '9',
      '--eval-every',
      '0',
      '--sample-every',
      '0',
      '--checkpoint-every',
      '0',
    );
    assert.deepEqual(checkpointSteps(join(cwd, 'never')), [9]);
    const events = metrics(join(cwd, 'never')).map(({ event }) => event);
    assert.deepEqual(events, [...Array(9).fill('step'), 'checkpoint', 'done']);
    const { stdout } = await succeed(['info', 'never'], { cwd });
    assert.match(stdout, /^validation +not measured\nbest +not measured$/m);
  });

  it('when there is no validation text then training works all the same', async () => {
    await train('unvalidated', ...TINY, '--split', '100/0/0', '--steps', '2');
    assert.deepEqual(
      metrics(join(cwd, 'unvalidated')).filter(({ event }) => event === 'eval'),
      [],
    );
  });
});
