/** What a run does when it diverges: back to what was saved last, on with half the learning rate, and not for ever. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import type { TrainingConfig } from '../../src/training/config.ts';
import type { RollbackEvent, StepEvent, TrainingEvent } from '../../src/training/events.ts';
import type { Snapshot } from '../../src/training/snapshot.ts';
import { smallTrainer } from './small-trainer.ts';

const symbols = [...'abcdefghijk'];
const vocabulary = Vocabulary.fromCounts('character', new Map(symbols.map((symbol) => [symbol, 1])), 1);
const text = IdSequence.of(Uint8Array.from({ length: 400 }, (_, i) => (i * i + i) % symbols.length));
const validation = IdSequence.of(new Uint8Array(0));

/** Plain gradient descent on a textbook RNN with ReLU and nothing to hold the gradient: a large rate explodes. */
const EXPLOSIVE: Partial<TrainingConfig> = {
  batchSize: 4,
  sequenceLength: 8,
  steps: 60,
  minutes: 0,
  optimizer: 'sgd',
  weightDecay: 0,
  clipNorm: 0,
  schedule: 'constant',
  warmup: 0,
  resetProbability: 0.1,
  checkpointEvery: 10,
};
/** Explodes; a fraction of it does not. */
const TOO_FAST = 3;

interface Told {
  readonly events: TrainingEvent[];
  readonly saved: Snapshot[];
  readonly error: unknown;
}

async function train(
  changes: Partial<TrainingConfig>,
  { from, until = Number.POSITIVE_INFINITY }: { from?: Snapshot; until?: number } = {},
): Promise<Told> {
  const network = { cell: 'rnn', activation: 'relu', dropout: 0.1 } as const;
  const settings = { ...EXPLOSIVE, learningRate: TOO_FAST, ...changes };
  const { engine, trainer } = await smallTrainer(network, settings, {
    vocabulary,
    training: text,
    validation,
  });
  const mine = (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    tensors: trainer.tensors.map((matrix, i) => ({ matrix, values: snapshot.tensors[i]!.values })),
  });
  const saved: Snapshot[] = [];
  const store = {
    save: async (snapshot: Snapshot): Promise<string> => {
      const { weights, tensors, generator } = snapshot;
      for (const values of [weights, ...tensors.map((tensor) => tensor.values)]) {
        assert.ok(values.every(Number.isFinite), `what is saved at step ${snapshot.step} is finite`);
      }
      const copies = tensors.map(({ matrix, values }) => ({ matrix, values: values.slice() }));
      saved.push({ ...snapshot, weights: weights.slice(), tensors: copies, generator: generator.slice() });
      return '';
    },
    last: async (): Promise<Snapshot | undefined> => {
      const last = saved.at(-1) ?? from;
      return last && mine(last);
    },
  };
  if (from) trainer.restore(mine(from));
  else await trainer.initialise();
  const events: TrainingEvent[] = [];
  const stop = new AbortController();
  let error: unknown;
  try {
    for await (const event of trainer.run(store, stop.signal)) {
      events.push(event);
      if (event.event === 'checkpoint' && event.step >= until) stop.abort();
    }
  } catch (thrown) {
    error = thrown;
  }
  await engine.close();
  return { events, saved, error };
}

const rollbacks = ({ events }: Told): RollbackEvent[] => events.filter((event) => event.event === 'rollback');
const steps = (events: readonly TrainingEvent[]): StepEvent[] =>
  events.filter((event) => event.event === 'step');

describe('a run that diverges', () => {
  it('goes back to what was saved last, with half the learning rate each time, and comes to its end', async () => {
    const told = await train({ rollbacks: 10 });
    assert.equal(told.error, undefined);
    assert.ok(rollbacks(told).length >= 1, 'it did diverge');
    for (const [i, { step, divergedAt, reason, rollbacks: so, learningRateFactor }] of rollbacks(
      told,
    ).entries()) {
      assert.ok(divergedAt > step && step % 10 === 0, `step ${step} was saved, ${divergedAt} was not`);
      assert.match(reason, /NaN|Infinity/);
      assert.deepEqual([so, learningRateFactor], [i + 1, 2 ** -(i + 1)]);
      const kept = step === 0 || told.saved.some((saved) => saved.step === step && saved.rollbacks === so);
      assert.ok(kept, 'that it went back is saved before it goes on: it may end before the next checkpoint');
    }
    const last = told.events.findLastIndex(({ event }) => event === 'rollback');
    const after = steps(told.events.slice(last));
    assert.equal(after[0]!.step, rollbacks(told).at(-1)!.step + 1);
    assert.equal(after.at(-1)!.step, 60);
    for (const { learningRate, loss } of after) {
      assert.equal(learningRate, TOO_FAST * rollbacks(told).at(-1)!.learningRateFactor);
      assert.ok(Number.isFinite(loss));
    }
    assert.equal(told.saved.at(-1)!.rollbacks, rollbacks(told).length);
  });

  it('goes back to its start if nothing was saved', async () => {
    const told = await train({ rollbacks: 10, checkpointEvery: 0 });
    assert.equal(told.error, undefined);
    assert.ok(rollbacks(told).length >= 1, 'it did diverge');
    for (const { step } of rollbacks(told)) assert.equal(step, 0);
    const factor = rollbacks(told).at(-1)!.learningRateFactor;
    const slower = await train({ rollbacks: 0, checkpointEvery: 0, learningRate: TOO_FAST * factor });
    assert.equal(slower.error, undefined);
    assert.deepEqual(
      told.saved.at(-1)!.weights,
      slower.saved.at(-1)!.weights,
      'the run with that rate from the start',
    );
  });

  it('ends with an error when it has gone back as often as it may; what is saved is finite', async () => {
    const told = await train({ rollbacks: 2, learningRate: 1e6 });
    assert.equal(rollbacks(told).length, 2);
    assert.match(String(told.error), /diverged at step \d+: the .*; the learning rate was halved 2 times/);
    const { code, hint } = told.error as { code: string; hint: string };
    assert.equal(code, 'DIVERGED');
    assert.match(hint, /--learning-rate.*nothing was saved/);
  });

  it('says so when it has gone back once', async () => {
    const told = await train({ rollbacks: 1, learningRate: 1e6 });
    assert.match(String(told.error), /; the learning rate was halved once$/);
  });

  it('ends with an error at once if it may not go back', async () => {
    const told = await train({ rollbacks: 0 });
    assert.deepEqual(rollbacks(told), []);
    assert.match(String(told.error), /diverged at step \d+: the [^;]*$/);
  });

  it('is the same run, to the bit, if it is stopped on the way and goes on', async () => {
    const whole = await train({ rollbacks: 10 });
    const [first] = rollbacks(whole);
    for (const until of [first!.step, first!.step + 10]) {
      const begun = await train({ rollbacks: 10 }, { until });
      const rest = await train({ rollbacks: 10 }, { from: begun.saved.at(-1)! });
      assert.equal(rest.error, undefined);
      const [one, other] = [whole.saved.at(-1)!, rest.saved.at(-1)!];
      assert.deepEqual(
        [other.step, other.rollbacks, other.weights, other.generator],
        [one.step, one.rollbacks, one.weights, one.generator],
      );
    }
  });
});
