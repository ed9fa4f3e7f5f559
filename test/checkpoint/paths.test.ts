/**
 * A run folder from somebody else may hold any name and any symbolic link. Links are followed to read, and nothing outside of the
 * run folder is ever written, moved or removed; no name in a file is a path.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import {
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  recoverCheckpoints,
  saveCheckpoint,
} from '../../src/checkpoint/checkpoint.ts';
import { formatManifest, type Manifest, readManifest } from '../../src/checkpoint/manifest.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';
import { Run } from '../../src/training/run.ts';
import { charloom, checkpointSteps, sampleText, scratchFolder, succeed, TINY } from '../cli/charloom.ts';

const root = realpathSync(scratchFolder());
/** What must stay as it is: a run, and a project of another kind that has a manifest, too. */
const outside = join(root, 'outside');
let untouched: Record<string, string>;
let runs = 0;

/** Every name below a folder, with what is there. */
function listing(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => {
      const path = join(folder, name);
      const status = lstatSync(path);
      if (status.isSymbolicLink()) return [name, `link to ${readlinkSync(path)}`];
      if (status.isDirectory()) return [name, 'folder'];
      return [name, `${status.mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`];
    }),
  );
}

/** A run of the steps 2, 4 and 6; a copy of that outside. */
function copyOfRun(): string {
  const run = join(root, `run-${runs++}`);
  cpSync(join(outside, 'run'), run, { recursive: true });
  return run;
}

/** Puts a link to something outside in the place of something in a run. */
function replaceByLink(run: string, name: string, target = join(outside, 'run', name)): void {
  rmSync(join(run, name), { recursive: true, force: true });
  symlinkSync(target, join(run, name));
}

const content = { model: new Map(), training: new Map(), bestStep: null, summary: {} };
const code = (expected: ErrorCode, message: RegExp) => (error: unknown) =>
  error instanceof CharloomError && error.code === expected && message.test(error.message);

/** As after a kill, but what it names is given. */
const LEFTOVER = 'checkpoints/.8.tmp-0123456789ab';

before(async () => {
  writeFileSync(join(root, 'text.txt'), sampleText(3000));
  const budget = ['--steps', '6', '--checkpoint-every', '2', '--eval-every', '2', '--learning-rate', '0.01'];
  await succeed(['train', 'text.txt', ...TINY, ...budget, '--out', 'outside/run'], { cwd: root });
  const steps = checkpointSteps(join(outside, 'run'));
  assert.deepEqual(steps.slice(-2), [4, 6]);
  if (steps.length === 2) await saveCheckpoint(join(outside, 'run'), 2, content);
  mkdirSync(join(outside, 'project'));
  writeFileSync(join(outside, 'project/manifest.json'), '{"name": "an extension"}');
  writeFileSync(join(outside, 'project/precious.txt'), 'a year of work');
  untouched = listing(outside);
});

/** Whatever a test did, outside nothing has changed. */
function unchanged(): void {
  assert.deepEqual(listing(outside), untouched);
}

const skip = process.platform === 'win32' && 'making links takes rights that few have here';

describe('when the folder of checkpoints is a link to outside', { skip }, () => {
  it('then it is read, but neither saved to, nor cleared up, nor pruned', async () => {
    const run = copyOfRun();
    replaceByLink(run, 'checkpoints');
    assert.equal((await listCheckpoints(run)).length, 3);
    const link = /checkpoints: it is a symbolic link$/;
    await assert.rejects(recoverCheckpoints(run), code('CANNOT_CREATE', link));
    await assert.rejects(saveCheckpoint(run, 8, content), code('IO', link));
    await assert.rejects(pruneCheckpoints(run, 1), code('IO', link));
    await succeed(['sample', run, '--length', '5'], { cwd: root });
    const { status, stderr } = await charloom(['resume', run, '--steps', '8'], { cwd: root });
    assert.equal(status, 73, stderr);
    assert.match(stderr, /^error: cannot save to \S+checkpoints: it is a symbolic link\nhint: .+\n$/);
    assert.equal(existsSync(join(run, 'lock')), false);
    unchanged();
  });

  it('then a link to nothing is no way to make something outside', async () => {
    const run = copyOfRun();
    replaceByLink(run, 'checkpoints', join(outside, 'new'));
    await assert.rejects(saveCheckpoint(run, 8, content), code('IO', /symbolic link$/));
    for (const name of ['config.json', 'vocabulary.json']) rmSync(join(run, name));
    const { status } = await charloom(['train', 'text.txt', ...TINY, '--steps', '1', '--out', run], {
      cwd: root,
    });
    assert.equal(status, 73);
    unchanged();
  });
});

describe('when a checkpoint is a link to outside', { skip }, () => {
  it('then it is read, and pruning or replacing it removes the link', async () => {
    const run = copyOfRun();
    for (const step of [2, 4, 6]) replaceByLink(run, `checkpoints/${step}`);
    assert.equal((await loadCheckpoint(join(run, 'checkpoints/6'))).step, 6);
    await saveCheckpoint(run, 6, content);
    await saveCheckpoint(run, 8, content);
    assert.deepEqual(await pruneCheckpoints(run, 1), [2, 4, 6]);
    assert.deepEqual(readdirSync(join(run, 'checkpoints')), ['8']);
    unchanged();
  });

  it('then a resumed run goes on from it, saves here and prunes here', async () => {
    const run = copyOfRun();
    for (const step of [2, 4, 6]) replaceByLink(run, `checkpoints/${step}`);
    await succeed(['resume', run, '--steps', '12'], { cwd: root });
    assert.deepEqual(checkpointSteps(run).slice(-2), [10, 12]);
    unchanged();
  });

  it('then clearing up after a killed process removes the link of what is incomplete', async () => {
    for (const target of ['project', 'run/checkpoints/6', 'run', 'nothing']) {
      const run = copyOfRun();
      replaceByLink(run, LEFTOVER, join(outside, target));
      await recoverCheckpoints(run);
      assert.deepEqual(checkpointSteps(run), [2, 4, 6]);
      unchanged();
    }
  });

  it('then what is complete takes its place as a link, and goes as one', async () => {
    const run = copyOfRun();
    rmSync(join(run, 'checkpoints/2'), { recursive: true });
    replaceByLink(run, LEFTOVER, join(outside, 'run/checkpoints/2'));
    await recoverCheckpoints(run);
    assert.deepEqual(checkpointSteps(run), [2, 4, 6]);
    await pruneCheckpoints(run, 1);
    unchanged();
  });
});

describe('when a file of a run is a link to outside', { skip }, () => {
  it('then those of a checkpoint are read, and removed as links', async () => {
    const run = copyOfRun();
    for (const name of ['manifest.json', 'model.safetensors', 'training.safetensors']) {
      for (const step of [2, 4, 6]) replaceByLink(run, `checkpoints/${step}/${name}`);
    }
    assert.equal((await loadCheckpoint(join(run, 'checkpoints/4'))).step, 4);
    await succeed(['resume', run, '--steps', '12'], { cwd: root });
    await pruneCheckpoints(run, 1);
    unchanged();
  });

  it('then config.json and vocabulary.json are read, and changed here', async () => {
    const run = copyOfRun();
    for (const name of ['config.json', 'vocabulary.json']) replaceByLink(run, name);
    await succeed(['resume', run, '--steps', '8'], { cwd: root });
    assert.equal((await Run.open(run)).config.training.steps, 8);
    assert.equal(lstatSync(join(run, 'config.json')).isSymbolicLink(), false);
    unchanged();
  });

  it('then nothing is appended to it by way of metrics.jsonl or samples.txt', async () => {
    for (const name of ['metrics.jsonl', 'samples.txt']) {
      const run = copyOfRun();
      const log = join(root, `log of ${name}`);
      writeFileSync(log, 'precious');
      replaceByLink(run, name, log);
      const recorded = (await Run.open(run)).record({ event: 'sample', step: 6, text: 'a text' });
      await assert.rejects(recorded, new RegExp(name.replace('.', '\\.')));
      assert.equal(readFileSync(log, 'utf8'), 'precious');
    }
  });

  it('then a lock that is one keeps the run locked', async () => {
    for (const target of ['project/precious.txt', 'project/manifest.json', 'nothing']) {
      const run = copyOfRun();
      replaceByLink(run, 'lock', join(outside, target));
      const { status, stderr } = await charloom(['resume', run, '--steps', '8'], { cwd: root });
      assert.equal(status, 75, stderr);
      unchanged();
    }
  });
});

it('when a file of a run is a named pipe or a device then it is refused, not waited for', {
  skip: process.platform === 'win32' && 'there are no named pipes in folders here',
}, async () => {
  for (const [name, args, status] of [
    ['config.json', ['info'], 65],
    ['vocabulary.json', ['info'], 65],
    ['checkpoints/6/manifest.json', ['info', '--checkpoint', '6'], 65],
    ['checkpoints/6/model.safetensors', ['sample', '--checkpoint', '6'], 65],
    ['checkpoints/6/training.safetensors', ['info', '--verify'], 65],
    ['lock', ['resume', '--steps', '8'], 75],
  ] as const) {
    const run = copyOfRun();
    const path = join(run, name);
    rmSync(path, { force: true });
    for (const make of [() => execFileSync('mkfifo', [path]), () => symlinkSync('/dev/zero', path)]) {
      make();
      const [command, ...options] = args;
      const found = await charloom([command, run, ...options], { cwd: root });
      assert.equal(found.status, status, `${name}: ${found.stderr}`);
      assert.match(found.stderr, /^error: .+\n(hint: .+\n)?$/);
      rmSync(path);
    }
  }
});

it('when the run folder itself is reached through a link then it is a run like any other', {
  skip,
}, async () => {
  const run = copyOfRun();
  const link = join(root, 'link-to-run');
  symlinkSync(run, link);
  await succeed(['resume', link, '--steps', '12'], { cwd: root });
  await succeed(['info', link, '--verify'], { cwd: root });
  assert.deepEqual(checkpointSteps(run).slice(-2), [10, 12]);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.equal(existsSync(join(run, 'lock')), false);
});

describe('when a name in a file is a path', () => {
  /** The manifest of a checkpoint with other fields, and with the digest that belongs to them. */
  async function rewrite(dir: string, change: (manifest: Manifest) => object): Promise<void> {
    const changed = change(await readManifest(dir)) as Manifest;
    writeFileSync(join(dir, 'manifest.json'), formatManifest(changed));
  }

  const model = 'model.safetensors';
  const changes: [what: string, change: (manifest: Manifest) => object][] = [
    [
      'a file',
      ({ files, ...rest }) => ({ ...rest, files: { [`../../../outside/run/${model}`]: files[model] } }),
    ],
    [
      'one file more',
      ({ files, ...rest }) => ({ ...rest, files: { ...files, [`${outside}/x`]: files[model] } }),
    ],
    ['the step', (manifest) => ({ ...manifest, step: '../../../outside/project' })],
    ['the best step', (manifest) => ({ ...manifest, bestStep: '../../../outside/run/checkpoints/6' })],
  ];
  for (const [what, change] of changes) {
    it(`then a manifest with such a name of ${what} is refused`, async () => {
      const run = copyOfRun();
      await rewrite(join(run, 'checkpoints/6'), change);
      assert.deepEqual(
        (await listCheckpoints(run)).map(({ step }) => step),
        [2, 4],
      );
      await assert.rejects(loadCheckpoint(join(run, 'checkpoints/6')), code('BAD_DATA', /manifest\.json/));
      // What killed processes left goes by its manifest.
      renameSync(join(run, 'checkpoints/6'), join(run, LEFTOVER));
      await recoverCheckpoints(run);
      assert.deepEqual(checkpointSteps(run), [2, 4]);
      unchanged();
    });
  }

  it('then such a name of a weight is none of the model, and of the state makes no file', async () => {
    const run = copyOfRun();
    const { step, model: weights, ...rest } = await loadCheckpoint(join(run, 'checkpoints/6'));
    const path = '../../../outside/project/precious.txt';
    const extra = [path, { dtype: 'F32', shape: [1], data: Float32Array.of(1) }] as const;
    const before = listing(run);
    await saveCheckpoint(run, step, { ...rest, model: new Map([...weights, extra]) });
    assert.deepEqual(Object.keys(listing(run)), Object.keys(before));
    const { status, stderr } = await charloom(['sample', run, '--checkpoint', '6'], { cwd: root });
    assert.equal(status, 65);
    assert.ok(stderr.includes(`has no weight '${path}'`), stderr);
    unchanged();
  });

  it('then such a name of a text is only read, and has to be the text', async () => {
    const run = copyOfRun();
    const path = join(run, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    config.files[0] = { ...config.files[0], name: '../x', path: '../outside/project/precious.txt' };
    writeFileSync(path, JSON.stringify(config));
    const { status, stderr } = await charloom(['resume', run, '--steps', '8'], { cwd: run });
    assert.equal(status, 65);
    assert.match(stderr, /precious\.txt is not the text this run was trained on/);
    unchanged();
  });

  it('then what it would do to a terminal is shown, not done', async () => {
    const run = copyOfRun();
    const path = join(run, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    const hostile = '\x1b[31m\n';
    config.files[0].name += hostile;
    writeFileSync(path, JSON.stringify({ ...config, preset: hostile, created: hostile, charloom: hostile }));
    for (const args of [
      ['info', run],
      ['eval', run],
    ]) {
      const { stdout } = await succeed(args, { cwd: root });
      assert.ok(stdout.includes('\\u{1b}[31m\\u{a}'), stdout);
      assert.ok(!stdout.includes('\x1b'));
    }
  });

  it('then such a checkpoint on the command line is wrong usage', async () => {
    const args = ['sample', copyOfRun(), '--checkpoint', '../../outside/run/checkpoints/6'];
    assert.equal((await charloom(args, { cwd: root })).status, 2);
  });
});
