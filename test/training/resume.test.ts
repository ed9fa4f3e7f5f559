/**
 * A run that was stopped after any of its steps and went on is the run that was not, to the bit: weights, optimizer moments,
 * hidden states, the generator, the position in the text. (`test/cli/resume.test.ts` does a few of these through files.)
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { openEngine } from '../../src/engine/open.ts';
import { CELLS, type CellName } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import type { EvalEvent } from '../../src/training/events.ts';
import { PRESETS } from '../../src/training/presets.ts';
import type { Snapshot } from '../../src/training/snapshot.ts';
import { Trainer } from '../../src/training/trainer.ts';

/** The text ends and begins again after 13 steps. */
const STEPS = 21;
const TEXT_LENGTH = 200;
const SETTINGS = {
  batchSize: 3,
  sequenceLength: 5,
  steps: STEPS,
  minutes: 0,
  evalEvery: 4,
  checkpointEvery: 1,
};
const symbols = [...'abcdefghijk'];
const vocabulary = Vocabulary.fromCounts('character', new Map(symbols.map((symbol) => [symbol, 1])), 1);
const text = IdSequence.of(Uint8Array.from({ length: TEXT_LENGTH }, (_, i) => (i * i + i) % symbols.length));
const validation = IdSequence.of(Uint8Array.from({ length: 30 }, (_, i) => (i * 3) % symbols.length));

interface Course {
  /** After each of its steps. */
  readonly snapshots: Snapshot[];
  readonly evaluations: EvalEvent[];
}

/** Trains to the end, or until an interruption comes while the evaluation of a step is due, from the beginning or from a snapshot. */
async function train(
  { cell, dropout, interruptAt }: { cell: CellName; dropout: number; interruptAt?: number },
  from?: Snapshot,
): Promise<Course> {
  const engine = await openEngine('simd', { threads: 2 });
  const network = { cell, activation: 'tanh', layers: 2, hidden: 9, embedding: 5, dropout } as const;
  const config = { ...PRESETS.default!.settings, ...SETTINGS, dropout, resetProbability: 0.2 };
  const model = new LanguageModel({ ...network, vocabulary: vocabulary.size });
  // A step may be saved twice: when the evaluation at the end finds it the best.
  const snapshots = new Map<number, Snapshot>();
  const save = async (snapshot: Snapshot): Promise<string> => {
    const copy = ({ matrix, values }: Snapshot['tensors'][number]) => ({ matrix, values: values.slice() });
    snapshots.set(snapshot.step, {
      ...snapshot,
      weights: snapshot.weights.slice(),
      tensors: snapshot.tensors.map(copy),
      generator: snapshot.generator.slice(),
    });
    return '';
  };
  const trainer = new Trainer({ engine, model, config, vocabulary, training: text, validation });
  if (from) {
    const values = new Map(from.tensors.map((tensor) => [tensor.matrix.tensor.name, tensor.values]));
    const tensors = trainer.tensors.map((matrix) => ({ matrix, values: values.get(matrix.tensor.name)! }));
    trainer.restore({ ...from, tensors });
  } else await trainer.initialise();
  const interruption = new AbortController();
  const evaluations: EvalEvent[] = [];
  for await (const event of trainer.run({ save, last: async () => undefined }, interruption.signal)) {
    if (event.event === 'step' && event.step === interruptAt) interruption.abort();
    if (event.event === 'eval') evaluations.push(event);
  }
  await engine.close();
  return { snapshots: [...snapshots.values()], evaluations };
}

/** Everything but the time it took. */
function sha256(snapshot: Snapshot): string {
  const hash = createHash('sha256');
  const add = (values: Float32Array | Float64Array | Uint32Array) =>
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  add(snapshot.weights);
  for (const { values } of snapshot.tensors) add(values);
  add(snapshot.generator);
  const { step, epoch, window, runningLoss, best, validation } = snapshot;
  return hash.update(JSON.stringify([step, epoch, window, runningLoss, best, validation])).digest('hex');
}

describe('a run that went on after any step is the one that did not stop:', () => {
  for (const cell of CELLS) {
    for (const dropout of [0, 0.3]) {
      it(`${cell}, dropout ${dropout}`, async () => {
        const { snapshots: whole } = await train({ cell, dropout });
        assert.equal(whole.length, STEPS);
        const expected = sha256(whole.at(-1)!);
        assert.notEqual(sha256(whole.at(-2)!), expected, 'every step changes something');
        for (const cut of whole.slice(0, -1)) {
          const { snapshots: rest } = await train({ cell, dropout }, cut);
          assert.equal(rest.length, STEPS - cut.step);
          assert.equal(sha256(rest.at(-1)!), expected, `stopped after step ${cut.step}`);
        }
      });
    }
  }
});

describe('a run that is interrupted in an evaluation', () => {
  it('makes up for it when it goes on: the same evaluations, the same best', async () => {
    const settings = { cell: 'gru', dropout: 0 } as const;
    const whole = await train(settings);
    assert.deepEqual(
      whole.evaluations.map(({ step }) => step),
      [4, 8, 12, 16, 20, 21],
    );
    const begun = await train({ ...settings, interruptAt: 8 });
    assert.deepEqual(
      begun.evaluations.map(({ step }) => step),
      [4],
    );
    const stopped = begun.snapshots.at(-1)!;
    assert.deepEqual([stopped.step, stopped.validation?.step], [8, 4]);
    const rest = await train(settings, stopped);
    assert.deepEqual([...begun.evaluations, ...rest.evaluations], whole.evaluations);
    assert.deepEqual(rest.snapshots[0]!.validation, whole.snapshots[7]!.validation, 'and it is saved');
    assert.equal(sha256(rest.snapshots.at(-1)!), sha256(whole.snapshots.at(-1)!));
  });
});
