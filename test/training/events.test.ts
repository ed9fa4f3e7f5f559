/** The figures in the events of a run: how far it is, how long it has to go, and the running mean of its loss. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import type { TrainingConfig } from '../../src/training/config.ts';
import type { EvalEvent, StepEvent, TrainingEvent } from '../../src/training/events.ts';
import type { Snapshot } from '../../src/training/snapshot.ts';
import { smallTrainer } from './small-trainer.ts';

/** An epoch has 13 windows. */
const [B, T, STEPS, WINDOWS] = [3, 5, 20, 13];
const symbols = [...'abcdefghijk'];
const vocabulary = Vocabulary.fromCounts('character', new Map(symbols.map((symbol) => [symbol, 1])), 1);
const textOf = (length: number) =>
  IdSequence.of(Uint8Array.from({ length }, (_, i) => (i * i + i) % symbols.length));

interface Told {
  readonly events: TrainingEvent[];
  readonly steps: StepEvent[];
  readonly saved: Snapshot[];
}

async function train(changes: Partial<TrainingConfig> = {}): Promise<Told> {
  const network = { cell: 'gru', activation: 'tanh', dropout: 0.1 } as const;
  const budget = {
    steps: STEPS,
    minutes: 0,
    batchSize: B,
    sequenceLength: T,
    evalEvery: 10,
    checkpointEvery: 10,
  };
  const settings = { ...budget, ...changes };
  const { engine, trainer } = await smallTrainer(network, settings, {
    vocabulary,
    training: textOf(200),
    validation: textOf(30),
  });
  await trainer.initialise();
  const saved: Snapshot[] = [];
  const save = async (snapshot: Snapshot): Promise<string> => {
    saved.push({ ...snapshot, weights: snapshot.weights.slice() });
    return '';
  };
  const events: TrainingEvent[] = [];
  const never = new AbortController().signal;
  for await (const event of trainer.run({ save, last: async () => undefined }, never)) events.push(event);
  await engine.close();
  return { events, steps: events.filter((event): event is StepEvent => event.event === 'step'), saved };
}

describe('the events of a run', () => {
  it('tell how far it is: passes over the text, the part of its budget, all characters at the end', async () => {
    const { events, steps } = await train();
    assert.deepEqual(
      steps.map(({ step, epoch, progress }) => [step, epoch, progress]),
      Array.from({ length: STEPS }, (_, i) => {
        const step = i + 1;
        return [step, Math.floor(step / WINDOWS) + (step % WINDOWS) / WINDOWS, step / STEPS];
      }),
    );
    const done = events.at(-1);
    assert.ok(done?.event === 'done');
    assert.deepEqual([done.reason, done.characters], ['steps', STEPS * B * T]);
  });

  it('tell the part of the budget that ends it first', async () => {
    const { events, steps } = await train({ epochs: 1 });
    assert.deepEqual(
      steps.map(({ progress }) => progress),
      Array.from({ length: WINDOWS }, (_, i) => (i + 1) / WINDOWS),
    );
    const done = events.at(-1);
    assert.deepEqual(done?.event === 'done' && [done.step, done.reason], [WINDOWS, 'epochs']);
  });

  it('tell the time left at the speed so far: half-way as much as it took, at the end none', async () => {
    const { steps, saved } = await train();
    const half = saved.find(({ step }) => step === STEPS / 2);
    assert.ok(half && half.seconds > 0);
    assert.equal(steps[STEPS / 2 - 1]!.secondsLeft, half.seconds);
    assert.equal(steps.at(-1)!.secondsLeft, 0);
  });

  it('compare each evaluation with a mean of the losses, of which the last ones weigh most', async () => {
    const { events, steps } = await train();
    const evaluations = events.filter((event): event is EvalEvent => event.event === 'eval');
    assert.deepEqual(
      evaluations.map(({ step }) => step),
      [10, 20],
    );
    for (const { step, trainingLoss } of evaluations) {
      let mean = steps[0]!.loss;
      for (const { loss } of steps.slice(0, step)) mean = 0.98 * mean + 0.02 * loss;
      assert.ok(Math.abs(trainingLoss! - mean) < 1e-12, `step ${step}: ${trainingLoss}, expected ${mean}`);
    }
  });

  it('have samples that change nothing else', async () => {
    const [plain, sampled] = [await train(), await train({ sampleEvery: 1 })];
    const samples = sampled.events.filter((event) => event.event === 'sample');
    assert.deepEqual(
      samples.map(({ step }) => step),
      Array.from({ length: STEPS }, (_, i) => i + 1),
    );
    assert.equal(new Set(samples.map(({ text }) => text)).size, STEPS);
    assert.deepEqual(sampled.saved.at(-1)!.weights, plain.saved.at(-1)!.weights);
  });
});
