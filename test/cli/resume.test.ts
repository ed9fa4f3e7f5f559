/** A run that was stopped and resumed is, to the bit, the run that never stopped. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import {
  checkpointSteps,
  json,
  metrics,
  sampleText,
  scratchFolder,
  start,
  succeed,
  TINY,
} from './charloom.ts';

const cwd = scratchFolder();

before(() => {
  // An epoch has 5 windows of 4 streams by 8 steps.
  writeFileSync(join(cwd, 'short.txt'), sampleText(190));
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
});

/** SHA-256 of the weights and of the training state in a run's latest checkpoint. */
function digests(run: string): string[] {
  const step = checkpointSteps(join(cwd, run)).at(-1)!;
  return ['model.safetensors', 'training.safetensors'].map((name) => {
    const bytes = readFileSync(join(cwd, run, 'checkpoints', String(step), name));
    return `step ${step} ${name} ${createHash('sha256').update(bytes).digest('hex')}`;
  });
}

/** Every step has told of itself once, in order. */
function assertEveryStepOnce(run: string, steps: number): void {
  const told = metrics(join(cwd, run)).filter(({ event }) => event === 'step');
  assert.deepEqual(
    told.map(({ step }) => step),
    Array.from({ length: steps }, (_, i) => i + 1),
  );
}

describe('a run in several sittings gives the bits of a run in one', { concurrency: 3 }, () => {
  const cells = [
    ['lstm', '--optimizer', 'adamw', '--weight-decay', '0.1'],
    ['gru', '--optimizer', 'rmsprop'],
    ['rnn', '--optimizer', 'sgd', '--embedding', '0'],
  ] as const;
  for (const [cell, ...own] of cells) {
    it(`when ${cell} is stopped within and at the end of an epoch`, async () => {
      const random = ['--dropout', '0.3', '--reset-probability', '0.2', '--layers', '2', '--seed', '5'];
      const args = [
        'train',
        'short.txt',
        ...TINY,
        '--cell',
        cell,
        ...random,
        '--schedule',
        'constant',
        ...own,
      ];
      await succeed([...args, '--steps', '12', '--out', `${cell}-1`], { cwd });
      await succeed([...args, '--steps', '3', '--out', `${cell}-4`], { cwd });
      for (const steps of ['5', '6', '12']) await succeed(['resume', `${cell}-4`, '--steps', steps], { cwd });
      assert.deepEqual(digests(`${cell}-4`), digests(`${cell}-1`));
      assertEveryStepOnce(`${cell}-4`, 12);
    });
  }
});

describe('a run that a signal ends goes on as if nothing had happened', () => {
  const steps = 4000;
  const args = [
    'train',
    'text.txt',
    ...TINY,
    '--dropout',
    '0.3',
    '--steps',
    String(steps),
    '--checkpoint-every',
    '500',
  ];
  before(() => succeed([...args, '--out', 'whole'], { cwd }));

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    it(`when ${signal} comes at some moment`, async () => {
      const { child, result, until } = start([...args, '--out', signal, '--json'], { cwd });
      const moment = signal === 'SIGINT' ? 1 + Math.floor(400 * Math.random()) : 700;
      await until(new RegExp(`^{"event":"step".*"step":${moment},`, 'm'));
      child.kill(signal);
      assert.equal((await result).status, signal === 'SIGINT' ? 130 : null, `ended before step ${moment}`);
      await succeed(['resume', signal], { cwd });
      assert.deepEqual(digests(signal), digests('whole'), `stopped at about step ${moment}`);
      assertEveryStepOnce(signal, steps);
      if (signal === 'SIGINT') return; // an evaluation that it breaks off is not made up for
      const evaluations = (run: string) => metrics(join(cwd, run)).filter(({ event }) => event === 'eval');
      assert.deepEqual(evaluations(signal), evaluations('whole'));
    });
  }
});

describe('seeds', { concurrency: 3 }, () => {
  it('when a seed is used twice then the bits are the same, when another is used then others', async () => {
    const args = ['train', 'text.txt', ...TINY, '--steps', '5'];
    const seeds = ['7', '7', '8'];
    await Promise.all(
      seeds.map((seed, i) => succeed([...args, '--seed', seed, '--out', `seed-${i}`], { cwd })),
    );
    const [first, second, other] = seeds.map((_, i) => digests(`seed-${i}`));
    assert.deepEqual(second, first);
    for (const i of [0, 1]) assert.notEqual(other![i], first![i]);
  });
});

describe('resume', { concurrency: 3 }, () => {
  it('when another engine is asked for then it goes on with the run, and back', async () => {
    const args = ['train', 'text.txt', ...TINY, '--steps', '3', '--schedule', 'constant', '--out', 'engines'];
    await succeed(args, { cwd });
    const engine = async () => (await json(['info', 'engines'], { cwd }))[0]!.engine;
    assert.equal(await engine(), 'simd');
    await succeed(['resume', 'engines', '--steps', '6', '--device', 'reference'], { cwd });
    assert.equal(await engine(), 'reference');
    const { stderr } = await succeed(['resume', 'engines', '--steps', '9', '--device', 'simd'], { cwd });
    assert.match(stderr, /; simd: /);
    assert.equal(await engine(), 'simd');
    assertEveryStepOnce('engines', 9);
    const { loss } = metrics(join(cwd, 'engines')).find(
      ({ event, step }) => event === 'step' && step === 9,
    ) as {
      loss: number;
    };
    await succeed([...args.slice(0, -1), 'one-engine', '--steps', '9'], { cwd });
    const same = metrics(join(cwd, 'one-engine')).find(({ event, step }) => event === 'step' && step === 9);
    assert.ok(Math.abs(loss - (same as { loss: number }).loss) < 1e-4);
  });

  it('when a budget is given then it replaces the old ones, and counts from the start of the run', async () => {
    const args = ['train', 'text.txt', ...TINY, '--epochs', '100', '--steps', '4', '--out', 'budget'];
    await succeed(args, { cwd });
    const [start] = await json(['resume', 'budget', '--steps', '7'], { cwd });
    assert.deepEqual([start!.epochs, start!.steps, start!.minutes], [0, 7, 0]);
    assertEveryStepOnce('budget', 7);
    const { stderr } = await succeed(['resume', 'budget', '--steps', '5'], { cwd });
    assert.match(stderr, /nothing to do: the run is at step 7/);
    assertEveryStepOnce('budget', 7);
  });

  it('when a checkpoint comes before the next evaluation then it still names the last one', async () => {
    const args = ['train', 'text.txt', ...TINY, '--steps', '4', '--eval-every', '4', '--out', 'evaluated'];
    await succeed(args, { cwd });
    const evaluation = async () =>
      (await json<{ validation: { step: number } }>(['info', 'evaluated'], { cwd }))[0]!.validation.step;
    assert.equal(await evaluation(), 4);
    const { child, result, until } = start(['resume', 'evaluated', '--minutes', '5'], { cwd });
    await until(/saved in/);
    child.kill('SIGINT');
    assert.equal((await result).status, 130);
    assert.ok((await evaluation()) >= 4);
  });

  it('when the text has moved then its new place can be told', async () => {
    writeFileSync(join(cwd, 'here.txt'), sampleText(2000));
    await succeed(['train', 'here.txt', ...TINY, '--steps', '2', '--out', 'moved'], { cwd });
    writeFileSync(join(cwd, 'there.txt'), sampleText(2000));
    writeFileSync(join(cwd, 'here.txt'), 'another text');
    await succeed(['resume', 'moved', 'there.txt', '--steps', '3'], { cwd });
  });
});
