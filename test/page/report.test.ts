/** Reports of runs whose histories are known. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HistoryCollector } from '../../src/analysis/run-history.ts';
import { type ReportedRun, renderReport } from '../../src/page/report.ts';
import { areTimed, type ChartedRun, reportCharts } from '../../src/page/report-charts.ts';
import { differingSettings, settingsOf } from '../../src/page/settings-table.ts';
import type { TrainingEvent } from '../../src/training/events.ts';
import { PRESETS } from '../../src/training/presets.ts';
import type { RunConfig } from '../../src/training/run-config.ts';

const { cell, activation, layers, hidden, embedding, dropout, ...training } = PRESETS.tiny!.settings;
const config: RunConfig = {
  ...{ format: 1, charloom: '0.1.0', created: '2026-11-27T00:00:00.000Z' },
  ...{ device: 'auto', engine: 'native', preset: 'tiny' },
  text: { unit: 'character', minCount: 1, split: '90/5/5' },
  model: { cell, activation, layers, hidden, embedding, dropout, vocabulary: 20 },
  training,
  files: [{ name: 'a.txt', path: '/a.txt', bytes: 1000, sha256: 'ab'.repeat(32) }],
};

interface Events {
  readonly steps?: number;
  readonly every?: number;
  readonly more?: readonly object[];
}

function runOf(
  name: string,
  { steps = 20, every = 5, more = [] }: Events = {},
  changes: Partial<RunConfig> = {},
): ReportedRun {
  const settings = { ...config, ...changes };
  const collector = new HistoryCollector(settings.training);
  const add = (event: object) => collector.add(event as TrainingEvent & Record<string, unknown>);
  for (let step = 1; step <= steps; step++) {
    const loss = 1 + 3 / step;
    add({
      event: 'step',
      step,
      loss,
      learningRate: 0.01,
      gradientNorm: loss / 2,
      charactersPerSecond: 1e4,
      epoch: step,
    });
    if (every > 0 && step % every === 0) add({ event: 'eval', step, crossEntropy: loss + 0.1 });
    if (every > 0 && step % every === 0) add({ event: 'sample', step, text: `<b>${step}</b>\n` });
  }
  for (const event of more) add(event);
  return { name, config: settings, history: collector.finish() };
}

const dataOf = (page: string): { runs: ChartedRun[] } =>
  JSON.parse(/<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(page)![1]!);

const withoutScript = (page: string): string => page.replace(/<script>[\s\S]*?<\/script>/g, '');

describe('the report of a run', () => {
  const page = renderReport([runOf('<my run>')]);

  it('has curves, samples, figures and settings', () => {
    for (const id of ['loss', 'gradient', 'rate'])
      assert.match(page, new RegExp(`<figure class="plot" id="run-1-${id}">`));
    assert.match(
      page,
      /best validation<\/th><td>1\.2500 nats per character, 1\.803 bits, perplexity 3\.49 \(step 20\)/,
    );
    assert.match(
      page,
      /<label for="run-1-sample">Step<\/label><input type="range" id="run-1-sample" min="0" max="3"/,
    );
    assert.match(page, /<pre class="text">\n&lt;b&gt;5&lt;\/b&gt;\n<\/pre>/);
    assert.match(page, /training\.learningRate<\/th><td>0\.005<\/td>/);
    assert.match(page, /At step 20 and not ended/);
  });

  it('needs nothing from elsewhere, and its policy lets it', () => {
    assert.doesNotMatch(page.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//);
    assert.match(page, /default-src &#39;none&#39;/);
    assert.doesNotMatch(page, / style="| on[a-z]+="|<b>|<my run>/);
    assert.doesNotMatch(withoutScript(page), /NaN|undefined|Infinity/);
  });

  it('has the curves for its script, too', () => {
    const { runs } = dataOf(page);
    assert.deepEqual([...reportCharts(runs).keys()], ['run-1-loss', 'run-1-gradient', 'run-1-rate']);
    assert.equal(runs[0]!.training.loss.mean[19], 1.15);
    assert.ok(areTimed(runs));
    const minutes = reportCharts(runs, { against: 'minutes', lossScale: 'log' }).get('run-1-loss')!;
    assert.ok(Math.abs(minutes.series[0]!.x[19]! - (20 * 32 * 64) / 1e4 / 60) < 1e-5);
    assert.equal(minutes.y.scale, 'log');
  });

  it('stands a run of one step, without evaluations and samples', () => {
    const short = renderReport([runOf('short', { steps: 1, every: 0 })]);
    assert.match(short, /best validation<\/th><td>not measured/);
    assert.match(short, /None were drawn/);
    assert.match(short, /Validation was not measured/);
    assert.doesNotMatch(short, /type="range"/);
    assert.doesNotMatch(withoutScript(short), /NaN|undefined|Infinity/);
  });

  it('marks where the run went back, and repeats its warnings', () => {
    const back = { event: 'rollback', step: 10, divergedAt: 17, learningRateFactor: 0.5 };
    const warning = { event: 'warning', step: 12, message: 'the <model> memorises' };
    const told = renderReport([runOf('wild', { more: [back, warning] })]);
    assert.equal(withoutScript(told).match(/class="mark"/g)?.length, 3);
    assert.match(told, /diverged at 17, back/);
    assert.match(told, /the learning rate was halved once/);
    assert.match(told, /Step 12: the &lt;model&gt; memorises/);
  });

  it('keeps squared errors and cross-entropies on axes of their own', () => {
    const mse = runOf('mse', {}, { training: { ...training, loss: 'mse' } });
    const { runs } = dataOf(renderReport([mse]));
    const charts = reportCharts(runs);
    assert.deepEqual(
      charts.get('run-1-loss')!.series.map(({ name }) => name),
      ['training'],
    );
    assert.equal(charts.get('run-1-loss')!.y.label, 'squared error');
    assert.deepEqual(
      charts.get('run-1-validation')!.series.map(({ name }) => name),
      ['validation'],
    );
    assert.equal(reportCharts([...runs, ...dataOf(page).runs]).has('all-training'), false);
  });

  it('is below a megabyte for a million steps, and still has their peak', () => {
    const collector = new HistoryCollector(training);
    for (let step = 1; step <= 1_000_000; step++) {
      const loss = step === 765_432 ? 9 : 1 + 3 / step + 0.1 * Math.sin(step);
      collector.add({
        event: 'step',
        step,
        loss,
        learningRate: 0.01,
        gradientNorm: loss,
        charactersPerSecond: 1e4,
      });
      if (step % 100 === 0) collector.add({ event: 'eval', step, crossEntropy: loss });
      if (step % 100 === 0) collector.add({ event: 'sample', step, text: '字'.repeat(300) });
    }
    const long = renderReport([{ name: 'long', config, history: collector.finish() }]);
    assert.ok(Buffer.byteLength(long) < 1e6, `${Buffer.byteLength(long)} bytes`);
    assert.equal(Math.max(...dataOf(long).runs[0]!.training.loss.upper), 9);
  });
});

describe('the report of several runs', () => {
  const other = runOf('second', { steps: 40 }, { training: { ...training, seed: 7, learningRate: 0.02 } });
  const page = renderReport([runOf('first'), other]);

  it('has their curves over one another, their figures and what differs', () => {
    const charts = reportCharts(dataOf(page).runs);
    for (const id of ['all-validation', 'all-training']) {
      assert.deepEqual(
        charts.get(id)!.series.map(({ name }) => name),
        ['first', 'second'],
      );
      assert.match(page, new RegExp(`id="${id}"`));
    }
    const differing = /<h2>Settings that differ<\/h2>([\s\S]*?)<\/section>/.exec(page)![1]!;
    assert.deepEqual(
      [...differing.matchAll(/<th scope="row">([^<]*)<\/th><td>([^<]*)<\/td><td>([^<]*)<\/td>/g)].map(
        ([, ...cells]) => cells,
      ),
      [
        ['training.learningRate', '0.005', '0.02'],
        ['training.seed', '1', '7'],
      ],
    );
  });

  it('has links to every run that lead somewhere', () => {
    const targets = [...page.matchAll(/href="#([^"]*)"/g)].map(([, target]) => target!);
    assert.ok(targets.length >= 6);
    for (const target of targets) assert.match(page, new RegExp(` id="${target}"`));
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('warns that losses on different texts are not of the same thing', () => {
    assert.doesNotMatch(page, /different texts/);
    const elsewhere = runOf('b', {}, { files: [{ ...config.files[0]!, sha256: 'cd'.repeat(32) }] });
    assert.match(renderReport([runOf('a'), elsewhere]), /class="warning">The runs read different texts/);
  });

  it('says so when nothing differs', () => {
    assert.match(renderReport([runOf('a'), runOf('b')]), /None: the runs have the same settings/);
  });
});

describe('settings', () => {
  it('are all there, and those that differ are those of one run alone, too', () => {
    const names = settingsOf(config).map(({ name }) => name);
    for (const name of Object.keys(training)) assert.ok(names.includes(`training.${name}`));
    const two = {
      ...config,
      files: [...config.files, { ...config.files[0]!, name: 'b.txt' }],
      created: 'later',
    };
    assert.deepEqual(
      differingSettings([config, two])
        .map(({ name }) => name)
        .sort(),
      ['file', 'file 1', 'file 2'],
    );
  });
});
