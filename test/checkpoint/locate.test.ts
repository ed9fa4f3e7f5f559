import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { saveCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { resolveModel } from '../../src/checkpoint/locate.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'charloom-locate-')));
after(() => rmSync(root, { recursive: true }));

const code =
  (expected: ErrorCode, message: RegExp, hint = /(?:)/) =>
  (error: unknown) =>
    error instanceof CharloomError &&
    error.code === expected &&
    message.test(error.message) &&
    hint.test(error.hint);

const run = join(root, 'run');
const at = (step: number) => ({ runDir: run, checkpointDir: join(run, 'checkpoints', String(step)), step });
const save = (dir: string, step: number, bestStep: number | null) =>
  saveCheckpoint(dir, step, { model: new Map(), training: new Map(), bestStep, summary: {} });

before(async () => {
  mkdirSync(run);
  await save(run, 100, 100);
  await save(run, 1000, 200);
  await save(run, 200, 200);
});

describe('resolveModel: a run folder', () => {
  it('when nothing is said then it is the best', async () => {
    assert.deepEqual(await resolveModel(run), at(200));
    assert.deepEqual(await resolveModel(run, 'best'), at(200));
  });

  it('when latest or a step is asked for then it is that', async () => {
    assert.deepEqual(await resolveModel(run, 'latest'), at(1000));
    assert.deepEqual(await resolveModel(run, 100), at(100));
  });

  it('when the step does not exist then the error lists those that do', async () => {
    await assert.rejects(
      resolveModel(run, 300),
      code('NO_INPUT', /run does not have a checkpoint of step 300$/, /100, 200, 1000$/),
    );
  });

  it('when the run was never evaluated then the best is the latest', async () => {
    const dir = join(root, 'unevaluated');
    mkdirSync(dir);
    await save(dir, 5, null);
    await save(dir, 6, null);
    assert.equal((await resolveModel(dir)).step, 6);
  });

  it('when the best checkpoint is gone then the error says so', async () => {
    const dir = join(root, 'without-best');
    mkdirSync(dir);
    await save(dir, 5, 4);
    await assert.rejects(
      resolveModel(dir),
      code('NO_INPUT', /the best checkpoint, that of step 4$/, /steps 5$/),
    );
    assert.equal((await resolveModel(dir, 'latest')).step, 5);
  });

  it('when there is no checkpoint yet then the error says so', async () => {
    const dir = join(root, 'empty');
    mkdirSync(join(dir, 'checkpoints'), { recursive: true });
    for (const which of ['best', 'latest', 7] as const) {
      await assert.rejects(resolveModel(dir, which), code('NO_INPUT', /empty has no checkpoint yet/));
    }
  });

  it('when a run was begun but never saved then the error says so, and not that it is no run', async () => {
    const dir = join(root, 'begun');
    mkdirSync(dir);
    writeFileSync(join(dir, 'config.json'), '{}');
    await assert.rejects(
      resolveModel(dir),
      code('NO_INPUT', /begun has no checkpoint yet/, /remove the folder and train again/),
    );
  });

  it('when the manifest of the step is damaged or of another step then it is bad data', async () => {
    const dir = join(root, 'damaged');
    mkdirSync(dir);
    const checkpoint = await save(dir, 5, null);
    cpSync(checkpoint, join(dir, 'checkpoints', '6'), { recursive: true });
    await assert.rejects(resolveModel(dir, 6), code('BAD_DATA', /checkpoints\/6 is damaged: .* step 5$/));
    writeFileSync(join(dir, 'checkpoints', '6', 'manifest.json'), '{');
    await assert.rejects(resolveModel(dir, 6), code('BAD_DATA', /manifest\.json is not valid JSON/));
    assert.equal((await resolveModel(dir, 'latest')).step, 5);
  });
});

describe('resolveModel: a run without any valid checkpoint', () => {
  const onlyCheckpoint = async (name: string): Promise<[dir: string, manifest: string]> => {
    const dir = join(root, name);
    mkdirSync(dir);
    for (const step of [3, 4]) await save(dir, step, null);
    return [dir, join(await save(dir, 5, null), 'manifest.json')];
  };

  it('when the manifests are damaged then it is bad data, and not that there is no checkpoint yet', async () => {
    const [dir, manifest] = await onlyCheckpoint('all-damaged');
    for (const step of ['3', '4']) writeFileSync(join(dir, 'checkpoints', step, 'manifest.json'), '{}');
    for (const [damage, message] of [
      ['{', /5\/manifest\.json is not valid JSON/],
      ['', /5\/manifest\.json is not valid JSON/],
    ] as const) {
      writeFileSync(manifest, damage);
      for (const which of ['best', 'latest'] as const)
        await assert.rejects(resolveModel(dir, which), code('BAD_DATA', message));
    }
  });

  it('when the manifests are missing then it is missing input that names the last', async () => {
    const [dir, manifest] = await onlyCheckpoint('all-missing');
    rmSync(manifest);
    for (const step of ['3', '4']) rmSync(join(dir, 'checkpoints', step, 'manifest.json'));
    await assert.rejects(
      resolveModel(dir, 'latest'),
      code('NO_INPUT', /5\/manifest\.json: it does not exist/),
    );
  });
});

describe('resolveModel: a checkpoint folder', () => {
  it('when it is given then it is that one, and its run is around it', async () => {
    assert.deepEqual(await resolveModel(at(100).checkpointDir), at(100));
    assert.deepEqual(await resolveModel(`${at(100).checkpointDir}/`, 'latest'), at(100));
    assert.deepEqual(await resolveModel(at(100).checkpointDir, 100), at(100));
  });

  it('when a symbolic link leads to it then its run is found all the same', async () => {
    const link = join(root, 'link');
    symlinkSync(at(100).checkpointDir, link);
    assert.deepEqual(await resolveModel(link), at(100));
  });

  it('when another step is asked for then it is a usage error', async () => {
    await assert.rejects(
      resolveModel(at(100).checkpointDir, 200),
      code('USAGE', /of step 100, not of step 200/),
    );
  });

  it('when it was copied out of its run then it is bad data', async () => {
    const copy = join(root, 'copy');
    cpSync(at(100).checkpointDir, copy, { recursive: true });
    await assert.rejects(resolveModel(copy), code('BAD_DATA', /outside of a run/));
  });
});

describe('resolveModel: something else', () => {
  it('when the path is missing, a file or another folder then the error says so', async () => {
    const file = join(root, 'model.txt');
    writeFileSync(file, '');
    await assert.rejects(resolveModel(join(root, 'missing')), code('NO_INPUT', /missing: it does not exist/));
    await assert.rejects(resolveModel(file), code('NO_INPUT', /model\.txt is a file/));
    await assert.rejects(resolveModel(join(file, 'x')), code('NO_INPUT', /not a folder/));
    await assert.rejects(
      resolveModel(root),
      code('NO_INPUT', /is no run/, /run folder or one checkpoint folder/),
    );
  });
});
