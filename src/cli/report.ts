/** `charloom report`: what happened in a run, or in several side by side, as one page. */
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { type RunFigures, readHistory } from '../analysis/run-history.ts';
import { CharloomError } from '../errors.ts';
import { type ReportedRun, renderReport } from '../page/report.ts';
import { Run } from '../training/run.ts';
import { openBrowser } from './browser.ts';
import { examples } from './help.ts';
import { STDOUT, writeOutput } from './output-file.ts';
import { textsOf } from './run-corpus.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';
import { bytes } from './terminal/format.ts';
import { note, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

const REPORT = 'report.html';
/** Points of all curves of a page together, and samples: what keeps it below a megabyte. */
const POINTS = 3000;
const SAMPLES = 200;

interface ReportOptions {
  readonly output?: string;
  readonly open?: boolean;
  readonly json?: boolean;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('make a page of curves, samples and figures of a run, or of several side by side')
    .argument('<runs...>', 'run folders')
    .option(
      '-o, --output <file>',
      `the page; '-' is standard output (default: ${REPORT} in the run's folder)`,
    )
    .option('--open', 'open it in the browser')
    .option('--json', 'print one JSON object: where the page is, and the figures of each run')
    .addHelpText(
      'before',
      examples(
        'charloom report runs/book --open',
        'charloom report runs/* -o comparison.html',
        'charloom report runs/book --json | jq .runs[0].best',
      ),
    )
    .action(report);
}

async function report(paths: string[], options: ReportOptions): Promise<void> {
  const output = options.output ?? (paths.length === 1 ? join(paths[0]!, REPORT) : undefined);
  if (output === undefined) {
    throw new CharloomError(
      'USAGE',
      'a page of several runs is in no run: it needs a name',
      'say where it should be, e.g. -o comparison.html',
    );
  }
  if (output === STDOUT && (options.open || options.json)) {
    throw new CharloomError(
      'USAGE',
      `-o - writes the page to standard output, which ${options.open ? '--open cannot open' : '--json needs for itself'}`,
      'name a file',
    );
  }
  const limits = {
    points: Math.max(40, Math.min(600, Math.floor(POINTS / paths.length))),
    samples: Math.max(2, Math.min(100, Math.floor(SAMPLES / paths.length))),
  };
  const names = namesOf(paths);
  const runs: ReportedRun[] = [];
  const texts: string[] = [];
  for (const [i, path] of paths.entries()) {
    const run = await Run.open(path);
    texts.push(...textsOf(run));
    const bar = new ProgressBar(`reading ${printableLine(names[i]!)}`, undefined, bytes);
    const history = await withBar(bar, () =>
      readHistory(run, {
        ...limits,
        onProgress: (done, total) => bar.update(done, total),
        signal: interruption.signal,
      }),
    );
    runs.push({ name: names[i]!, config: run.config, history });
  }
  for (const { name, history } of runs) {
    if (history.damagedLines > 0) {
      note(
        `${printableLine(name)}: ${history.damagedLines} lines of metrics.jsonl could not be read and are left out`,
      );
    }
  }

  const page = renderReport(runs);
  await writeOutput(output, '--output', page, { stdout: true, inputs: texts });
  if (output !== STDOUT) note(`${printableLine(output)}  ${bytes(Buffer.byteLength(page))}`);
  if (options.json) {
    await printJson({
      path: resolve(output),
      bytes: Buffer.byteLength(page),
      runs: runs.map(({ name, history }, i) => ({
        run: paths[i],
        name,
        ...figuresOf(history.figures),
        samples: history.samples.length,
        damagedLines: history.damagedLines,
      })),
    });
  }
  if (!options.open) return;
  const problem = await openBrowser(resolve(output));
  if (problem) {
    throw new CharloomError(
      'UNAVAILABLE',
      `the browser could not be opened: ${problem}`,
      `open it yourself: ${resolve(output)}`,
    );
  }
}

/** As `eval` and `info` call them. */
function figuresOf({ validation, best, ...figures }: RunFigures): object {
  const evaluation = (found: RunFigures['best']): object | null =>
    found && {
      ...found,
      bitsPerCharacter: found.crossEntropy / Math.LN2,
      perplexity: Math.exp(found.crossEntropy),
    };
  return { ...figures, validation: evaluation(validation), best: evaluation(best) };
}

/** The names of the folders, as long as no two are the same: then the paths, and at last their number. */
function namesOf(paths: readonly string[]): string[] {
  const short = paths.map((path) => basename(resolve(path)));
  const names = new Set(short).size === paths.length ? short : [...paths];
  return names.map((name, i) => {
    const earlier = names.slice(0, i).filter((other) => other === name).length;
    return earlier > 0 ? `${name} (${earlier + 1})` : name;
  });
}
