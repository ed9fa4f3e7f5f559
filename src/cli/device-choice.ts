/** `--device auto` of `train`: a few timed steps of this very model on each engine that may be the fastest. */
import { type Choice, fastestEngine } from '../bench/fastest-engine.ts';
import { measure } from '../bench/measure.ts';
import { syntheticWeights } from '../bench/synthetic.ts';
import { TrainingWork } from '../bench/training-work.ts';
import type { EngineOptions } from '../engine/open.ts';
import type { ModelConfig } from '../model/config.ts';
import { LanguageModel } from '../model/language-model.ts';
import type { TrainingConfig } from '../training/config.ts';
import type { RunConfig } from '../training/run-config.ts';
import { openEngine } from './engine.ts';
import { interruption } from './signals.ts';
import { count } from './terminal/format.ts';
import { note } from './terminal/output.ts';
import { waiting } from './terminal/wait.ts';

/**
 * The engines in question, and the devices that stand for them: `gpu` takes no adapter in software. The clock does
 * not choose between the two on the processor: otherwise one seed would give different weights from run to run.
 */
const CANDIDATES = [
  { name: 'gpu.js:webgpu', device: 'gpu' },
  { name: 'native', device: 'native' },
  { name: 'simd', device: 'simd', substituteFor: 'native' },
] as const;

/** For each engine. */
const SECONDS = 1;

/** Times training on the candidates, says which is taken and why, and opens it. */
export async function chooseEngine(
  model: ModelConfig,
  training: TrainingConfig,
  options: EngineOptions,
): Promise<Choice> {
  const { signal } = interruption;
  const choice = await fastestEngine(
    CANDIDATES.map(({ device, ...candidate }) => ({
      ...candidate,
      open: () => openEngine(device, options),
    })),
    async (engine) => {
      const own = new LanguageModel(model);
      engine.write(own.parameters, syntheticWeights(own));
      const work = new TrainingWork(engine, own, training);
      const speed = measure(() => work.run(), SECONDS, signal);
      return (await waiting(`timing ${engine.description.name}`, speed)).perSecond;
    },
    signal,
  );
  note(`device: ${describeChoice(choice)}`);
  return choice;
}

/** "gpu.js:webgpu (412k characters/s; simd: 25k)", "simd (gpu.js:webgpu: no adapter)". */
export function describeChoice({ engine, trials }: Choice): string {
  const { name } = engine.description;
  const own = trials.find((trial) => trial.engine === name)?.charactersPerSecond;
  const others = trials.flatMap(({ engine: other, charactersPerSecond, reason }) =>
    other === name ? [] : [`${other}: ${charactersPerSecond === null ? reason : count(charactersPerSecond)}`],
  );
  const parts = [...(own ? [`${count(own)} characters/s`] : []), ...others];
  return parts.length > 0 ? `${name} (${parts.join('; ')})` : name;
}

/** The device that a run goes on with: what was asked for, or what `auto` chose then. */
export function deviceOfRun({ device, engine }: RunConfig): string {
  if (device !== 'auto') return device;
  return CANDIDATES.find(({ name }) => name === engine)?.device ?? engine;
}
