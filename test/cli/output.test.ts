/** What goes where: data on stdout, words on stderr, colour on terminals only; help, version, lines of JSON. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  charloom,
  checkpointSteps,
  EXECUTABLE,
  json,
  parseLines,
  SOURCE_EXECUTABLE,
  sampleText,
  scratchFolder,
  start,
  succeed,
  TINY,
} from './charloom.ts';

const cwd = scratchFolder();
const training = ['train', 'text.txt', ...TINY, '--steps', '6'];
const events = ['--eval-every', '3', '--sample-every', '3', '--checkpoint-every', '3'];
let trained: { stdout: string; stderr: string };

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
  trained = await succeed([...training, ...events, '--out', 'run'], { cwd });
});

describe('help', { concurrency: 4 }, () => {
  const commands = [
    'train',
    'resume',
    'sample',
    'eval',
    'surprise',
    'neurons',
    'gradients',
    'report',
    'play',
    'export',
    'compress',
    'decompress',
    'info',
    'devices',
    'bench',
    'corpus',
    'corpus list',
    'corpus get',
  ];
  for (const command of ['', ...commands]) {
    it(`when charloom ${command} --help is asked for then it starts with examples`, async () => {
      const { stdout, stderr } = await succeed([...command.split(' ').filter(Boolean), '--help'], { cwd });
      assert.ok(stdout.startsWith(`Examples:\n  $ charloom ${command}`), stdout.slice(0, 100));
      assert.match(stdout, /\nUsage: charloom/);
      assert.equal(stderr, '');
    });
  }

  for (const [form, executable] of [
    ['compiled', EXECUTABLE],
    ['in a checkout', SOURCE_EXECUTABLE],
  ] as const) {
    it(`when charloom ${form} is asked for its version then it is that of the package`, async () => {
      const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
      assert.equal((await succeed(['--version'], { cwd, executable })).stdout, `${manifest.version}\n`);
    });
  }
});

describe('off a terminal', { concurrency: 4 }, () => {
  /** What escape sequences begin with. */
  const ESCAPE = '\u001b';

  it('when a model is trained without --json then stdout is empty and stderr has plain lines', () => {
    assert.equal(trained.stdout, '');
    assert.match(trained.stderr, /^step 6 {2}validation \d\.\d{4} nats, .+$/m);
    assert.match(trained.stderr, /^── sample at step 3 ──$/m);
    assert.match(trained.stderr, /charloom sample run\n$/);
    assert.ok(!trained.stderr.includes(ESCAPE));
  });

  const cases: [args: string[], stdout: RegExp, stderr: RegExp][] = [
    [['sample', 'run', '--prompt', 'The ', '--length', '20'], /^The (.|\n){20}\n$/, /^$/],
    [
      ['eval', 'run', '--split', 'test'],
      /^text .+\ncharacters .+\n(.+\n){3}speed .+\n$/,
      /^reading the text …\n1 of 150 characters are not in .+\n$/,
    ],
    [['info', 'run'], /^model +GRU, 1 x 8, .+\n(.+\n)+$/, /^$/],
    [
      ['devices'],
      /^DEVICE +AVAILABLE +DETAIL\nnative +(no|yes) .+\nsimd +yes .+\ngpu\.js:webgpu +(no .+|yes .+(\n +.+){2})\n(gpu\.js:(webasm|cpu) +yes .+\n){2}reference +yes .+\n$/,
      /^$/,
    ],
    [
      ['resume', 'run'],
      /^$/,
      /nothing to do: the run is at step 6, its budget of steps is used up.*\n.+--steps N\n$/,
    ],
  ];
  for (const [args, stdout, stderr] of cases) {
    it(`when charloom ${args[0]} ends then only data is on stdout, without escape sequences`, async () => {
      const result = await succeed(args, { cwd });
      assert.match(result.stdout, stdout);
      assert.match(result.stderr, stderr);
      assert.ok(!(result.stdout + result.stderr).includes(ESCAPE));
    });
  }

  it('when NO_COLOR is set then a terminal gets no escape sequences either, and else it does', (t) => {
    const onTerminal = (environment: NodeJS.ProcessEnv) =>
      spawnSync('script', ['-qec', `${process.execPath} ${EXECUTABLE} sample none`, '/dev/null'], {
        cwd,
        encoding: 'utf8',
        // chalk does not colour where CI is set.
        env: { ...process.env, TERM: 'xterm', NO_COLOR: undefined, CI: undefined, ...environment },
      });
    const coloured = onTerminal({});
    if (coloured.error || !/error:/.test(coloured.stdout)) {
      t.skip("there is no 'script' of util-linux to make a terminal");
      return;
    }
    assert.ok(coloured.stdout.includes(ESCAPE));
    assert.ok(!onTerminal({ NO_COLOR: '1' }).stdout.includes(ESCAPE));
    assert.ok(!onTerminal({ TERM: 'dumb' }).stdout.includes(ESCAPE));
  });

  it('when a terminal does not know its width then a wait on it ends all the same', (t) => {
    const command = `${process.execPath} ${EXECUTABLE} eval run`;
    const { error, status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm', NO_COLOR: undefined },
      timeout: 20_000,
    });
    if (error && 'code' in error && error.code === 'ENOENT') {
      t.skip("there is no 'script' of util-linux to make a terminal");
      return;
    }
    assert.equal(status, 0, stdout.slice(-300));
    assert.match(stdout, /cross-entropy/);
  });

  it('when a model writes control characters then a terminal gets them escaped, unless --raw', async (t) => {
    // Bytes of every kind; a hardly trained model draws from them as from a hat.
    writeFileSync(
      join(cwd, 'bytes.bin'),
      Uint8Array.from({ length: 4000 }, (_, i) => (i * 89) % 256),
    );
    const budget = ['--steps', '3', '--eval-every', '0', '--out', 'bytes'];
    await succeed(['train', 'bytes.bin', '--unit', 'byte', ...TINY, ...budget], { cwd });
    const sample = ['sample', 'bytes', '--length', '2000', '--temperature', '2', '--seed', '3'];
    // What the terminal itself adds: a carriage return before each newline.
    const controls = (text: string): number =>
      (text.replaceAll('\r\n', '\n').match(/[\p{Cc}\p{Cf}]/gu) ?? []).filter(
        (c) => !'\n\t\u200c\u200d'.includes(c),
      ).length;
    const onTerminal = (...options: string[]) =>
      spawnSync(
        'script',
        ['-qec', [process.execPath, EXECUTABLE, ...sample, ...options].join(' '), '/dev/null'],
        {
          cwd,
          encoding: 'utf8',
          env: { ...process.env, TERM: 'dumb' },
          timeout: 20_000,
        },
      );
    const escaped = onTerminal();
    if (escaped.error && 'code' in escaped.error && escaped.error.code === 'ENOENT') {
      t.skip("there is no 'script' of util-linux to make a terminal");
      return;
    }
    assert.equal(escaped.status, 0, escaped.stdout.slice(-300));
    assert.match(escaped.stdout, /\\u\{1b\}/);
    assert.equal(controls(escaped.stdout), 0);
    assert.ok(controls(onTerminal('--raw').stdout) > 100);
    assert.ok(controls((await succeed(sample, { cwd })).stdout) > 100, 'piped');
  });
});

describe('--json', { concurrency: 4 }, () => {
  /** The named fields must be there, with values of these types. */
  function has(object: unknown, fields: Record<string, string>): void {
    for (const [name, type] of Object.entries(fields)) {
      assert.equal(
        typeof (object as Record<string, unknown>)[name],
        type,
        `${name} of ${JSON.stringify(object)}`,
      );
    }
  }
  const figures = { crossEntropy: 'number', bitsPerCharacter: 'number', perplexity: 'number' };

  it('when a model is trained then every event is a line with the fields of the contract', async () => {
    const lines = await json<{ event: string; step: number }>([...training, ...events, '--out', 'json'], {
      cwd,
    });
    const of = (event: string) => lines.filter((line) => line.event === event);
    assert.equal(lines[0]!.event, 'start');
    has(lines[0], {
      cell: 'string',
      hidden: 'number',
      engine: 'string',
      learningRate: 'number',
      seed: 'number',
    });
    assert.deepEqual(
      of('step').map(({ step }) => step),
      [1, 2, 3, 4, 5, 6],
    );
    const rates = { learningRate: 'number', gradientNorm: 'number', charactersPerSecond: 'number' };
    for (const line of of('step')) has(line, { step: 'number', loss: 'number', ...rates });
    assert.deepEqual(
      of('eval').map(({ step }) => step),
      [3, 6],
    );
    for (const line of of('eval')) has(line, { split: 'string', step: 'number', ...figures });
    assert.deepEqual(
      of('sample').map(({ step }) => step),
      [3, 6],
    );
    for (const line of of('sample')) has(line, { step: 'number', text: 'string' });
    assert.deepEqual(
      of('checkpoint').map(({ step }) => step),
      [3, 6],
    );
    for (const line of of('checkpoint')) has(line, { step: 'number', path: 'string' });
    const last = lines.at(-1)!;
    has(last, { step: 'number', reason: 'string' });
    assert.deepEqual([last.event, last.step, Reflect.get(last, 'reason')], ['done', 6, 'steps']);
    assert.deepEqual(
      lines.slice(1),
      parseLines(readFileSync(join(cwd, 'json', 'metrics.jsonl'), 'utf8')),
      'metrics.jsonl holds the same',
    );
  });

  it('when texts are drawn then each is an object', async () => {
    const lines = await json(['sample', 'run', '--prompt', 'The', '--length', '9', '--count', '3'], { cwd });
    assert.equal(lines.length, 3);
    for (const line of lines) {
      has(line, { text: 'string', seed: 'number', charactersPerSecond: 'number' });
      assert.equal(line.prompt, 'The');
      assert.equal(line.characters, 9);
    }
  });

  it('when a text is evaluated then there is one object', async () => {
    const [line, ...rest] = await json(['eval', 'run', 'text.txt'], { cwd });
    assert.deepEqual(rest, []);
    has(line, {
      characters: 'number',
      unknownCharacters: 'number',
      ...figures,
      charactersPerSecond: 'number',
    });
    assert.equal(line!.characters, 3000);
  });

  it('when a model is described then there is one object', async () => {
    const [line, ...rest] = await json(['info', 'run'], { cwd });
    assert.deepEqual(rest, []);
    has(line, { step: 'number', cell: 'string', layers: 'number', hidden: 'number', parameters: 'number' });
    assert.deepEqual([line!.step, line!.engine], [6, 'simd']);
    has(line!.validation, { step: 'number', ...figures });
  });

  it('when devices are listed then there is one object', async () => {
    const [line, ...rest] = await json<{ engines: { name: string; available: boolean; adapter?: object }[] }>(
      ['devices'],
      { cwd },
    );
    assert.deepEqual(rest, []);
    assert.deepEqual(
      line!.engines.map(({ name }) => name),
      ['native', 'simd', 'gpu.js:webgpu', 'gpu.js:webasm', 'gpu.js:cpu', 'reference'],
    );
    for (const engine of line!.engines)
      has(engine, { name: 'string', available: 'boolean', detail: 'string' });
    const adapter = line!.engines[2]!.adapter;
    assert.equal(adapter !== undefined, line!.engines[2]!.available, 'an engine on a GPU says on which');
    if (!adapter) return;
    has(adapter, { name: 'string', driver: 'string', backend: 'string', hardware: 'boolean' });
    has(adapter, { maxBufferBytes: 'number', maxBindingBytes: 'number' });
  });

  it('when there is an error then stdout stays empty', async () => {
    assert.equal((await charloom(['info', 'none', '--json'], { cwd })).stdout, '');
  });
});

describe('an output', { concurrency: 4 }, () => {
  const refused: [args: string[], message: RegExp][] = [
    [['export', 'run', '--html', 'text.txt'], /--html text\.txt is the file that is read/],
    [['report', 'run', '-o', 'text.txt'], /--output text\.txt is the file that is read/],
    [['surprise', 'run', '--html', 'text.txt'], /--html text\.txt is the file that is read/],
    [['neurons', 'run', '--html', 'text.txt'], /--html text\.txt is the file that is read/],
    [['gradients', 'run', '--svg', 'text.txt'], /--svg text\.txt is the file that is read/],
    [['report', 'run', '-o', 'run/config.json'], /run\/config\.json is a file of a run/],
    [['surprise', 'run', 'text.txt', '--per-character', 'run/metrics.jsonl'], /is a file of a run/],
    [['export', 'run', '--html', 'run/checkpoints/6/model.safetensors'], /is a file of a run/],
    [['surprise', 'run', '--html', 'both', '--per-character', './both'], /are both both/],
  ];
  for (const [args, message] of refused) {
    it(`does not replace what is needed: ${args.join(' ')}`, async () => {
      const { status, stderr } = await charloom(args, { cwd });
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
      assert.equal(readFileSync(join(cwd, 'text.txt'), 'utf8'), sampleText(3000));
      assert.equal((await charloom(['info', 'run', '--verify'], { cwd })).status, 0);
    });
  }
});

describe('a named pipe', { concurrency: 3 }, () => {
  it('gets what a file would get', async () => {
    await succeed(['export', 'run', '--html', 'page.html'], { cwd });
    const shell = 'mkfifo read && { cat read >copy.html & "$@"; }; status=$?; wait; exit $status';
    await succeed(['export', 'run', '--html', 'read'], { cwd, shell });
    assert.deepEqual(readFileSync(join(cwd, 'copy.html')), readFileSync(join(cwd, 'page.html')));
  });

  it('that nobody reads is waited for until Ctrl-C: exit status 130', async () => {
    spawnSync('mkfifo', [join(cwd, 'unread-pipe')]);
    const { child, result } = start(['export', 'run', '--html', 'unread-pipe'], { cwd });
    await sleep(1000);
    assert.equal(child.exitCode, null, 'it waits');
    child.kill('SIGINT');
    assert.equal((await result).status, 130);
  });

  it('that nobody reads any more: exit status 74, and why', async () => {
    const shell = 'mkfifo left && { head -c 10 left >/dev/null & "$@"; }';
    const { status, stderr } = await charloom(['export', 'run', '--html', 'left'], { cwd, shell });
    assert.equal(status, 74);
    assert.match(stderr, /^error: writing .*left failed: nobody reads it any more$/m);
  });
});

describe('when it cannot be written', {
  skip: !existsSync('/dev/full') && 'this system has no /dev/full',
  concurrency: 4,
}, () => {
  /** A reader of stdout, which ends before charloom does; the exit status becomes the last line on stderr. */
  const readBy = (reader: string) => `{ "$@"; echo "status $?" >&2; } | ${reader}`;
  let runs = 0;
  /** A training has a run of its own. */
  const own = (args: string[]): string[] =>
    args[0] === 'train' ? [...args, '--out', `own-${runs++}`] : args;

  const printing: Record<string, string[]> = {
    'the help': ['--help'],
    'the help of a command': ['help', 'train'],
    'the version': ['--version'],
    'the events of train': [...training, '--json'],
    'the events of resume': ['resume', 'run', '--json'],
    'a sample': ['sample', 'run', '--seed', '1'],
    'several samples': ['sample', 'run', '--json', '--count', '3'],
    'an evaluation': ['eval', 'run', '--json'],
    'a description': ['info', 'run'],
    'a verification': ['info', 'run', '--verify'],
    devices: ['devices', '--json'],
    'a benchmark': ['bench', '--json', '--device', 'simd', '--shape', '1x8@4x8', '--seconds', '0.01'],
    corpora: ['corpus', 'list'],
  };
  for (const [what, args] of Object.entries(printing)) {
    it(`${what}: exit status 74 and one line where stdout is full, 0 and nothing where nobody reads it`, async () => {
      const full = await charloom(own(args), { cwd, stdout: '/dev/full' });
      assert.equal(full.status, 74, full.stderr);
      assert.deepEqual(
        full.stderr.match(/^(error|hint|\s+at ).*/gm)?.map((line) => line.slice(0, 38)),
        ['error: cannot write to standard output'],
      );
      const { stderr } = await charloom(own(args), { cwd, shell: readBy('true') });
      assert.match(stderr, /(^|\n)status 0\n$/);
      assert.doesNotMatch(stderr, /error|^\s+at /m);
    });
  }

  for (const args of [
    ['train', 'text.txt', ...TINY, '--steps', '1000000', '--eval-every', '0', '--json', '--out', 'unread'],
    ['sample', 'run', '--length', '100000000'],
    ['sample', 'run', '--count', '1000000'],
  ]) {
    it(`${args[0]}: exit status 0 soon after the reader has enough, a training is saved`, async () => {
      const { stdout, stderr } = await charloom(args, { cwd, shell: readBy('head -c 10') });
      assert.equal(Buffer.byteLength(stdout), 10);
      assert.match(stderr, /(^|\n)status 0\n$/);
      assert.doesNotMatch(stderr, /error|^\s+at /m);
      if (args[0] === 'train') assert.equal(checkpointSteps(join(cwd, 'unread')).length, 1);
    });
  }

  it('train: what was trained until stdout was full is saved', async () => {
    const args = ['train', 'text.txt', ...TINY, '--steps', '1000000', '--json', '--out', 'unheard'];
    const { status, stderr } = await charloom(args, { cwd, stdout: '/dev/full' });
    assert.equal(status, 74, stderr);
    assert.equal(checkpointSteps(join(cwd, 'unheard')).length, 1);
    assert.match(stderr, /^go on with: {2}charloom resume unheard$/m);
  });

  const stderrs = {
    full: 'exec "$@" 2>/dev/full',
    closed: 'exec "$@" 2>&-',
    'read by nobody': '{ { "$@" 3>&-; echo "status $?" >&3; } 2>&1 >&3 | true; } 3>&1',
  };
  for (const [what, shell] of Object.entries(stderrs)) {
    it(`words: where stderr is ${what} then everything else is as ever`, async () => {
      for (const [expected, args] of [
        [0, training],
        [0, ['eval', 'run']],
        [2, ['trian']],
        [66, ['sample', 'none', '--debug']],
      ] as const) {
        const { status, stdout } = await charloom(own([...args]), { cwd, shell });
        assert.equal(Number(/status (\d+)\n$/.exec(stdout)?.[1] ?? status), expected, args.join(' '));
        if (args[0] === 'eval') assert.match(stdout, /^text .+\ncharacters .+\n/);
      }
    });
  }
});
