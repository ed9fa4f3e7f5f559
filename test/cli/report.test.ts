/** `charloom report` of runs as `train` leaves them, and as accidents leave them. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { charloom, json, metrics, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const path = (...parts: string[]): string => join(cwd, ...parts);
const read = (...parts: string[]): string => readFileSync(path(...parts), 'utf8');

interface Printed {
  readonly path: string;
  readonly runs: readonly {
    readonly name: string;
    readonly steps: number;
    readonly minutes: number;
    readonly trainingLoss: number;
    readonly best: {
      readonly step: number;
      readonly crossEntropy: number;
      readonly bitsPerCharacter: number;
    };
    readonly ended: string | null;
    readonly samples: number;
    readonly damagedLines: number;
  }[];
}

/** A copy of a run whose events are changed. */
function copyOf(name: string, change: (lines: string) => string | undefined): string {
  cpSync(path('run'), path(name), { recursive: true });
  const changed = change(read('run', 'metrics.jsonl'));
  if (changed === undefined) rmSync(path(name, 'metrics.jsonl'));
  else writeFileSync(path(name, 'metrics.jsonl'), changed);
  return name;
}

before(async () => {
  writeFileSync(path('text.txt'), sampleText(3000));
  const train = (run: string, ...args: string[]) =>
    succeed(['train', 'text.txt', ...TINY, ...args, '--out', run], { cwd });
  const often = ['--eval-every', '10', '--sample-every', '20'];
  await Promise.all([
    train('run', '--steps', '60', ...often),
    train('other', '--steps', '40', '--cell', 'rnn', '--eval-every', '0'),
  ]);
});

describe('charloom report', { concurrency: 3 }, () => {
  it('when a run is given then its report is in its folder, and the figures are those of its events', async () => {
    const [printed] = await json<Printed>(['report', 'run'], { cwd });
    assert.equal(printed!.path, path('run', 'report.html'));
    const page = read('run', 'report.html');
    assert.match(page, /^<!doctype html>/);
    const events = metrics(path('run'));
    const [run] = printed!.runs;
    const evaluations = events.filter((event) => event.event === 'eval');
    const best = Math.min(...evaluations.map(({ crossEntropy }) => crossEntropy));
    assert.equal(run!.best.crossEntropy, best);
    assert.ok(Math.abs(run!.best.bitsPerCharacter - best / Math.LN2) < 1e-12);
    const losses = events.flatMap((event) => (event.event === 'step' ? [event.loss] : []));
    assert.ok(Math.abs(run!.trainingLoss - losses.slice(-50).reduce((a, b) => a + b) / 50) < 1e-9);
    const samples = events.filter((event) => event.event === 'sample').length;
    assert.deepEqual([run!.steps, run!.ended, run!.samples, run!.damagedLines], [60, 'steps', samples, 0]);
    assert.ok(run!.minutes > 0);
    assert.ok(page.includes(best.toFixed(4)));
  });

  it('when several are given then one page compares them, where it is told to', async () => {
    const refused = await charloom(['report', 'run', 'other'], { cwd });
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /needs a name\nhint: .*-o comparison\.html/);
    const [printed] = await json<Printed>(['report', 'run', 'other', '-o', 'both.html'], { cwd });
    assert.deepEqual(
      printed!.runs.map(({ name, best }) => [name, best === null]),
      [
        ['run', false],
        ['other', true],
      ],
    );
    assert.match(read('both.html'), /<h1>2 runs<\/h1>/);
    assert.match(read('both.html'), /model\.cell<\/th><td>gru<\/td><td>rnn<\/td>/);
  });

  it('when runs have the same name then they are told apart', async () => {
    mkdirSync(path('elsewhere'), { recursive: true });
    symlinkSync(path('run'), path('elsewhere', 'run'));
    const [printed] = await json<Printed>(['report', 'run', 'elsewhere/run', 'run', '-o', 'three.html'], {
      cwd,
    });
    assert.deepEqual(
      printed!.runs.map(({ name }) => name),
      ['run', 'elsewhere/run', 'run (2)'],
    );
  });

  it('when the page is to go to stdout then nothing else does', async () => {
    const { stdout, stderr } = await succeed(['report', 'run', '-o', '-'], { cwd });
    assert.match(stdout, /^<!doctype html>[\s\S]*<\/html>\n$/);
    assert.equal(stderr, '');
    for (const other of ['--open', '--json']) {
      assert.equal((await charloom(['report', 'run', '-o', '-', other], { cwd })).status, 2);
    }
  });

  it('when a run is still trained then its report is of what there is', async () => {
    const name = copyOf(
      'young',
      (lines) => `${lines.split('\n').slice(0, 25).join('\n')}\n{"event":"step","st`,
    );
    const [printed] = await json<Printed>(['report', name], { cwd });
    assert.deepEqual([printed!.runs[0]!.ended, printed!.runs[0]!.damagedLines], [null, 0]);
    assert.match(read(name, 'report.html'), /still being trained/);
  });

  it('when a run was resumed then it is one run', async () => {
    cpSync(path('run'), path('longer'), { recursive: true });
    await succeed(['resume', 'longer', '--steps', '90'], { cwd });
    const [printed] = await json<Printed>(['report', 'longer'], { cwd });
    assert.deepEqual([printed!.runs[0]!.steps, printed!.runs[0]!.ended], [90, 'steps']);
    const data = /id="data">([\s\S]*?)<\/script>/.exec(read('longer', 'report.html'))![1]!;
    assert.deepEqual(
      JSON.parse(data).runs[0].training.steps,
      Array.from({ length: 90 }, (_, i) => i + 1),
    );
  });

  it('when lines are damaged then it goes without them, and says so', async () => {
    const name = copyOf('damaged', (lines) => lines.replace('{"event":"step","step":7,', '\u0000\u0000'));
    const { stderr } = await succeed(['report', name], { cwd });
    assert.match(stderr, /^damaged: 1 lines? of metrics\.jsonl could not be read/m);
    assert.match(read(name, 'report.html'), /1 line of its metrics\.jsonl could not be read/);
  });

  it('when there is nothing to report then that is an error', async () => {
    const cases: [string, number, RegExp][] = [
      [copyOf('empty', () => ''), 66, /empty has no step yet/],
      [
        copyOf('garbage', () => 'x\ny\n'),
        65,
        /garbage\/metrics\.jsonl has no step among its lines, 2 of which/,
      ],
      [copyOf('gone', () => undefined), 66, /cannot read gone\/metrics\.jsonl: it does not exist/],
      ['nonesuch', 66, /cannot read nonesuch: it does not exist/],
    ];
    for (const [run, status, message] of cases) {
      const result = await charloom(['report', run], { cwd });
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
      assert.equal(result.stderr.trim().split('\n').length <= 2, true);
    }
  });

  it('when it cannot be written then the file is as it was', async () => {
    const result = await charloom(['report', 'run', '-o', 'nowhere/a.html'], { cwd });
    assert.deepEqual([result.status, /its folder does not exist/.test(result.stderr)], [73, true]);
    mkdirSync(path('folder'));
    assert.equal((await charloom(['report', 'run', '-o', 'folder'], { cwd })).status, 73);
    writeFileSync(path('mine.html'), 'mine');
    // A file of at most 4 kB: the page has no room.
    const full = await charloom(['report', 'run', '-o', 'mine.html'], {
      cwd,
      shell: 'ulimit -f 8; trap \'\' XFSZ; exec "$@"',
    });
    assert.equal(full.status, 74, full.stderr);
    assert.equal(read('mine.html'), 'mine');
  });

  it('when it is written through a link or into a device then that stays what it is', async () => {
    writeFileSync(path('target.html'), '');
    symlinkSync('target.html', path('link.html'));
    await succeed(['report', 'run', '-o', 'link.html'], { cwd });
    assert.match(read('target.html'), /^<!doctype html>/);
    await succeed(['report', 'run', '-o', '/dev/null'], { cwd });
    const piped = await succeed(['report', 'run', '-o', '/dev/stdout'], { cwd, shell: '"$@" | cat' });
    assert.match(piped.stdout, /^<!doctype html>[\s\S]*<\/html>\n$/);
  });

  it('when it is to be opened then the program of the system gets it, or its lack is told', {
    skip: process.platform !== 'linux',
  }, async () => {
    mkdirSync(path('bin'));
    const environment = { PATH: path('bin') };
    const none = await charloom(['report', 'run', '-o', 'open.html', '--open'], { cwd, environment });
    assert.equal(none.status, 69);
    assert.match(
      none.stderr,
      /the browser could not be opened: there is no xdg-open\nhint: open it yourself: .*open\.html/,
    );
    assert.match(read('open.html'), /^<!doctype html>/);
    writeFileSync(path('bin', 'xdg-open'), `#!/bin/sh\necho "$1" >'${path('opened')}'\n`);
    chmodSync(path('bin', 'xdg-open'), 0o755);
    await succeed(['report', 'run', '-o', 'open.html', '--open'], { cwd, environment });
    assert.equal(read('opened'), `${path('open.html')}\n`);
    appendFileSync(path('bin', 'xdg-open'), 'exit 3\n');
    const failed = await charloom(['report', 'run', '-o', 'open.html', '--open'], { cwd, environment });
    assert.match(failed.stderr, /the browser could not be opened: xdg-open failed \(status 3\)/);
  });
});
