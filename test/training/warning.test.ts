/** When training warns that validation is far above it: once, when the model has settled, with what may help. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import type { TrainingConfig } from '../../src/training/config.ts';
import type { EvalEvent, TrainingEvent } from '../../src/training/events.ts';
import type { Snapshot } from '../../src/training/snapshot.ts';
import { smallTrainer } from './small-trainer.ts';

const symbols = [...'abcdefgh'];
const vocabulary = Vocabulary.fromCounts('character', new Map(symbols.map((symbol) => [symbol, 1])), 1);
/** Training: abcdabcd…; validation: symbols that never occur in it. */
const text = IdSequence.of(Uint8Array.from({ length: 400 }, (_, i) => i % 4));
const strange = IdSequence.of(Uint8Array.from({ length: 30 }, (_, i) => 4 + (i % 4)));

const SETTINGS: Partial<TrainingConfig> = {
  batchSize: 4,
  sequenceLength: 8,
  steps: 300,
  minutes: 0,
  learningRate: 0.02,
  resetProbability: 0,
  evalEvery: 50,
  checkpointEvery: 50,
};

async function train(
  changes: Partial<TrainingConfig>,
  { validation = strange, from }: { validation?: IdSequence; from?: Snapshot } = {},
): Promise<{ events: TrainingEvent[]; saved: Snapshot[] }> {
  const network = { cell: 'gru', activation: 'tanh', dropout: 0 } as const;
  const settings = { ...SETTINGS, ...changes };
  const { engine, trainer } = await smallTrainer(network, settings, {
    vocabulary,
    training: text,
    validation,
  });
  const saved: Snapshot[] = [];
  const save = async (snapshot: Snapshot): Promise<string> => {
    const copies = snapshot.tensors.map(({ matrix, values }) => ({ matrix, values: values.slice() }));
    saved.push({ ...snapshot, weights: snapshot.weights.slice(), tensors: copies });
    return '';
  };
  if (from) {
    const tensors = trainer.tensors.map((matrix, i) => ({ matrix, values: from.tensors[i]!.values }));
    trainer.restore({ ...from, tensors });
  } else await trainer.initialise();
  const events: TrainingEvent[] = [];
  const never = new AbortController().signal;
  for await (const event of trainer.run({ save, last: async () => undefined }, never)) events.push(event);
  await engine.close();
  return { events, saved };
}

const warnings = ({ events }: { events: TrainingEvent[] }) =>
  events.filter((event) => event.event === 'warning');

describe('the warning that validation is far above training', () => {
  it('comes once, not before step 200, and tells the gap', async () => {
    const told = await train({});
    const evaluations = told.events.filter((event): event is EvalEvent => event.event === 'eval');
    const gaps = evaluations.map(({ crossEntropy, trainingLoss }) => crossEntropy - trainingLoss!);
    assert.ok(
      gaps.slice(1).every((gap) => gap > 0.5),
      `${gaps}`,
    );
    const [warning, ...more] = warnings(told);
    assert.deepEqual([warning?.step, more], [200, []]);
    const gap = gaps[evaluations.findIndex(({ step }) => step === 200)]!;
    assert.ok(warning!.message.includes(`${gap.toFixed(2)} nats above`), warning!.message);
    assert.match(warning!.message, /--reset-probability/);
  });

  it('tells of other remedies where states are reset', async () => {
    const [warning] = warnings(await train({ resetProbability: 0.01 }));
    assert.match(warning!.message, /--dropout/);
  });

  it('does not come where the validation text is like the training text, nor with the squared error', async () => {
    assert.deepEqual(warnings(await train({}, { validation: text })), []);
    assert.deepEqual(warnings(await train({ loss: 'mse' })), []);
  });

  it('does not come again when a run goes on that has given it', async () => {
    const { saved } = await train({});
    const from = saved.find(({ step, validation }) => step === 250 && validation?.step === 250);
    assert.ok(from);
    assert.deepEqual(warnings(await train({}, { from })), []);
    const before = saved.find(({ step, validation }) => step === 150 && validation?.step === 150);
    assert.ok(before);
    assert.deepEqual(
      warnings(await train({}, { from: before })).map(({ step }) => step),
      [200],
    );
  });
});
