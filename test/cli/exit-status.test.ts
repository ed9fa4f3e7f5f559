/** Every failure a user can meet: its exit status, and a message of one or two lines. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineStatus } from '../../src/engine/open.ts';
import {
  charloom,
  checkpointSteps,
  EXECUTABLE,
  json,
  metrics,
  sampleText,
  scratchFolder,
  start,
  succeed,
  TINY,
} from './charloom.ts';

const cwd = scratchFolder();
const text = sampleText(3000);
const train = ['train', 'text.txt', ...TINY];

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), text);
  writeFileSync(join(cwd, 'short.txt'), 'too short');
  writeFileSync(join(cwd, 'invalid.txt'), Buffer.from([...Buffer.from('caf\u00e9 '), 0xff, 0xfe]));
  writeFileSync(join(cwd, 'misspelt.json'), '{"hiden": 8}');
  writeFileSync(join(cwd, 'broken.json'), '{"hidden": ');
  mkdirSync(join(cwd, 'folder'));
  await succeed([...train, '--steps', '2', '--out', 'run'], { cwd });
});

/** The message: what comes on stderr after the lines about progress. */
const messageOf = (stderr: string): string => stderr.slice(Math.max(0, stderr.search(/^error:/m)));

/** Runs charloom, which must fail with `status` and a message that has `parts`. */
async function fails(status: number, args: readonly string[], ...parts: (string | RegExp)[]): Promise<void> {
  const result = await charloom(args, { cwd });
  assert.equal(result.status, status, result.stderr);
  assert.equal(result.stdout, '');
  const message = messageOf(result.stderr);
  assert.match(message, /^error: .+\n(.+\n)?$/, 'one or two lines');
  assert.doesNotMatch(result.stderr, /^ {4}at /m, 'no stack trace');
  for (const part of parts) {
    if (typeof part === 'string') assert.ok(message.includes(part), `${message} has no ${part}`);
    else assert.match(message, part);
  }
}

describe('exit status 2: the command line is wrong', { concurrency: 4 }, () => {
  const cases: [title: string, args: string[], ...parts: (string | RegExp)[]][] = [
    [
      'a file is taken for the number of an option',
      ['eval', 'run', '--baseline', 'text.txt'],
      "'text.txt' is invalid",
      'Give files before this option.',
    ],
    ['an option is misspelt', ['train', 'text.txt', '--hiden', '8'], "'--hiden'", 'Did you mean --hidden?'],
    [
      'an option of a nested command is unknown',
      ['corpus', 'get', 'x', '--no'],
      "'charloom corpus get --help'",
    ],
    ['a command is misspelt', ['trian'], "unknown command 'trian'", 'Did you mean train?'],
    ['a command is misspelt before --help', ['trian', '--help'], "unknown command 'trian'"],
    ['a command is misspelt after help', ['help', 'trian'], "unknown command 'trian'"],
    ['the run folder has no name', ['train', 'text.txt', '--out', ''], "--out ''"],
    [
      'an activation is given to a cell that has none to choose',
      ['train', 'text.txt', '--cell', 'gru', '--activation', 'relu'],
      '--activation changes nothing: the cell is gru',
    ],
    [
      'a decay is given to a schedule without one',
      ['train', 'text.txt', '--decay-rate', '0.5'],
      '--decay-rate changes nothing: the schedule is cosine',
      '--schedule step',
    ],
    ['an argument is missing', ['sample'], "missing required argument 'model'"],
    ['a value is not finite', ['train', 'text.txt', '--hidden', 'Infinity'], '--hidden is Infinity'],
    ['a value is out of range', ['train', 'text.txt', '--dropout', '1.5'], '--dropout is 1.5', '0 to 0.999'],
    ['a choice is unknown', ['train', 'text.txt', '--cell', 'transformer'], 'lstm, gru, rnn'],
    ['a preset is unknown', ['train', 'text.txt', '--preset', 'huge'], 'default, tiny, large, char-rnn'],
    ['a split does not sum to 100', ['train', 'text.txt', '--split', '90/5/6'], '90/5/6', '90/5/5'],
    ['there is no budget', ['train', 'text.txt', '--steps', '0'], 'no budget', '--minutes'],
    ['a resumed run has no budget', ['resume', 'run', '--steps', '0'], 'no budget'],
    [
      'there are two prompts',
      ['sample', 'run', '--prompt', 'a', '--prompt-file', 'text.txt'],
      '--prompt-file',
    ],
    ['a checkpoint is no step', ['sample', 'run', '--checkpoint', 'newest'], 'newest'],
    ['a split and files are given', ['eval', 'run', 'text.txt', '--split', 'test'], '--split'],
    ['a conversation should be JSON', ['sample', 'run', '--interactive', '--json'], '--interactive'],
  ];
  for (const [title, args, ...parts] of cases) {
    it(`when ${title}`, () => fails(2, args, ...parts));
  }
});

describe('exit status 65: data is wrong', { concurrency: 4 }, () => {
  const cases: [title: string, args: string[], ...parts: (string | RegExp)[]][] = [
    ['a text is not UTF-8', ['train', 'invalid.txt'], 'byte offset 6 (0xff)', '--unit byte'],
    ['standard input is empty', ['train', '-'], 'standard input'],
    [
      'a text is too short',
      ['train', 'short.txt'],
      'has 8 characters',
      '32 sequences of 64 needs 2080',
      '--batch-size',
    ],
    [
      'a configuration has an unknown setting',
      ['train', 'text.txt', '--config', 'misspelt.json'],
      "'hiden'",
      'hidden,',
    ],
    ['a configuration is not JSON', ['train', 'text.txt', '--config', 'broken.json'], 'broken.json'],
    ['a prompt is not UTF-8', ['sample', 'run', '--prompt-file', 'invalid.txt'], 'invalid.txt'],
  ];
  for (const [title, args, ...parts] of cases) {
    it(`when ${title}`, () => fails(65, args, ...parts));
  }

  it('when a text is refused then no run folder is left behind', async () => {
    await fails(65, ['train', 'short.txt', '--out', 'refused']);
    assert.equal(existsSync(join(cwd, 'refused')), false);
  });

  it('when a byte of a checkpoint is changed', async () => {
    await succeed([...train, '--steps', '1', '--out', 'damaged'], { cwd });
    const file = join(cwd, 'damaged', 'checkpoints', '1', 'model.safetensors');
    const bytes = readFileSync(file);
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(file, bytes);
    await fails(65, ['sample', 'damaged'], 'model.safetensors is damaged');
    await fails(65, ['resume', 'damaged', '--steps', '2'], 'model.safetensors is damaged');
  });

  it('when a field of a run is changed', async () => {
    await succeed([...train, '--steps', '1', '--out', 'edited'], { cwd });
    const file = join(cwd, 'edited', 'config.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"hidden": 8', '"hidden": 9'));
    await fails(65, ['eval', 'edited'], 'weight_ih_l0', '[24, 4]', '[27, 4]');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"hidden": 9', '"hidden": "8"'));
    await fails(65, ['info', 'edited'], 'model.hidden is "8"');
  });

  it('when the text has changed since training', async () => {
    writeFileSync(join(cwd, 'changing.txt'), text);
    await succeed(['train', 'changing.txt', ...TINY, '--steps', '1', '--out', 'changed'], { cwd });
    writeFileSync(join(cwd, 'changing.txt'), `${text}.`);
    await fails(65, ['resume', 'changed', '--steps', '2'], 'changing.txt is not the text', 'sha256');
    await fails(65, ['eval', 'changed'], 'changing.txt is not the text');
    const config = JSON.parse(readFileSync(join(cwd, 'changed', 'config.json'), 'utf8'));
    assert.equal(config.training.steps, 1, 'a refused resume changes nothing');
  });
});

describe('exit status 66: an input is missing', { concurrency: 4 }, () => {
  const cases: [title: string, args: string[], ...parts: (string | RegExp)[]][] = [
    ['a text does not exist', ['train', 'text.txt', 'none.txt'], 'none.txt: it does not exist'],
    ['a text is a folder', ['train', 'folder'], 'folder: it is a folder'],
    ['a run does not exist', ['sample', 'none'], 'none: it does not exist'],
    ['a folder is no run', ['eval', 'folder'], 'folder is no run'],
    ['a run to resume does not exist', ['resume', 'none'], 'none: it does not exist'],
    ['a folder to resume is no run', ['resume', 'folder'], 'folder is no run'],
    ['a file to resume is no run', ['resume', 'text.txt'], 'text.txt is a file'],
    ['a checkpoint does not exist', ['sample', 'run', '--checkpoint', '7'], 'step 7', 'steps 2'],
    [
      'a prompt file does not exist',
      ['sample', 'run', '--prompt-file', 'none.txt'],
      'none.txt: it does not exist',
    ],
    [
      'a configuration does not exist',
      ['train', 'text.txt', '--config', 'none.json'],
      'none.json: it does not exist',
    ],
  ];
  for (const [title, args, ...parts] of cases) {
    it(`when ${title}`, () => fails(66, args, ...parts));
  }

  it('when the text of a run came from standard input', async () => {
    await succeed(['train', '-', ...TINY, '--steps', '1', '--out', 'piped'], { cwd, input: text });
    await fails(66, ['resume', 'piped', '--steps', '2'], 'standard input', 'charloom resume piped FILE');
    await fails(66, ['eval', 'piped'], 'standard input', 'as a file');
    await succeed(['resume', 'piped', 'text.txt', '--steps', '2'], { cwd });
  });
});

describe('exit status 69: the engine cannot run here', { concurrency: 2 }, () => {
  it('when there is no C compiler for the native engine then it says what to install', async () => {
    const environment = { CC: '/nonexistent/cc' };
    const { status, stderr } = await charloom([...train, '--device', 'native'], { cwd, environment });
    assert.equal(status, 69, stderr);
    assert.match(messageOf(stderr), /^error: .+ needs a C compiler.+\nhint: install .+\n$/);
  });

  const noVulkan = process.platform !== 'linux' && 'only on Linux can the drivers be hidden';
  for (const device of ['gpu', 'gpu.js:webgpu']) {
    it(`when --device ${device} finds no adapter then it says what to install`, {
      skip: noVulkan,
    }, async () => {
      const environment = { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' };
      const { status, stderr } = await charloom([...train, '--device', device], { cwd, environment });
      assert.equal(status, 69, stderr);
      assert.match(messageOf(stderr), /^error: .+ no Vulkan adapter\nhint: install .+\n$/);
    });
  }

  it('when a GPU is asked for and only software is there then it names that', async (t) => {
    const [devices] = await json<{ engines: EngineStatus[] }>(['devices'], { cwd });
    const { adapter } = devices!.engines.find(({ name }) => name === 'gpu.js:webgpu')!;
    if (!adapter || adapter.hardware) {
      t.skip(adapter ? 'this machine has a GPU' : 'this machine has no WebGPU adapter');
      return;
    }
    await fails(69, [...train, '--device', 'gpu'], adapter.name, 'software', '--device gpu.js:webgpu');
  });
});

describe('exit status 73: the output cannot be created', { concurrency: 2 }, () => {
  it('when the run folder would be below a file', () =>
    fails(73, [...train, '--steps', '1', '--out', 'text.txt/run'], 'text.txt/run'));

  it('when the folder holds a run already', () =>
    fails(73, [...train, '--steps', '1', '--out', 'run'], 'run holds a run already', 'charloom resume run'));
});

// Where stdout cannot be written to: see output.test.ts.
describe('exit status 74: writing fails', () => {
  it('when the disk is full then the checkpoint before it is whole', (t) => {
    // A disk of its own, which the system takes away with its namespace.
    const inNamespace = ['--user', '--map-root-user', '--mount'];
    if (spawnSync('unshare', [...inNamespace, 'true']).status !== 0) {
      t.skip('no permission to make a namespace with a small disk (unshare --user --mount)');
      return;
    }
    mkdirSync(join(cwd, 'disk'));
    const options = [...train.slice(2), '--checkpoint-every', '2', '--steps', '100', '--out', 'disk/run'];
    const script = `mount -t tmpfs -o size=60k tmpfs disk || exit 99
      "$0" "$1" train text.txt ${options.join(' ')}
      echo "status $?"
      ls disk/run/checkpoints
      "$0" "$1" sample disk/run --length 5 >&2 || exit 98`;
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [...inNamespace, 'sh', '-c', script, process.execPath, EXECUTABLE],
      { cwd, encoding: 'utf8' },
    );
    if (status === 99) {
      t.skip('no permission to mount a small disk');
      return;
    }
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'status 74\n2\n', 'nothing is left of the checkpoint that did not fit');
    assert.match(stderr, /^error: writing disk\/run\/checkpoints\/4 failed: the disk is full$/m);
  });
});

it('exit status 75: when another process trains the run', async () => {
  const other = start([...train, '--minutes', '5', '--out', 'busy'], { cwd });
  await other.until(/saved in/);
  await fails(75, ['resume', 'busy'], `in use by process ${other.child.pid}`);
  other.child.kill('SIGINT');
  assert.equal((await other.result).status, 130);
});

describe('exit status 76: the training diverges', { concurrency: 2 }, () => {
  const options = ['--cell', 'rnn', '--activation', 'relu', '--optimizer', 'sgd', '--clip-norm', '0'];

  it('when there is a checkpoint then it is named, and still good', async () => {
    const climbing = [
      '--learning-rate',
      '100',
      '--warmup',
      '1000',
      '--eval-every',
      '3',
      '--checkpoint-every',
      '4',
    ];
    const args = [...train, ...options, ...climbing, '--steps', '1000', '--out', 'diverged'];
    const halved = 'the learning rate was halved 3 times';
    await fails(76, args, /diverged at step \d+: the/, halved, '--learning-rate', /saved last: step \d+/);
    const back = metrics(join(cwd, 'diverged')).filter(({ event }) => event === 'rollback');
    assert.deepEqual(back.map((event) => Reflect.get(event, 'learningRateFactor')).slice(-1), [0.125]);
    const { stdout } = await succeed(['info', 'diverged'], { cwd });
    assert.match(stdout, /^best +\d\.\d+ nats/m);
    await succeed(['sample', 'diverged', '--length', '5'], { cwd });
  });

  it('when there is a rate low enough then the run goes back and on, which is said', async () => {
    const args = [...train, ...options, '--learning-rate', '1e6', '--warmup', '0', '--rollbacks', '40'];
    const { stderr } = await succeed([...args, '--steps', '50', '--out', 'rolled-back'], { cwd });
    assert.match(
      stderr,
      /^diverged at step \d+ \(the loss .*\): back to step 0, with 0\.5 of the learning rate$/m,
    );
    const { stdout } = await succeed(['info', 'rolled-back'], { cwd });
    assert.match(stdout, /halved \d+ times/);
  });

  it('when it may not go back and nothing was saved then that is said', () =>
    fails(
      76,
      [...train, ...options, '--learning-rate', '1e6', '--warmup', '0', '--steps', '50', '--rollbacks', '0'],
      'nothing was saved',
    ));
});

it('exit status 73 before the text is read: when the run folder cannot be', async () => {
  for (const out of ['text.txt', 'text.txt/run', '/proc/self/nonesuch']) {
    const { status, stderr } = await charloom(['train', 'text.txt', '--out', out], { cwd });
    // The last one only shows when it is made: folders look writable there.
    assert.equal(status, 73, stderr);
    if (!out.startsWith('/proc')) assert.doesNotMatch(stderr, /reading the text/);
    assert.match(stderr, /^error: cannot create /m);
  }
});

describe('signals', { concurrency: 2 }, () => {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`exit status ${status}: when ${signal} comes in training then it saves and says how to go on`, async () => {
      const { child, result, until } = start([...train, '--minutes', '5', '--out', signal], { cwd });
      await until(/^step 1 /m);
      child.kill(signal);
      const { status: found, stderr } = await result;
      assert.equal(found, status, stderr);
      const step = /interrupted and saved at step (\d+)/.exec(stderr)?.[1];
      assert.ok(checkpointSteps(join(cwd, signal)).includes(Number(step)), stderr);
      assert.match(stderr, new RegExp(`charloom resume ${signal}\n$`));
      assert.equal(existsSync(join(cwd, signal, 'lock')), false);
    });
  }

  it('when SIGHUP comes to a process without a terminal, as under nohup, then it goes on', async () => {
    const { child, result, until } = start([...train, '--minutes', '5', '--out', 'detached'], { cwd });
    await until(/^step 1 /m);
    child.kill('SIGHUP');
    await sleep(500);
    assert.equal(child.exitCode, null);
    child.kill('SIGTERM');
    assert.equal((await result).status, 143);
  });

  it('when the terminal is closed then a training is saved', {
    skip: spawnSync('script', ['--version']).status !== 0 && 'there is no script(1) to make a terminal',
  }, async () => {
    const shell = "exec script --quiet --command \"'$1' '$2' $3\" /dev/null";
    const args = [[...train, '--minutes', '5', '--out', 'hung-up'].join(' ')];
    const { child, result, until } = start(args, { cwd, shell, input: null });
    await until(/step 1/);
    child.kill('SIGKILL'); // the terminal is gone
    await result;
    const metrics = join(cwd, 'hung-up', 'metrics.jsonl');
    for (let tries = 0; !readFileSync(metrics, 'utf8').includes('"done"'); tries++) {
      assert.ok(tries < 100, 'it comes to its end');
      await sleep(100);
    }
    assert.match(readFileSync(metrics, 'utf8'), /"event":"done",.*"reason":"interrupted"/);
    assert.equal(checkpointSteps(join(cwd, 'hung-up')).length, 1);
  });

  it('when a second SIGINT comes then charloom ends without saving', async () => {
    // One step takes about a second here: both signals come in its midst.
    const slow = ['--device', 'reference', '--hidden', '128', '--batch-size', '40'];
    const args = ['train', 'text.txt', ...slow, '--steps', '9', '--out', 'impatient'];
    const { child, result, until } = start(args, { cwd });
    await until(/saved in/);
    await sleep(100);
    child.kill('SIGINT');
    await sleep(50);
    child.kill('SIGINT');
    const { status, stderr } = await result;
    assert.equal(status, 130, stderr);
    assert.doesNotMatch(stderr, /saved at step/);
    assert.equal(existsSync(join(cwd, 'impatient', 'checkpoints')), false);
    assert.equal(
      (await charloom(['resume', 'impatient'], { cwd })).status,
      66,
      'the lock it left is no obstacle',
    );
  });

  it('when SIGINT comes while the text is read then charloom ends', async () => {
    const { child, result, until } = start(['train', '-', '--out', 'unread'], { cwd, input: null });
    await until(/reading the text/);
    child.kill('SIGINT');
    assert.equal((await result).status, 130);
    assert.equal(existsSync(join(cwd, 'unread')), false);
  });
});

it('when --debug is given then an error comes with its stack', async () => {
  const { status, stderr } = await charloom(['sample', 'none', '--debug'], { cwd });
  assert.equal(status, 66);
  assert.match(stderr, /^error: .+\n(hint: .+\n)?CharloomError: .+\n( {4}at .+\n)+$/);
});
