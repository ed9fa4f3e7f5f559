/**
 * Where the time of a training step goes on a GPU: `node --import tsx test/bench/gpu-profile.ts [default,W1,W2,...]` replays the
 * commands of each kernel by themselves, as often as a step has them, and says how long that takes. A kernel's commands
 * then follow one another, as the steps of a chain do in a real step.
 */

import { type Command, view1d } from '../../src/engine/gpu/commands.ts';
import { EncoderExecutor } from '../../src/engine/gpu/encoder.ts';
import { lower } from '../../src/engine/gpu/lower.ts';
import { checkModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { checkTrainingConfig } from '../../src/training/config.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { recordTrainingStep } from '../../src/training/step.ts';
import { type Training, WORKLOADS } from './race/workloads.ts';

const SECONDS = 0.15;
/** Replays between two waits for the device. */
const AT_ONCE = 10;

const executor = await EncoderExecutor.open();
console.log(`Training steps on ${executor.adapter.name}\n`);
for (const name of (process.argv[2] ?? 'default,W1,W3').split(',')) {
  const { settings } = PRESETS.default!;
  const workload = { embedding: 0, dropout: 0, ...(WORKLOADS[name] as Training) };
  const all = name === 'default' ? { ...settings, vocabulary: 66 } : { ...settings, ...workload };
  const origin = { code: 'USAGE', field: String } as const;
  const model = new LanguageModel(checkModelConfig(all, origin));
  const config = checkTrainingConfig(all, origin);
  const { program, history } = recordTrainingStep(model, config, new Optimizer(config, model));
  const commands = lower(program);
  const groups = new Map<string, Command[]>([['all', [...commands]]]);
  for (const command of commands) {
    const name = command.kind === 'dispatch' ? command.kernel.name : command.kind;
    groups.set(name, [...(groups.get(name) ?? []), command]);
  }
  const rows: [string, number, number][] = [];
  for (const [kernel, group] of groups) {
    const { run } = executor.prepare(kernel, group);
    const sync = () => executor.read({ ...view1d(history), size: [1] });
    for (let i = 0; i < 3; i++) await run();
    await sync();
    const start = performance.now();
    let runs = 0;
    while (performance.now() - start < SECONDS * 1000) {
      for (let i = 0; i < AT_ONCE; i++) await run();
      await sync();
      runs += AT_ONCE;
    }
    rows.push([kernel, group.length, ((performance.now() - start) * 1000) / runs]);
  }
  rows.sort((a, b) => b[2] - a[2]);
  console.log(`${name.padEnd(24)}COMMANDS  MICROSECONDS    EACH`);
  for (const [kernel, count, us] of rows) {
    const cells = [
      String(count).padStart(8),
      us.toFixed(0).padStart(14),
      (us / count).toFixed(1).padStart(8),
    ];
    console.log(kernel.padEnd(24) + cells.join(''));
  }
  console.log();
}
await executor.close();
