/** The choice of `--device auto`: the faster engine wins, one that fails does not stop the training. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Candidate, fastestEngine } from '../../src/bench/fastest-engine.ts';
import { measure } from '../../src/bench/measure.ts';
import { syntheticWeights } from '../../src/bench/synthetic.ts';
import { TrainingWork } from '../../src/bench/training-work.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { CharloomError } from '../../src/errors.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { PRESETS } from '../../src/training/presets.ts';

const { signal } = new AbortController();
const settings = { ...PRESETS.default!.settings, hidden: 24, embedding: 8, batchSize: 8, sequenceLength: 8 };

/** Speed of training of a small model, as `train` measures it. */
async function trial(engine: Engine): Promise<number> {
  const model = new LanguageModel({ ...settings, vocabulary: 20 });
  engine.write(model.parameters, syntheticWeights(model));
  const work = new TrainingWork(engine, model, settings);
  return (await measure(() => work.run(), 0.1, signal)).perSecond;
}

/** Engines by name; `open` holds those that are open now. */
function candidates(...names: string[]): { candidates: Candidate[]; open: Set<Engine> } {
  const open = new Set<Engine>();
  const candidate = (name: string): Candidate => ({
    name,
    open: async () => {
      const engine = await openEngine(name, { threads: 1 }); // more wait for each other on a busy machine
      const close = engine.close.bind(engine);
      engine.close = async () => {
        open.delete(engine);
        await close();
      };
      open.add(engine);
      return engine;
    },
  });
  return { candidates: names.map(candidate), open };
}

const missing = (name: string): Candidate => ({
  name,
  open: async () => {
    throw new CharloomError('UNAVAILABLE', `${name} is not here`);
  },
});

describe('the fastest engine', () => {
  for (const names of [
    ['simd', 'reference'],
    ['reference', 'simd'],
  ]) {
    it(`is simd of ${names.join(' and ')}, and the only one left open`, async () => {
      const { candidates: both, open } = candidates(...names);
      const { engine, trials } = await fastestEngine(both, trial, signal);
      assert.equal(engine.description.name, 'simd');
      assert.deepEqual([...open], [engine]);
      assert.deepEqual(
        trials.map(({ engine: name, reason }) => [name, reason]),
        names.map((name) => [name, null]),
      );
      const speedOf = (name: string) => trials.find((t) => t.engine === name)!.charactersPerSecond!;
      assert.ok(speedOf('simd') > speedOf('reference'), JSON.stringify(trials));
      assert.ok(speedOf('reference') > 0);
      assert.equal(
        engine.memoryBytes(),
        (await openEngine('simd', { threads: 1 })).memoryBytes(),
        'as if newly opened',
      );
    });
  }

  it('is chosen among simd and whatever adapter there is by what was measured', async (t) => {
    const { candidates: both, open } = candidates('gpu.js:webgpu', 'simd');
    const { engine, trials } = await fastestEngine(both, trial, signal);
    const [gpu, simd] = trials;
    if (gpu!.reason !== null) t.skip(gpu!.reason);
    else {
      const faster = gpu!.charactersPerSecond! > simd!.charactersPerSecond! ? gpu! : simd!;
      assert.equal(engine.description.name, faster.engine);
      assert.deepEqual([...open], [engine]);
    }
    await engine.close();
  });

  it('is the only one there is, without a trial', async () => {
    const { candidates: simd } = candidates('simd');
    const untried = () => assert.fail('a trial of one engine decides nothing');
    const { engine, trials } = await fastestEngine([missing('gpu'), ...simd], untried, signal);
    assert.equal(engine.description.name, 'simd');
    assert.deepEqual(trials, [
      { engine: 'gpu', charactersPerSecond: null, reason: 'gpu is not here' },
      { engine: 'simd', charactersPerSecond: null, reason: null },
    ]);
  });

  it('is no substitute where what it stands in for is there', async () => {
    const { candidates: both, open } = candidates('reference', 'simd');
    const [reference, simd] = both as [Candidate, Candidate];
    const substitute = { ...simd, substituteFor: 'reference' };
    const { engine, trials } = await fastestEngine([reference, substitute], trial, signal);
    assert.equal(engine.description.name, 'reference');
    assert.deepEqual([trials.length, trials[0]!.charactersPerSecond, open.size], [1, null, 1]);
    await engine.close();
    const away = await fastestEngine([missing('reference'), substitute], trial, signal);
    assert.equal(away.engine.description.name, 'simd');
    assert.equal(away.trials.length, 2);
    await away.engine.close();
  });

  it('is not one that fails in its trial, which is named with the reason and closed', async () => {
    const { candidates: both, open } = candidates('simd', 'reference');
    const failing = async (engine: Engine) => {
      if (engine.description.name === 'simd') throw new Error('the device was lost');
      return 1;
    };
    const { engine, trials } = await fastestEngine(both, failing, signal);
    assert.equal(engine.description.name, 'reference');
    assert.deepEqual([...open], [engine]);
    assert.equal(trials[0]!.reason, 'the device was lost');
  });

  it('is not one that computes something that is not finite', async () => {
    const { candidates: both } = candidates('simd', 'reference');
    const broken = async (engine: Engine) => {
      if (engine.description.name !== 'simd') return trial(engine);
      const { write } = engine;
      engine.write = (target, values) =>
        write.call(
          engine,
          target,
          target.tensor.kind === 'parameter' ? Array.from(values, () => NaN) : values,
        );
      return trial(engine);
    };
    const { engine, trials } = await fastestEngine(both, broken, signal);
    assert.equal(engine.description.name, 'reference');
    assert.match(trials[0]!.reason!, /not finite/);
  });

  it('does not exist where none can be opened: the last error says why', async () => {
    const none = fastestEngine([missing('gpu'), missing('simd')], trial, signal);
    await assert.rejects(none, { code: 'UNAVAILABLE', message: 'simd is not here' });
  });

  it('is not waited for after an interruption', async () => {
    const controller = new AbortController();
    const { candidates: both, open } = candidates('simd', 'reference');
    const interrupted = fastestEngine(
      both,
      async () => {
        controller.abort();
        throw new Error('a consequence');
      },
      controller.signal,
    );
    await assert.rejects(interrupted, { name: 'AbortError' });
    assert.equal(open.size, 0, 'nothing stays open');
  });
});

describe('the trial', () => {
  it('is of steps that change no weight, whatever the learning rate', async () => {
    const engine = await openEngine('simd');
    const model = new LanguageModel({ ...settings, vocabulary: 20 });
    const weights = syntheticWeights(model);
    engine.write(model.parameters, weights);
    const work = new TrainingWork(engine, model, { ...settings, learningRate: 1e6, optimizer: 'sgd' });
    for (let i = 0; i < 3; i++) assert.equal((await work.run()) % 64, 0);
    assert.deepEqual(await engine.read(model.parameters), weights);
  });
});
