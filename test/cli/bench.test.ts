/** `charloom bench`, and the choice of an engine for training that rests on the same measurements. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { charloom, json, sampleText, scratchFolder, start, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const QUICK = ['--shape', '1x8@2x4', '--seconds', '0.02'];

interface Figure {
  readonly charactersPerSecond: number;
  readonly repeats: number;
}

interface Report {
  readonly seconds: number;
  readonly engines: { name: string; available: boolean; detail: string }[];
  readonly models: {
    readonly engine: string;
    readonly cell: string;
    readonly hidden: number;
    readonly batchSize: number;
    readonly parameters: number;
    readonly training: (Figure & { gigaflopsPerSecond: number }) | null;
    readonly sampling: Figure | null;
    readonly evaluation: Figure | null;
    readonly dispatches: number | null;
    readonly hostMicrosecondsPerDispatch: number | null;
  }[];
  readonly products: {
    readonly engine: string;
    readonly product: string;
    readonly rows: number;
    readonly gigaflopsPerSecond: number | null;
  }[];
  readonly notes: string[];
}

describe('bench', { concurrency: 2 }, () => {
  it('measures every cell on every engine that is named', async () => {
    const args = ['bench', ...QUICK, '--device', 'simd', 'reference', '--cell', 'lstm', 'gru', 'rnn'];
    const [report, ...more] = await json<Report>(args, { cwd });
    assert.deepEqual(more, []);
    assert.deepEqual(report!.notes, [], 'no figure is missing');
    assert.equal(report!.seconds, 0.02);
    assert.deepEqual(
      report!.engines.map(({ name, available }) => [name, available]),
      [
        ['simd', true],
        ['reference', true],
      ],
    );
    assert.deepEqual(
      report!.models.map(({ engine, cell }) => `${engine} ${cell}`),
      ['simd lstm', 'simd gru', 'simd rnn', 'reference lstm', 'reference gru', 'reference rnn'],
    );
    for (const { training, sampling, evaluation, ...model } of report!.models) {
      for (const figure of [training, sampling, evaluation]) {
        assert.ok(figure!.charactersPerSecond > 0 && figure!.repeats >= 1);
      }
      assert.ok(training!.gigaflopsPerSecond > 0);
      assert.ok(model.dispatches! > 10);
      assert.equal(model.hostMicrosecondsPerDispatch, null, 'these engines compute while they launch');
      assert.deepEqual([model.hidden, model.batchSize], [8, 2]);
    }
    assert.equal(report!.products.length, 2 * 3 * 5);
    for (const { gigaflopsPerSecond } of report!.products) assert.ok(gigaflopsPerSecond! > 0);
  });

  it('shows tables on stdout, without colour, and what it does on stderr', async () => {
    const { stdout, stderr } = await succeed(['bench', ...QUICK, '--device', 'simd'], { cwd });
    assert.match(stdout, /^ENGINE +DETAIL\nsimd +\S/);
    assert.match(stdout, /^GRU 1x8, 2x4 +[\d.]+k? +simd( +[\d.]+[kM]?){4} +\d+ +-$/m);
    assert.match(stdout, /^h·Wᵀ, step by step +\[2, 8\] x \[8, 24\] +[\d.]+$/m);
    assert.ok(!stdout.includes('\x1b'));
    assert.match(stderr, /^simd: gru 1x8@2x4, training …$/m);
    assert.doesNotMatch(stderr, /Warning/);
  });

  it('measures the engines of this machine but the slow ones, and says why others are missing', async () => {
    const [report] = await json<Report>(['bench', ...QUICK, '--threads', '3'], { cwd });
    const { engines: listed } = (await json<Report>(['devices'], { cwd }))[0]!;
    assert.deepEqual(report!.engines.map(({ name }) => name).sort(), listed.map(({ name }) => name).sort());
    for (const { available, detail } of report!.engines) assert.ok(available || detail.length > 0);
    const simd = report!.engines.find(({ name }) => name === 'simd');
    assert.match(simd!.detail, /3 threads/, 'the engines that are listed are those that are measured');
    const measured = new Set(report!.models.map(({ engine }) => engine));
    assert.ok(measured.has('simd') && !measured.has('reference'));
    assert.ok(report!.notes.includes('reference: measured only when named with --device'));
  });

  it('ends at once when it is interrupted', async () => {
    const { child, result, until } = start(['bench', '--device', 'simd', '--seconds', '20'], { cwd });
    await until(/training …/);
    child.kill('SIGINT');
    const { status, stdout } = await result;
    assert.deepEqual([status, stdout], [130, '']);
  });

  const wrong: [title: string, status: number, args: string[], message: RegExp][] = [
    ['a shape', 2, ['--shape', '2y'], /--shape 2y: .*\n.*2x512@64x64/],
    ['a size', 2, ['--shape', '1x0'], /--shape 1x0: hidden is 0/],
    ['a time', 2, ['--seconds', '0'], /--seconds is 0/],
    ['a device', 2, ['--device', 'abacus'], /abacus.*simd/],
    ['a choice of devices', 2, ['--device', 'auto'], /auto/],
  ];
  it('refuses a device that is not here', async () => {
    const environment = { CC: '/nonexistent/cc' };
    const { status, stderr } = await charloom(['bench', '--device', 'simd', 'native'], { cwd, environment });
    assert.equal(status, 69, stderr);
    assert.match(stderr, /the native engine needs a C compiler/);
  });

  for (const [what, expected, args, message] of wrong) {
    it(`refuses ${what}: ${args.join(' ')}`, async () => {
      const { status, stdout, stderr } = await charloom(['bench', ...args], { cwd });
      assert.deepEqual([status, stdout], [expected, ''], stderr);
      assert.match(stderr, message);
    });
  }
});

interface Start {
  readonly event: 'start';
  readonly device: string;
  readonly engine: string;
  readonly trials?: { engine: string; charactersPerSecond: number | null; reason: string | null }[];
}

describe('the device auto', { concurrency: 2 }, () => {
  const configOf = (run: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(cwd, run, 'config.json'), 'utf8')) as Record<string, unknown>;

  before(async () => {
    writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
    await succeed(['train', 'text.txt', ...TINY, '--steps', '2', '--out', 'named', '--device', 'simd'], {
      cwd,
    });
  });

  it('says what it chose for training and why, on stderr, in the start event and in the run', async () => {
    const args = [
      'train',
      'text.txt',
      ...TINY,
      '--device',
      'auto',
      '--steps',
      '2',
      '--out',
      'auto',
      '--json',
    ];
    const { stdout, stderr } = await succeed(args, { cwd });
    const { device, engine, trials } = JSON.parse(stdout.slice(0, stdout.indexOf('\n'))) as Start;
    assert.equal(device, 'auto');
    const [gpu, native, simd] = trials!;
    assert.deepEqual([gpu!.engine, native!.engine], ['gpu.js:webgpu', 'native']);
    assert.equal(simd?.engine, native!.reason === null ? undefined : 'simd', 'simd where there is no native');
    const processor = simd ?? native!;
    if (gpu!.reason !== null) {
      assert.equal(engine, processor.engine);
      assert.equal(processor.charactersPerSecond, null, 'one engine alone is not timed');
    } else {
      const faster = gpu!.charactersPerSecond! > processor.charactersPerSecond!;
      assert.equal(engine, faster ? 'gpu.js:webgpu' : processor.engine);
    }
    assert.match(stderr, new RegExp(`^device: ${engine} \\(.+\\)$`, 'm'));
    assert.equal(configOf('auto').engine, engine);
  });

  it('is not asked where an engine was named', async () => {
    const [first] = await json<Start>(['resume', 'named', '--steps', '3'], { cwd });
    assert.deepEqual([first!.device, first!.engine, first!.trials], ['simd', 'simd', undefined]);
  });

  it('keeps its choice when the run is resumed, until another device is named', async () => {
    const args = ['train', 'text.txt', ...TINY, '--steps', '2', '--out', 'chosen', '--device', 'reference'];
    await succeed(args, { cwd });
    // As if `auto` had chosen it.
    writeFileSync(join(cwd, 'chosen/config.json'), JSON.stringify({ ...configOf('chosen'), device: 'auto' }));
    const [kept] = await json<Start>(['resume', 'chosen', '--steps', '3'], { cwd });
    assert.deepEqual([kept!.device, kept!.engine, kept!.trials], ['auto', 'reference', undefined]);
    const other = ['resume', 'chosen', '--steps', '4', '--device', 'simd'];
    const [changed] = await json<Start>(other, { cwd });
    assert.deepEqual([changed!.device, changed!.engine], ['simd', 'simd']);
  });

  it('says how to go on where the engine of a run is not there', async () => {
    const args = ['train', 'text.txt', ...TINY, '--steps', '2', '--out', 'moved', '--device', 'simd'];
    await succeed(args, { cwd });
    const config = { ...configOf('moved'), device: 'native', engine: 'native' };
    writeFileSync(join(cwd, 'moved/config.json'), JSON.stringify(config));
    const environment = { CC: '/nonexistent/cc' };
    const { status, stderr } = await charloom(['resume', 'moved', '--steps', '3'], { cwd, environment });
    assert.equal(status, 69);
    assert.match(stderr, /native.*\n.*charloom resume moved --device auto/);
  });

  it('is simd for one text at a time', async () => {
    const [evaluation] = await json<Start>(['eval', 'named', 'text.txt'], { cwd });
    assert.equal(evaluation!.engine, 'simd');
  });
});
