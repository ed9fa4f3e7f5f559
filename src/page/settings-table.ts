/** The settings of runs as tables. */
import type { RunConfig } from '../training/run-config.ts';

interface Setting {
  /** As in `config.json`, e.g. "training.learningRate". */
  readonly name: string;
  readonly value: string;
}

/** Every setting of a run, in the order of `config.json`. */
export function settingsOf(config: RunConfig): Setting[] {
  const { text, model, training, files, initFrom, format: _, ...top } = config;
  return [
    ...flat('', top),
    ...flat('text.', text),
    ...files.map(({ name, bytes, sha256 }, i) => ({
      name: files.length === 1 ? 'file' : `file ${i + 1}`,
      value: `${name} (${bytes.toLocaleString('en-US')} bytes, sha256 ${sha256.slice(0, 12)}…)`,
    })),
    ...flat('model.', model),
    ...flat('training.', training),
    ...(initFrom
      ? [
          {
            name: 'initFrom',
            // RUN/checkpoints/STEP: where that run lies is nobody's business.
            value: `${initFrom.checkpoint.split(/[\\/]/).at(-3)} (step ${initFrom.step}, sha256 ${initFrom.sha256.slice(0, 12)}…)`,
          },
        ]
      : []),
  ];
}

/** The settings that are not the same in all runs; '-' where a run has none of that name. When a run began is no setting. */
export function differingSettings(
  configs: readonly RunConfig[],
): { readonly name: string; readonly values: readonly string[] }[] {
  const tables = configs.map((config) => new Map(settingsOf(config).map(({ name, value }) => [name, value])));
  const names = new Set(tables.flatMap((table) => [...table.keys()]));
  names.delete('created');
  return [...names]
    .map((name) => ({ name, values: tables.map((table) => table.get(name) ?? '-') }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

function flat(prefix: string, settings: object): Setting[] {
  return Object.entries(settings).map(([name, value]) => ({ name: `${prefix}${name}`, value: `${value}` }));
}
