/** What `charloom bench` found, as tables for people and as JSON. */
import type { ModelSpeed, ProductSpeed } from '../bench/engine-bench.ts';
import type { Speed } from '../bench/measure.ts';
import type { BenchShape } from '../bench/shapes.ts';
import type { EngineStatus } from '../engine/open.ts';
import { aboutAdapter } from './devices.ts';
import { count, table } from './terminal/format.ts';
import { version } from './version.ts';

export interface BenchReport {
  /** Time for each figure. */
  readonly seconds: number;
  readonly engines: readonly EngineStatus[];
  readonly models: ({ readonly engine: string } & ModelSpeed)[];
  readonly products: ({ readonly engine: string } & ProductSpeed)[];
  readonly notes: string[];
}

const GIGA = 1e9;
const MICRO = 1e-6;

export function reportAsJson({ seconds, engines, models, products, notes }: BenchReport): object {
  const characters = (speed: Speed | null) =>
    speed && { charactersPerSecond: speed.perSecond, repeats: speed.repeats };
  return {
    charloom: version(),
    node: process.version,
    seconds,
    engines,
    models: models.map(({ engine, shape, ...figures }) => ({
      engine,
      shape: shape.name,
      cell: shape.model.cell,
      layers: shape.model.layers,
      hidden: shape.model.hidden,
      embedding: shape.model.embedding,
      vocabulary: shape.model.vocabulary,
      batchSize: shape.training.batchSize,
      sequenceLength: shape.training.sequenceLength,
      parameters: figures.parameters,
      training: figures.training && {
        ...characters(figures.training),
        gigaflopsPerSecond: (figures.training.perSecond * figures.trainingFlops) / GIGA,
      },
      sampling: characters(figures.sampling),
      evaluation: characters(figures.evaluation),
      dispatches: figures.dispatches,
      hostMicrosecondsPerDispatch: figures.launchSeconds && figures.launchSeconds / MICRO,
    })),
    products: products.map(({ engine, product, speed }) => ({
      engine,
      product: product.name,
      rows: product.rows,
      depth: product.depth,
      columns: product.columns,
      times: product.times,
      gigaflopsPerSecond: speed && speed.perSecond / GIGA,
      repeats: speed?.repeats ?? 0,
    })),
    notes,
  };
}

export function reportAsText(report: BenchReport): string {
  const parts = [
    table([
      ['ENGINE', 'DETAIL'],
      ...report.engines.flatMap(({ name, available, detail, adapter }) => [
        [name, available ? detail : `not available: ${detail}`],
        ...(adapter ? [['', aboutAdapter(adapter)[0]!]] : []),
      ]),
    ]),
  ];
  if (report.models.length > 0) parts.push(modelTable(report.models), productTable(report.products));
  if (report.notes.length > 0) parts.push(`${report.notes.join('\n')}\n`);
  return parts.join('\n');
}

/** One line for each model on each engine; the engines of a model stand below each other. */
function modelTable(models: BenchReport['models']): string {
  const rows = byKey(models, ({ shape }) => `${shape.model.cell} ${shape.name}`).flatMap((group) =>
    group.map((found, i) => [
      i === 0 ? shapeName(found.shape) : '',
      i === 0 ? count(found.parameters) : '',
      found.engine,
      figure(found.training, count),
      figure(found.training, (perSecond) => ((perSecond * found.trainingFlops) / GIGA).toPrecision(3)),
      figure(found.sampling, count),
      figure(found.evaluation, count),
      found.dispatches === null ? '-' : String(found.dispatches),
      found.launchSeconds === null ? '-' : (found.launchSeconds / MICRO).toPrecision(2),
    ]),
  );
  const header = ['MODEL', 'WEIGHTS', 'ENGINE', 'TRAINING', 'GFLOP/S', 'SAMPLING', 'EVALUATION'];
  return `Characters per second; more is faster. GFLOP/S: of the matrix products of training. LAUNCHES: kernels or commands
of one training step; US EACH: time of the host for each, in microseconds, where a device computes meanwhile.

${table([[...header, 'LAUNCHES', 'US EACH'], ...rows])}`;
}

/** One line for each product, one column for each engine. */
function productTable(products: BenchReport['products']): string {
  const engines = [...new Set(products.map(({ engine }) => engine))];
  const rows = byKey(
    products,
    ({ product: { name, rows, depth, columns } }) => `${name} ${rows} ${depth} ${columns}`,
  ).map((group) => {
    const { name, rows, depth, columns } = group[0]!.product;
    return [
      name,
      `[${rows}, ${depth}] x [${depth}, ${columns}]`,
      ...engines.map((engine) => {
        const found = group.find((product) => product.engine === engine);
        return figure(found?.speed ?? null, (perSecond) => (perSecond / GIGA).toPrecision(3));
      }),
    ];
  });
  return `Matrix products of one layer, GFLOP/s; more is faster.

${table([['PRODUCT', 'SHAPE', ...engines], ...rows])}`;
}

function figure(speed: Speed | null, show: (perSecond: number) => string): string {
  return speed ? show(speed.perSecond) : '-';
}

/** "LSTM 1x128, 32x64 (tiny)": layers x hidden, batch x length. */
function shapeName({ name, model, training }: BenchShape): string {
  const sizes = `${model.cell.toUpperCase()} ${model.layers}x${model.hidden}, ${training.batchSize}x${training.sequenceLength}`;
  return /^\d/.test(name) ? sizes : `${sizes} (${name})`;
}

/** The items in groups of equal keys, in order of first appearance. */
function byKey<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups.values()];
}
