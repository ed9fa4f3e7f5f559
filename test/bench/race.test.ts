/** The race's own machinery: rounds, failures, ratios, tables. The speeds are those of contestants made for it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type Contestant,
  charloomCommand,
  findContestants,
  type Role,
  variables,
} from './race/contestants.ts';
import { replaceBetween } from './race/markers.ts';
import { best, compare } from './race/result.ts';
import { flopsPerCharacter, PeakProgram, shareOf } from './race/roofline.ts';
import { alternate, type Entry, type Outcome } from './race/rounds.ts';
import { race } from './race/run.ts';
import { measureStartUp } from './race/start-up.ts';
import {
  type Conditions,
  fullTable,
  productTable,
  shortTable,
  startUpTable,
  stepTable,
} from './race/tables.ts';
import { describeWorkload, type Training, WORKLOADS } from './race/workloads.ts';

const file = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const quiet = (): void => {};

function command(speed: number, behaviour = ''): Entry['command'] {
  const script = file('race/fake-contestant.mjs');
  return {
    program: process.execPath,
    arguments: [script, String(speed), behaviour],
    environment: process.env,
  };
}

function entry(name: string, speed: number, options: Partial<Entry> & { behaviour?: string } = {}): Entry {
  const { behaviour, ...rest } = options;
  const common = { rounds: 2, seconds: 0.01, limitSeconds: 20 };
  return { name, command: command(speed, behaviour), ...common, ...rest };
}

describe('the rounds', () => {
  it('alternate, and who has fewer takes part in the first ones', async () => {
    const shown: string[] = [];
    const outcomes = await alternate([entry('a', 100, { rounds: 3 }), entry('b', 20)], (what) =>
      shown.push(what),
    );
    assert.deepEqual(shown, [
      'a: getting ready',
      'b: getting ready',
      'a: round 1 of 3',
      'b: round 1 of 2',
      'a: round 2 of 3',
      'b: round 2 of 2',
      'a: round 3 of 3',
    ]);
    assert.deepEqual(
      outcomes.map(({ speeds }) => speeds),
      [
        [100, 100, 100],
        [20, 20],
      ],
    );
    for (const { failure, peakMemoryBytes } of outcomes) {
      assert.deepEqual([failure, peakMemoryBytes], [null, 5e6]);
    }
  });

  it('go on without those that fail, and say why they did', async () => {
    const behaviours = ['crashes', 'crashes later', 'confused', 'hangs', ''];
    const outcomes = await alternate(
      [
        ...behaviours.map((behaviour) =>
          entry(behaviour, 1, { behaviour, limitSeconds: behaviour === 'hangs' ? 0.2 : 20 }),
        ),
        entry('absent', 1, {
          command: { program: '/no/such/program', arguments: [], environment: process.env },
        }),
      ],
      quiet,
    );
    const failures = outcomes.map(({ failure }) => failure);
    assert.equal(failures[0], 'ended with status 1: Error: no such weights');
    assert.equal(failures[1], 'ended with status 7');
    assert.equal(failures[2], `answered {"pong":1}, not 'amount'`);
    assert.equal(failures[3], 'no answer within 0.2 s');
    assert.deepEqual([failures[4], outcomes[4]!.speeds], [null, [1, 1]]);
    assert.match(failures[5]!, /ENOENT/);
  });
});

function outcome(speeds: readonly number[], failure: string | null = null): Outcome {
  return { speeds, form: 'as it is', peakMemoryBytes: 12e6, failure };
}

function result(contestant: string, role: Role, ...speeds: number[]) {
  return { contestant, role, outcome: outcome(speeds) };
}

describe('the comparison', () => {
  const results = compare([
    result('charloom', 'charloom', 10, 90, 20),
    result('torch', 'pytorch', 40, 30, 50),
    result('one', 'javascript', 1, 3),
    result('two', 'javascript', 5),
    { contestant: 'three', role: 'javascript', outcome: outcome([1000], 'ended with status 1') },
  ]);

  it('is of median speeds, and of charloom over the others in the same rounds', () => {
    assert.deepEqual(
      results.map(({ perSecond, ratio }) => [perSecond, ratio]),
      [
        [20, 1],
        [40, 0.4], // of 10 / 40, 90 / 30, 20 / 50
        [2, 20], // of 10 / 1, 90 / 3
        [5, 2],
        [null, null],
      ],
    );
  });

  it('takes the fastest library that has a result', () => {
    assert.equal(best(results, 'javascript')?.contestant, 'two');
    assert.equal(best(results, 'other'), undefined);
  });

  it('has no ratios where charloom failed', () => {
    const [, other] = compare([
      { contestant: 'charloom', role: 'charloom', outcome: outcome([], 'ended by SIGKILL') },
      result('torch', 'pytorch', 40),
    ]);
    assert.deepEqual([other!.perSecond, other!.ratio], [40, null]);
  });
});

describe('a race', () => {
  const contestant = (name: string, options: Partial<Contestant> = {}): Contestant => ({
    name,
    role: 'other',
    missing: null,
    brief: false,
    command: () => command(8),
    ...options,
  });
  const options = { rounds: 3, seconds: 0.01 };

  it('lists what is not installed, gives the brief fewer rounds, and leaves out who cannot do it', async () => {
    const contestants = [
      contestant('own', { role: 'charloom' }),
      contestant('absent', { missing: 'nowhere to be found' }),
      contestant('brief', { brief: true }),
      contestant('unable', { command: () => null }),
    ];
    const { results } = await race('W1', WORKLOADS.W1!, contestants, options, quiet);
    assert.deepEqual(
      results.map((found) => [found.contestant, found.outcome.speeds.length, found.outcome.failure]),
      [
        ['own', 3, null],
        ['absent', 0, 'not installed: nowhere to be found'],
        ['brief', 2, null],
      ],
    );
  });

  it('knows who is not installed, and where it looked', async () => {
    const peers = await mkdtemp(path.join(tmpdir(), 'charloom-race-'));
    try {
      const found = await findContestants({ peers, engine: 'simd', threads: 1 });
      const javascript = found.filter(({ role }) => role === 'javascript');
      assert.equal(javascript.length, 3);
      for (const { missing } of javascript) assert.ok(missing?.includes(peers), missing ?? 'installed');
      assert.match(found.find(({ role }) => role === 'pytorch')!.missing!, /pytorch-tuned\.env|torch/);
      const side = WORKLOADS.S1x32!;
      assert.deepEqual(
        found.filter((each) => each.command('S1x32', side)).map(({ role }) => role),
        ['charloom', 'native', 'one text'],
      );
    } finally {
      await rm(peers, { recursive: true });
    }
  });

  it('reads the variables of a file', () => {
    assert.deepEqual(variables('A_1=/x y\n# no\nB=c=d\n'), { A_1: '/x y', B: 'c=d' });
  });
});

const conditions: Conditions = {
  date: '2026-01-02',
  machine: '2 cores',
  node: '20.6.0',
  threads: 2,
  command: 'make race',
};

describe('the tables', () => {
  const training = {
    name: 'W1',
    workload: WORKLOADS.W1!,
    results: compare([
      result('charloom, simd', 'charloom', 40_000, 50_000),
      result('charloom, native', 'native', 160_000, 200_000),
      result('PyTorch 1.2, tuned', 'pytorch', 80_000, 100_000),
      result('TensorFlow.js 4.2, wasm', 'javascript', 2667, 3333),
      { contestant: 'brain.js', role: 'javascript', outcome: outcome([], 'a | b') },
    ]),
  };
  const sideBySide = {
    name: 'S1x32',
    workload: WORKLOADS.S1x32!,
    results: compare([
      result('charloom, simd', 'charloom', 300_000),
      result('charloom, one text', 'one text', 20_000),
    ]),
  };
  const linesOf = (table: string): string[] => table.trim().split('\n');

  it('have charloom and its ratios in short', () => {
    for (const language of ['en', 'zh-TW'] as const) {
      const lines = linesOf(shortTable([training, sideBySide], conditions, language));
      assert.match(lines[0]!, /make race.*2026-01-02.*2 cores/);
      assert.deepEqual(lines.slice(4), [
        '| W1: training, LSTM 2x128, B = 50, T = 50 | 180k | 2.00 | 45k | 0.50 | 15 (TensorFlow.js) | 12.0 MB / 12.0 MB / 12.0 MB |',
        '| S1x32: sampling, LSTM 2x128, 32 texts at once | - | - | 300k (15 x S1) | - | - | - / 12.0 MB / - |',
      ]);
    }
  });

  it('have every contestant, also those without a result', () => {
    const lines = linesOf(fullTable([training], conditions));
    assert.deepEqual(lines.slice(-5), [
      '| W1: training, LSTM 2x128, B = 50, T = 50 | charloom, simd | 45k | 4.00 |  | 2 (22%) | 12.0 MB | as it is |',
      '|  | charloom, native | 180k |  | 0.25 | 2 (22%) | 12.0 MB | as it is |',
      '|  | PyTorch 1.2, tuned | 90k | 2.00 | 0.50 | 2 (22%) | 12.0 MB | as it is |',
      '|  | TensorFlow.js 4.2, wasm | 3k | 60 | 15 | 2 (22%) | 12.0 MB | as it is |',
      '|  | brain.js | - | - | - | - | 12.0 MB | a \\| b |',
    ]);
  });

  it('have training steps and products in percent of the peak', () => {
    const perCharacter = flopsPerCharacter(WORKLOADS.W1 as Training);
    // Of a 2x128 LSTM: three matrices [512, 128] and the output layer [65, 128]; one-hot input is looked up.
    assert.equal(perCharacter, 3 * 2 * (3 * 512 * 128 + 65 * 128));
    const step = { engine: 'simd', workload: 'W1', training: WORKLOADS.W1 as Training };
    const alone = { peak: null, ofPeak: null, fastestOfPeak: null, loopOfPeak: null, ofLoop: null };
    const work = outcome([40, 60, 80]);
    assert.deepEqual(shareOf(work), { ...alone, perSecond: 60 });
    const withPeak = { ...alone, perSecond: 60, peak: 100, ofPeak: 0.6, fastestOfPeak: 80 / 150 };
    const peak = outcome([50, 150, 50, 150]);
    assert.deepEqual(shareOf(work, peak), withPeak);
    const loop = outcome([80, 75, 90]);
    assert.deepEqual(shareOf(work, peak, loop), { ...withPeak, loopOfPeak: 0.8, ofLoop: 0.8 });
    const rates = { perSecond: 60e9, peak: 100e9, ofPeak: 0.62, fastestOfPeak: 0.7 };
    assert.equal(
      linesOf(stepTable([{ ...step, ...rates, loopOfPeak: 0.8, ofLoop: 0.775 }])).at(-1),
      '| simd | W1: training, LSTM 2x128, B = 50, T = 50 | 1.23M | 60.0 | 100.0 | 62% | 70% | 80% | 78% |',
    );

    const product = {
      name: 'x',
      rows: 2,
      depth: 3,
      columns: 4,
      transpose: 'none' as const,
      times: 5,
    };
    const row = (perSecond: number | null, peak: number | null, share: number | null) => {
      const shares = { ofPeak: share, fastestOfPeak: share, loopOfPeak: share, ofLoop: share };
      const result = { workload: 'W1', product, perSecond, peak, ...shares };
      return linesOf(productTable([result])).at(-1);
    };
    assert.equal(
      row(30e9, 60e9, 0.5),
      '| W1 | x | [2, 3] x [3, 4] | 240 | 30.0 | 60.0 | 50% | 50% | 50% | 50% |',
    );
    assert.equal(row(30e9, null, null), '| W1 | x | [2, 3] x [3, 4] | 240 | 30.0 | - | - | - | - | - |');
    assert.equal(row(null, 60e9, null), '| W1 | x | [2, 3] x [3, 4] | 240 | - | 60.0 | - | - | - | - |');
  });

  it('stand in a document between their markers', () => {
    const text = 'a\n<!-- t -->\nold\n<!-- /t -->\nb\n';
    const replaced = replaceBetween(text, 't', 'new\n');
    assert.equal(replaced, 'a\n<!-- t -->\nnew\n<!-- /t -->\nb\n');
    assert.equal(replaceBetween(replaced, 't', 'new'), replaced);
    for (const bad of ['', '<!-- t -->', '<!-- /t --><!-- t -->', text + text]) {
      assert.throws(() => replaceBetween(bad, 't', 'new'), /each once/);
    }
  });
});

describe('the documents', () => {
  it('have the markers of the tables', () => {
    const markers = {
      'docs/benchmarks.md': ['summary', 'contestants', 'steps', 'products', 'start-up'],
      'README.md': ['summary'],
      'README.zh-TW.md': ['summary'],
    };
    for (const [document, names] of Object.entries(markers)) {
      const text = readFileSync(file(`../../${document}`), 'utf8');
      for (const name of names) assert.ok(replaceBetween(text, `race: ${name}`, 'new').includes('new'));
    }
  });
});

describe('the contestants', () => {
  it('have every module of their own that they import', () => {
    const folder = file('peers');
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.mjs'));
    const imports = scripts.flatMap((name) => {
      const source = readFileSync(path.join(folder, name), 'utf8');
      return [...source.matchAll(/ from '(\.[^']+)'/g)].map(([, module]) => ({ name, module: module! }));
    });
    assert.ok(imports.length >= scripts.length - 2, 'the imports were found');
    for (const { name, module } of imports) {
      assert.ok(existsSync(path.join(folder, module)), `${name} imports ${module}`);
    }
  });

  const compiled = existsSync(file('../../dist/bench/products.js'));
  const tiny = { cell: 'gru', layers: 1, hidden: 8, vocabulary: 5, characters: 300, streams: 2 };
  const kinds = ['training', 'sampling', 'evaluation', 'product'];

  it('of charloom does every kind of work', {
    skip: compiled ? false : "charloom is not compiled: run 'make build'",
  }, async () => {
    const entries = kinds.map((kind) =>
      entry(kind, 0, {
        command: charloomCommand('simd', 1, {
          ...tiny,
          kind,
          batchSize: 2,
          sequenceLength: 3,
          product: 1,
        }),
        rounds: 1,
      }),
    );
    for (const { failure, speeds, form, peakMemoryBytes } of await alternate(entries, quiet)) {
      assert.equal(failure, null);
      assert.ok(speeds[0]! > 0 && peakMemoryBytes! > 1e7);
      assert.match(form, /SIMD/);
    }
  });

  const compiler = spawnSync(process.env.CC ?? 'cc', ['--version']).status === 0;

  it("measure the machine's peak", { skip: compiler ? false : 'there is no C compiler' }, async () => {
    const peak = await PeakProgram.compile();
    assert.ok(peak);
    try {
      for (const engine of ['simd', 'native']) {
        const [one] = await alternate([peak.entry(engine, 2, 1, 0.05)], quiet);
        assert.equal(one!.failure, null);
        assert.ok(one!.speeds[0]! > 1e8, `${one!.speeds[0]}`);
      }
      const [loop, bare] = await alternate([peak.loop(2, 3, 0.05), peak.entry('simd', 2, 3, 0.05)], quiet);
      assert.equal(loop!.failure, null);
      // Loads only ever add to the arithmetic: a loop that is faster than it leaves work out.
      const share = Math.max(...loop!.speeds) / Math.max(...bare!.speeds);
      assert.ok(share > 0.05 && share < 3, `${share}`);
    } finally {
      await peak.remove();
    }
  });
});

describe('starting up', () => {
  const compiled = existsSync(file('../../dist/cli/main.js'));

  it('is measured to the first byte, and beyond what Node.js takes', {
    skip: compiled ? false : "charloom is not compiled: run 'make build'",
  }, async () => {
    const [node, ...own] = await measureStartUp(quiet, 1);
    assert.equal(node!.beyondNode, 0);
    assert.equal(own.length, 2);
    for (const { seconds } of own) assert.ok(seconds > 0.01 && seconds < 60, `${seconds}`);
    assert.match(
      startUpTable([{ name: 'x', seconds: 0.1234, beyondNode: 0.05 }]),
      /\| x \| 123 ms \| 50 ms \|\n$/,
    );
  });
});

describe('the workloads', () => {
  it('are described by their sizes', () => {
    assert.deepEqual(
      ['W2', 'S1x32', 'E1'].map((name) => describeWorkload(WORKLOADS[name]!)),
      [
        'training, LSTM 1x256, B = 64, T = 64',
        'sampling, LSTM 2x128, 32 texts at once',
        'evaluation, LSTM 2x128',
      ],
    );
  });
});
