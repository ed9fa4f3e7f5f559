/** `charloom bench`: how fast the engines of this machine train, sample, evaluate and multiply. */
import { Command, Option } from 'commander';
import { EngineBench } from '../bench/engine-bench.ts';
import { layerProducts } from '../bench/products.ts';
import { type BenchShape, DEFAULT_SHAPES, parseShape } from '../bench/shapes.ts';
import { DEVICES, type EngineOptions, type EngineStatus, listEngines } from '../engine/open.ts';
import { checkFields, positive } from '../fields.ts';
import { CELLS, type CellName } from '../model/config.ts';
import { LanguageModel } from '../model/language-model.ts';
import { PRESETS } from '../training/presets.ts';
import { type BenchReport, reportAsJson, reportAsText } from './bench-report.ts';
import { openEngine } from './engine.ts';
import { examples } from './help.ts';
import { numberOption, OPTION_ORIGIN, threadsOption } from './options.ts';
import { interruption } from './signals.ts';
import { print, printJson } from './terminal/output.ts';
import { waiting } from './terminal/wait.ts';

/** Engines that compute in plain JavaScript: minutes for what others do in seconds, so only when they are named. */
const ONLY_IF_NAMED: readonly string[] = ['gpu.js:cpu', 'reference'];

interface BenchOptions {
  readonly device?: string[];
  readonly threads?: number;
  readonly shape: string[];
  readonly cell?: CellName[];
  readonly seconds: number;
  readonly json?: boolean;
}

export function benchCommand(): Command {
  const presets = Object.keys(PRESETS).join(', ');
  return new Command('bench')
    .description('measure how fast the engines train, sample, evaluate and multiply on this machine')
    .addOption(
      new Option(
        '--device <names...>',
        `engines to measure (default: all there are but ${ONLY_IF_NAMED.join(' and ')})`,
      ).choices(DEVICES.filter((device) => device !== 'auto')),
    )
    .addOption(threadsOption())
    .addOption(
      new Option(
        '--shape <shapes...>',
        `models: presets (${presets}) or LAYERSxHIDDEN@BATCHxLENGTH, e.g. 1x512@32x64`,
      ).default(DEFAULT_SHAPES, DEFAULT_SHAPES.join(' ')),
    )
    .addOption(
      new Option(
        '--cell <names...>',
        'recurrent cells (default: that of the preset; of a shape, that of preset default)',
      ).choices(CELLS),
    )
    .addOption(numberOption('--seconds <n>', 'time for each figure, after a warm-up').default(1))
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom bench',
        'charloom bench --device simd gpu.js:webgpu --shape default large --seconds 5',
        'charloom bench --shape 1x512@32x128 --cell lstm gru rnn --json',
      ),
    )
    .action(bench);
}

async function bench(options: BenchOptions): Promise<void> {
  const { seconds } = checkFields<{ seconds: number }>(options, { seconds: positive(3600) }, OPTION_ORIGIN);
  const cells = options.cell ?? [undefined];
  const shapes = cells.flatMap((cell) => [...new Set(options.shape)].map((s) => parseShape(s, cell)));
  const engines = options.device
    ? await namedEngines(options.device, options)
    : await listEngines({ ...options, show: waiting });
  const measured = engines.filter(
    ({ name, available }) => available && (options.device || !ONLY_IF_NAMED.includes(name)),
  );
  const report: BenchReport = { seconds, engines, models: [], products: [], notes: [] };
  for (const { name } of measured) {
    const engine = new EngineBench({
      name,
      open: () => openEngine(name, options),
      seconds,
      signal: interruption.signal,
      show: waiting,
    });
    for (const shape of shapes) report.models.push({ engine: name, ...(await engine.model(shape)) });
    for (const speed of await engine.products(productsOf(shapes))) {
      report.products.push({ engine: name, ...speed });
    }
    report.notes.push(...engine.notes);
  }
  for (const { name, available } of engines) {
    if (available && !measured.some((engine) => engine.name === name)) {
      report.notes.push(`${name}: measured only when named with --device`);
    }
  }
  return options.json ? printJson(reportAsJson(report)) : print(reportAsText(report));
}

/** @throws CharloomError UNAVAILABLE if one of them cannot run here */
async function namedEngines(devices: readonly string[], options: EngineOptions): Promise<EngineStatus[]> {
  const engines = new Map<string, EngineStatus>();
  for (const device of devices) {
    const engine = await openEngine(device, options);
    const { name, detail, adapter } = engine.description;
    engines.set(name, { name, available: true, detail, ...(adapter && { adapter }) });
    await engine.close();
  }
  return [...engines.values()];
}

/** The products of the layers of these models, each width of a cell once. */
function productsOf(shapes: readonly BenchShape[]): ReturnType<typeof layerProducts> {
  const widths = new Map<string, BenchShape>();
  for (const shape of shapes) {
    const width = `${shape.model.cell} ${shape.model.hidden}`;
    if (!widths.has(width)) widths.set(width, shape);
  }
  return [...widths.values()].flatMap(({ model, training: { batchSize, sequenceLength } }) =>
    layerProducts(new LanguageModel(model), batchSize, sequenceLength),
  );
}
