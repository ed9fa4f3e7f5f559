/** Histories of runs whose events are known, sound and damaged. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { HistoryCollector, type RunHistory, readHistory } from '../../src/analysis/run-history.ts';
import { Thinning } from '../../src/analysis/thinning.ts';
import type { RecordedEvent } from '../../src/training/metrics.ts';
import { readMetrics } from '../../src/training/metrics.ts';
import type { Run } from '../../src/training/run.ts';

const SHAPE = { batchSize: 10, sequenceLength: 60 };
const step = (n: number, loss: unknown = 2, rest: object = {}): RecordedEvent => ({
  ...{
    event: 'step',
    step: n,
    loss,
    learningRate: 0.01,
    gradientNorm: 1,
    charactersPerSecond: 60,
    epoch: n / 10,
  },
  ...rest,
});

function historyOf(events: readonly (RecordedEvent | undefined)[], points?: number): RunHistory {
  const collector = new HistoryCollector(SHAPE, points === undefined ? {} : { points });
  for (const event of events) collector.add(event);
  return collector.finish();
}

const folder = mkdtempSync(join(tmpdir(), 'charloom-history-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let runs = 0;

/** The events that are read from a file of this content. */
async function read(content: string | Uint8Array): Promise<(RecordedEvent | undefined)[]> {
  const dir = join(folder, `${runs++}`);
  mkdirSync(dir);
  writeFileSync(join(dir, 'metrics.jsonl'), content);
  return collected(readMetrics(dir));
}

async function collected<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe('a thinned curve', () => {
  const random = (i: number): number => Math.sin(i * i) + (i % 997 === 0 ? 50 : 0);

  it('is every value while there are few', () => {
    const thinning = new Thinning(10, 1);
    for (let i = 1; i <= 10; i++) thinning.add(i, i / 2, [random(i)]);
    const { steps, minutes, curves } = thinning.get();
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(minutes[9], 5);
    assert.deepEqual(curves[0]!.mean, steps.map(random));
    assert.deepEqual(curves[0]!.lower, curves[0]!.upper);
  });

  it('has the means, the least and the greatest values of the steps of each group', () => {
    const thinning = new Thinning(100, 1);
    const values = Array.from({ length: 10_000 }, (_, i) => random(i + 1));
    for (const [i, value] of values.entries()) thinning.add(i + 1, i, [value]);
    const { steps, minutes, curves } = thinning.get();
    assert.ok(steps.length <= 100 && steps.length > 50, `${steps.length} groups`);
    const width = 128; // the least power of two that makes 100 groups or fewer of 10000
    for (const i of steps.keys()) {
      const group = values.slice(i * width, (i + 1) * width);
      const middle = i * width + (group.length + 1) / 2;
      assert.deepEqual([steps[i], minutes[i]], [middle, middle - 1]);
      assert.equal(curves[0]!.lower[i], Math.min(...group));
      assert.equal(curves[0]!.upper[i], Math.max(...group));
      assert.ok(Math.abs(curves[0]!.mean[i]! - group.reduce((a, b) => a + b) / group.length) < 1e-9);
    }
    assert.equal(Math.max(...curves[0]!.upper), Math.max(...values));
    assert.ok(steps.every((at, i) => i === 0 || at > steps[i - 1]!));
  });

  it('leaves out what is no number, and is none where nothing else is', () => {
    const thinning = new Thinning(2, 1);
    for (const [i, value] of [Number.NaN, 1, 3, Number.POSITIVE_INFINITY].entries())
      thinning.add(i + 1, 0, [value]);
    assert.deepEqual(thinning.get().curves[0], { mean: [1, 3], lower: [1, 3], upper: [1, 3] });
    const empty = new Thinning(2, 1);
    empty.add(1, 0, [Number.NaN]);
    assert.deepEqual(empty.get().curves[0], { mean: [Number.NaN], lower: [Number.NaN], upper: [Number.NaN] });
  });

  it('holds steps that are far apart', () => {
    const thinning = new Thinning(4, 1);
    for (const at of [1, 2, 3, 1000, 2 ** 40, Number.MAX_SAFE_INTEGER]) thinning.add(at, 0, [at]);
    assert.ok(thinning.get().steps.length <= 4);
  });
});

describe('a history', () => {
  it('has the figures of its events', () => {
    const losses = Array.from({ length: 60 }, (_, i) => 5 - i / 20);
    const history = historyOf([
      ...losses.slice(0, 30).map((loss, i) => step(i + 1, loss)),
      { event: 'eval', step: 30, crossEntropy: 1.5 },
      ...losses.slice(30).map((loss, i) => step(i + 31, loss)),
      { event: 'eval', step: 60, crossEntropy: 1.75 },
      { event: 'done', step: 60, reason: 'steps' },
    ]);
    const { figures } = history;
    assert.equal(figures.steps, 60);
    assert.equal(figures.characters, 36_000);
    assert.equal(figures.epochs, 6);
    // 600 characters a step at 60 characters a second are 10 seconds.
    assert.ok(Math.abs(figures.minutes! - 10) < 1e-9);
    assert.ok(Math.abs(figures.trainingLoss! - losses.slice(-50).reduce((a, b) => a + b) / 50) < 1e-12);
    assert.deepEqual(
      [figures.validation, figures.best],
      [
        { step: 60, crossEntropy: 1.75 },
        { step: 30, crossEntropy: 1.5 },
      ],
    );
    assert.equal(figures.ended, 'steps');
    assert.deepEqual(history.validation.steps, [30, 60]);
    assert.ok(Math.abs(history.validation.minutes![0]! - 5) < 1e-9);
  });

  it('is there from the first step on', async () => {
    const dir = join(folder, 'begun');
    mkdirSync(dir);
    writeFileSync(join(dir, 'metrics.jsonl'), `${JSON.stringify(step(1))}\n`);
    const run = { dir, config: { training: SHAPE } } as unknown as Run;
    assert.equal((await readHistory(run)).figures.steps, 1);
  });

  it('of a run that goes on after its end is not ended', () => {
    assert.equal(
      historyOf([step(1), { event: 'done', step: 1, reason: 'interrupted' }]).figures.ended,
      'interrupted',
    );
    assert.equal(
      historyOf([step(1), { event: 'done', step: 1, reason: 'steps' }, step(2)]).figures.ended,
      null,
    );
  });

  it('stands losses that are no numbers, strange fields and unknown events', () => {
    const history = historyOf([
      step(1, null),
      step(2, 'x', { charactersPerSecond: 0 }),
      step(3, { toString: null }),
      step(4, 2.5),
      { event: 'eval', step: 4, crossEntropy: null },
      { event: 'sample', step: 4, text: 7 },
      { event: 'done', step: 4, reason: '<script>' },
      { event: 'nonesuch' as 'step', step: 4 },
      undefined,
    ]);
    assert.deepEqual(history.training.loss.mean.map(String), ['NaN', 'NaN', 'NaN', '2.5']);
    assert.equal(history.figures.trainingLoss, 2.5);
    assert.deepEqual(
      [history.figures.validation, history.figures.minutes, history.training.minutes],
      [null, null, undefined],
    );
    assert.deepEqual([history.samples, history.damagedLines, history.figures.ended], [[], 1, null]);
  });

  it('tells where the run went back', () => {
    const back = {
      event: 'rollback',
      step: 2,
      divergedAt: 9,
      rollbacks: 1,
      learningRateFactor: 0.5,
    } as const;
    const { rollbacks, figures } = historyOf([step(1), step(2), back, step(3)]);
    assert.equal(figures.rollbacks, 1);
    assert.deepEqual(
      rollbacks.map(({ step: at, divergedAt }) => [at, divergedAt]),
      [[2, 9]],
    );
    assert.ok(rollbacks[0]!.minutes > 0);
  });

  it('keeps the first and the last sample, and some evenly in between', () => {
    const collector = new HistoryCollector(SHAPE, { samples: 10 });
    for (let i = 1; i <= 1000; i++) collector.add({ event: 'sample', step: i, text: `${i}` });
    const steps = collector.finish().samples.map((sample) => sample.step);
    assert.ok(steps.length >= 5 && steps.length <= 10, `${steps.length}`);
    assert.deepEqual([steps[0], steps.at(-1)], [1, 1000]);
    const gaps = steps.slice(1, -1).map((at, i) => at - steps[i]!);
    assert.equal(new Set(gaps).size, 1);
  });
});

describe('metrics.jsonl', () => {
  const line = (n: number): string => `${JSON.stringify(step(n))}\n`;

  it('is read whole, whatever the pieces are that it comes in', async () => {
    const text = '中文✓'.repeat(500);
    const events = Array.from({ length: 400 }, (_, i) => ({ event: 'sample', step: i, text: `${i}${text}` }));
    const found = await read(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    assert.deepEqual(found, events);
  });

  it('lacks a last line that was not ended', async () => {
    assert.equal((await read(`${line(1)}${line(2).slice(0, 20)}`)).length, 1);
    assert.deepEqual(await read(''), []);
  });

  it('tells of lines that are no events', async () => {
    const lines = [
      '{"event":"step"}',
      '[]',
      'null',
      '{"step":3}',
      '{"event":"step","step":-1}',
      '\u0000\u0000',
      '{',
    ];
    const found = await read(`${line(1)}${lines.join('\n')}\n\n${line(2)}`);
    assert.deepEqual(
      found.map((event) => event?.step),
      [1, ...lines.map(() => undefined), 2],
    );
    const bytes = Buffer.concat([
      Buffer.from('{"event":"sample","step":1,"text":"'),
      Buffer.from([0xff]),
      Buffer.from('"}\n'),
    ]);
    assert.deepEqual(await read(bytes), [undefined]);
  });

  it('is not held in memory by a line without an end', async () => {
    const found = await read(`${'x'.repeat(3 * 2 ** 20)}\n${line(1)}`);
    assert.deepEqual(
      found.map((event) => event?.step),
      [undefined, 1],
    );
  });

  it('is not read on when that is interrupted', async () => {
    const dir = join(folder, 'interrupted');
    mkdirSync(dir);
    writeFileSync(join(dir, 'metrics.jsonl'), line(1).repeat(10_000));
    const controller = new AbortController();
    const events = readMetrics(dir, { signal: controller.signal });
    await events.next();
    controller.abort();
    await assert.rejects(collected(events), (error) => error === controller.signal.reason);
  });

  it('has to be there', async () => {
    await assert.rejects(collected(readMetrics(join(folder, 'nonesuch'))), { code: 'NO_INPUT' });
    mkdirSync(join(folder, 'odd/metrics.jsonl'), { recursive: true });
    await assert.rejects(collected(readMetrics(join(folder, 'odd'))), { code: 'BAD_DATA' });
  });
});
