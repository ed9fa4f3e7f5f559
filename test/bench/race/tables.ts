/** The results of a race as tables in Markdown. */
import { productFlops } from '../../../src/bench/products.ts';
import { bytes, count } from '../../../src/cli/terminal/format.ts';
import { best, type Result, type WorkloadResult } from './result.ts';
import { flopsPerCharacter, type ProductResult, type Share, type StepResult } from './roofline.ts';
import type { StartUpResult } from './start-up.ts';
import { describeWorkload } from './workloads.ts';

/** What was measured where, for the line above each table. */
export interface Conditions {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** Processor and cores. */
  readonly machine: string;
  readonly node: string;
  readonly threads: number;
  /** What reproduces it. */
  readonly command: string;
}

const GIGA = 1e9;
const NONE = '-';

export type Language = 'en' | 'zh-TW';

const SHORT_TABLE: Record<Language, { header: readonly string[]; caption: (c: Conditions) => string }> = {
  en: {
    header: [
      'workload',
      '`native`, characters/s',
      '÷ PyTorch, tuned',
      '`simd`, characters/s',
      '÷ PyTorch, tuned',
      '÷ best JavaScript library',
      'memory',
    ],
    caption: (c) =>
      `Measured by \`${c.command}\` on ${c.date}, ${c.machine}, Node ${c.node}, threads: ${c.threads}. ` +
      "÷: charloom's characters per second over theirs: above 1, charloom is faster. Memory: the most that the processes of `native`, `simd` " +
      'and tuned PyTorch had.',
  },
  'zh-TW': {
    header: [
      '工作',
      '`native`（字元／秒）',
      '÷ 調校過的 PyTorch',
      '`simd`（字元／秒）',
      '÷ 調校過的 PyTorch',
      '÷ 最快的 JavaScript 函式庫',
      '記憶體',
    ],
    caption: (c) =>
      `以 \`${c.command}\` 於 ${c.date} 測得：${c.machine}，Node ${c.node}，執行緒數 ${c.threads}。` +
      '÷ 是 charloom 每秒字元數除以對方的每秒字元數，大於 1 表示 charloom 較快；記憶體依序是 `native`、`simd` 與調校過的 PyTorch 的行程用過的最大值。',
  },
};

/** One line for each workload: charloom, and how it compares. */
export function shortTable(
  results: readonly WorkloadResult[],
  conditions: Conditions,
  language: Language,
): string {
  const { header, caption } = SHORT_TABLE[language];
  const rows = results.map(({ name, workload, results }) => {
    const own = best(results, 'charloom');
    const native = best(results, 'native');
    const pytorch = best(results, 'pytorch');
    const javascript = best(results, 'javascript');
    const oneText = best(results, 'one text');
    const product = javascript?.contestant.split(/[ ,]/, 1)[0];
    return [
      `${name}: ${describeWorkload(workload)}`,
      figure(native?.perSecond, count),
      ratio(pytorch?.nativeRatio),
      figure(own?.perSecond, count) + (own && oneText ? ` (${ratio(oneText.ratio)} x S1)` : ''),
      ratio(pytorch?.ratio),
      ratio(javascript?.ratio) + (own && product ? ` (${product})` : ''),
      [native, own, pytorch].map((each) => figure(each?.outcome.peakMemoryBytes, bytes)).join(' / '),
    ];
  });
  return `${caption(conditions)}\n\n${markdown([header, ...rows])}`;
}

/** Every contestant at every workload, also those without a result. */
export function fullTable(results: readonly WorkloadResult[], { threads }: Conditions): string {
  const rows = results.flatMap(({ name, workload, results }) =>
    results.map((result, i) => [
      i === 0 ? `${name}: ${describeWorkload(workload)}` : '',
      result.contestant,
      figure(result.perSecond, count),
      result.role === 'native' ? '' : ratio(result.nativeRatio),
      result.role === 'charloom' ? '' : ratio(result.ratio),
      spread(result),
      figure(result.outcome.peakMemoryBytes, bytes),
      result.outcome.failure ?? result.outcome.form,
    ]),
  );
  const header = [
    ...['workload', 'contestant', 'characters/s', 'native ÷', 'simd ÷'],
    ...['rounds (spread)', 'memory', 'remarks'],
  ];
  return `Threads: ${threads}. ÷: charloom's characters per second, with either engine, over the contestant's. Rounds: how
many there were, and how far the slowest and the fastest of them lie apart, in percent of the median.

${markdown([header, ...rows])}`;
}

/** Training against the peak of as many threads. */
export function stepTable(steps: readonly StepResult[]): string {
  const rows = steps.map(({ engine, workload, training, ...share }) => [
    engine,
    `${workload}: ${describeWorkload(training)}`,
    count(flopsPerCharacter(training)),
    ...shareCells(share),
  ]);
  return markdown([
    ['engine', 'workload', 'FLOP/character', 'GFLOP/s', 'peak, all threads', ...SHARES],
    ...rows,
  ]);
}

/** Matrix products against the peak of one thread. */
export function productTable(products: readonly ProductResult[]): string {
  const rows = products.map(({ workload, product, ...share }) => [
    workload,
    product.name,
    `[${product.rows}, ${product.depth}] x [${product.depth}, ${product.columns}]`,
    count(productFlops(product)),
    ...shareCells(share),
  ]);
  const header = ['of', 'product', 'shape', 'FLOP', 'GFLOP/s', 'peak, one thread', ...SHARES];
  return markdown([header, ...rows]);
}

const SHARES = ['of the peak', 'fastest rounds', 'bare loop, of the peak', 'of the bare loop'];

function shareCells({ perSecond, peak, ofPeak, fastestOfPeak, loopOfPeak, ofLoop }: Share): string[] {
  const percent = (share: number): string => `${Math.round(100 * share)}%`;
  return [
    figure(perSecond, gigaflops),
    figure(peak, gigaflops),
    figure(ofPeak, percent),
    figure(fastestOfPeak, percent),
    figure(loopOfPeak, percent),
    figure(ofLoop, percent),
  ];
}

/** How long it takes from the start of a process to the first byte that it prints. */
export function startUpTable(results: readonly StartUpResult[]): string {
  const rows = results.map(({ name, seconds, beyondNode }) => [
    name,
    figure(seconds, milliseconds),
    figure(beyondNode, milliseconds),
  ]);
  return markdown([['process', 'first byte after', 'beyond an empty Node.js process'], ...rows]);
}

const milliseconds = (seconds: number): string => `${Math.round(1000 * seconds)} ms`;

function ratio(value: number | null | undefined): string {
  return figure(value, (ratio) => ratio.toFixed(ratio < 10 ? 2 : 0));
}

function spread({ perSecond, outcome: { speeds } }: Result): string {
  if (perSecond === null) return NONE;
  const range = (Math.max(...speeds) - Math.min(...speeds)) / perSecond;
  return `${speeds.length} (${Math.round(100 * range)}%)`;
}

const gigaflops = (perSecond: number): string => (perSecond / GIGA).toFixed(1);

function figure(value: number | null | undefined, show: (value: number) => string): string {
  return value === null || value === undefined ? NONE : show(value);
}

/** The first row is the header. A bar in a cell would begin another one. */
function markdown([header, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return [line(header!), line(header!.map(() => '---')), ...rows.map(line)].join('');
}
