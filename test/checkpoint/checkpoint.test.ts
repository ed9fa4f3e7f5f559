import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  type CheckpointContent,
  listCheckpoints,
  loadCheckpoint,
  loadModel,
  pruneCheckpoints,
  recoverCheckpoints,
  saveCheckpoint,
} from '../../src/checkpoint/checkpoint.ts';
import { digestOf, readManifest } from '../../src/checkpoint/manifest.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';

const root = mkdtempSync(join(tmpdir(), 'charloom-checkpoint-'));
after(() => rmSync(root, { recursive: true }));
const newRun = () => mkdtempSync(join(root, 'run-'));

const code = (expected: ErrorCode, message: RegExp) => (error: unknown) =>
  error instanceof CharloomError && error.code === expected && message.test(error.message);

const content = (value = 1, bestStep: number | null = null): CheckpointContent => ({
  model: new Map([['head.weight', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(value, 2, 3, 4) }]]),
  training: new Map([
    ['moments', { dtype: 'F64', shape: [1], data: Float64Array.of(value / 3) }],
    ['generator', { dtype: 'U32', shape: [4], data: Uint32Array.of(1, 2, 3, 4) }],
  ]),
  bestStep,
  summary: { epoch: 3, validation: { crossEntropy: 1.25 }, note: null },
});
const steps = async (run: string) => (await listCheckpoints(run)).map(({ step }) => step);
const names = (run: string) => readdirSync(join(run, 'checkpoints')).sort();

describe('saveCheckpoint and loadCheckpoint', () => {
  it('when a checkpoint is saved and loaded then it is the same, bit by bit', async () => {
    const run = newRun();
    const saved = content(Math.PI, 1200);
    const dir = await saveCheckpoint(run, 1500, saved);
    assert.equal(dir, join(run, 'checkpoints', '1500'));
    assert.deepEqual(await loadCheckpoint(dir), { step: 1500, ...saved });
    const { training: _, ...model } = { step: 1500, ...saved };
    const { sha256 } = digestOf([readFileSync(join(dir, 'model.safetensors'))]);
    assert.deepEqual(await loadModel(dir), { ...model, sha256 });
    assert.deepEqual(readdirSync(dir).sort(), ['manifest.json', 'model.safetensors', 'training.safetensors']);
    assert.deepEqual(names(run), ['1500']);
  });

  it('when the same is saved twice then the files are the same bytes', async () => {
    const [first, second] = [
      await saveCheckpoint(newRun(), 7, content()),
      await saveCheckpoint(newRun(), 7, content()),
    ];
    for (const name of readdirSync(first)) {
      assert.ok(readFileSync(join(first, name)).equals(readFileSync(join(second, name))), name);
    }
  });

  it('when a step is saved again then the new one replaces the old', async () => {
    const run = newRun();
    await saveCheckpoint(run, 5, content(1));
    const dir = await saveCheckpoint(run, 5, content(2));
    assert.equal((await loadModel(dir)).model.get('head.weight')!.data[0], 2);
    assert.deepEqual(names(run), ['5']);
  });

  it('when a value is not finite then it is DIVERGED, and nothing is written', async () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const run = newRun();
      await assert.rejects(
        saveCheckpoint(run, 1, content(value)),
        code('DIVERGED', /head\.weight.*not finite/),
      );
      const training = content(value).training;
      await assert.rejects(saveCheckpoint(run, 1, { ...content(), training }), code('DIVERGED', /moments/));
      assert.deepEqual(readdirSync(run), []);
    }
  });

  it('when the run folder cannot hold it then it is an I/O error', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    await assert.rejects(saveCheckpoint(file, 1, content()), code('IO', /file\/checkpoints/));
  });

  it('when the step is no number of steps then a RangeError says so', async () => {
    for (const step of [-1, 0.5, Number.NaN, 1e300]) {
      await assert.rejects(saveCheckpoint(root, step, content()), RangeError);
    }
  });
});

describe('loadCheckpoint: damaged checkpoints', () => {
  it('when any byte of a file is changed, missing or added then it is refused', async () => {
    const dir = await saveCheckpoint(newRun(), 1, content());
    for (const name of ['model.safetensors', 'training.safetensors']) {
      const path = join(dir, name);
      const good = readFileSync(path);
      const damages = [
        good.subarray(0, -1),
        Buffer.concat([good, Buffer.of(0)]),
        Buffer.alloc(0),
        ...[0, 9, 60, good.length - 1].map((at) => {
          const bad = Buffer.from(good);
          bad[at]! ^= 1;
          return bad;
        }),
      ];
      for (const bad of damages) {
        writeFileSync(path, bad);
        await assert.rejects(loadCheckpoint(dir), code('BAD_DATA', new RegExp(`${name} is damaged`)));
      }
      writeFileSync(path, good);
      await loadCheckpoint(dir);
      rmSync(path);
      await assert.rejects(loadCheckpoint(dir), code('NO_INPUT', new RegExp(`${name}: it does not exist`)));
      writeFileSync(path, good);
    }
  });

  it('when a bit of any byte of any file is another, or any end of it is missing, then it is refused', async () => {
    const dir = await saveCheckpoint(newRun(), 1, content());
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      const good = readFileSync(path);
      const refused = async (bad: Uint8Array, what: string): Promise<void> => {
        writeFileSync(path, bad);
        await assert.rejects(loadCheckpoint(dir), code('BAD_DATA', new RegExp(name)), `${name}: ${what}`);
      };
      for (let at = 0; at < good.length; at++) {
        await refused(good.subarray(0, at), `cut at ${at}`);
        const bad = Buffer.from(good);
        bad[at]! ^= 1 << (at % 8);
        await refused(bad, `bit ${at % 8} of byte ${at}`);
      }
      writeFileSync(path, good);
      await loadCheckpoint(dir);
    }
  });

  /** A manifest with these fields that is otherwise as charloom writes it. */
  const written = (json: unknown): string => {
    if (Array.isArray(json)) return JSON.stringify(json);
    const sha256 = createHash('sha256').update(JSON.stringify(json)).digest('hex');
    return `${JSON.stringify({ ...(json as object), sha256 }, null, 2)}\n`;
  };

  const good = JSON.parse(
    `{"format": "charloom checkpoint", "version": 2, "step": 1, "bestStep": null, "summary": {}, "files": {
      "model.safetensors": {"bytes": 1, "sha256": "${'0'.repeat(64)}"},
      "training.safetensors": {"bytes": 1, "sha256": "${'0'.repeat(64)}"}}}`,
  );
  const files = good.files;
  const model = files['model.safetensors'];
  const manifests: [what: string, json: unknown][] = [
    ['an array', [good]],
    ['another format', { ...good, format: 'safetensors' }],
    ['another version', { ...good, version: 1 }],
    ['no step', { ...good, step: undefined }],
    ['a negative step', { ...good, step: -1 }],
    ['a step as text', { ...good, step: '1' }],
    ['no bestStep', { ...good, bestStep: undefined }],
    ['half a bestStep', { ...good, bestStep: 0.5 }],
    ['no files', { ...good, files: {} }],
    ['one file', { ...good, files: { 'model.safetensors': model } }],
    ['a file too many', { ...good, files: { ...files, '../../x': model } }],
    ['a path for a file', { ...good, files: { '/etc/passwd': model, 'training.safetensors': model } }],
    ['a hash that is none', { ...good, files: { ...files, 'model.safetensors': { bytes: 1, sha256: 'x' } } }],
    ['bytes that are none', { ...good, files: { ...files, 'model.safetensors': { ...model, bytes: -1 } } }],
    ['no summary', { ...good, summary: undefined }],
    ['a summary that is a list', { ...good, summary: [] }],
  ];
  for (const [what, json] of manifests) {
    it(`when the manifest has ${what} then it is refused, and the folder is no checkpoint`, async () => {
      const run = newRun();
      const dir = join(run, 'checkpoints', '1');
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, 'manifest.json'), written(json));
      await assert.rejects(readManifest(dir), code('BAD_DATA', /manifest\.json(?!.*damaged)/));
      assert.deepEqual(await steps(run), []);
    });
  }

  const unsigned: [what: string, text: string][] = [
    ['no digest of its own', JSON.stringify(good, null, 2)],
    ['other spaces', written(good).replace('{', '{ ')],
    ['a field more', written(good).replace('"summary": {}', '"summary": {"epoch": 1}')],
  ];
  for (const [what, text] of unsigned) {
    it(`when the manifest has ${what} then it is damaged`, async () => {
      const dir = newRun();
      writeFileSync(join(dir, 'manifest.json'), text);
      await assert.rejects(readManifest(dir), code('BAD_DATA', /manifest\.json: damaged/));
    });
  }

  it('when the manifest has lists deeper than any stack, in whatever field, then that is said', async () => {
    const dir = newRun();
    const deep = `${'['.repeat(4e5)}${']'.repeat(4e5)}`;
    for (const [sound, hostile] of [
      ['"summary": {}', `"summary": {"a": ${deep}}`],
      ['"version": 2', `"version": ${deep}`],
    ] as const) {
      const text = written(good).replace(sound, () => hostile);
      assert.notEqual(text, written(good));
      writeFileSync(join(dir, 'manifest.json'), text);
      await assert.rejects(readManifest(dir), code('BAD_DATA', /manifest\.json is nested too deeply$/));
    }
  });

  it('when the version is longer than a line then it is another version', async () => {
    const dir = newRun();
    const text = written(good).replace('"version": 2', () => `"version": "${'x'.repeat(1e5)}"`);
    writeFileSync(join(dir, 'manifest.json'), text);
    await assert.rejects(readManifest(dir), code('BAD_DATA', /: version .{1,90}, but .* version 2$/));
  });

  it('when the manifest is as charloom writes it then it is read: the cases above can fail', async () => {
    const dir = newRun();
    writeFileSync(
      join(dir, 'manifest.json'),
      written({ format: good.format, version: 2, step: 1, bestStep: null, files, summary: {} }),
    );
    assert.equal((await readManifest(dir)).step, 1);
  });
});

describe('listCheckpoints', () => {
  it('when there are several then they come in the order of their steps', async () => {
    const run = newRun();
    for (const step of [100, 0, 20, 3]) await saveCheckpoint(run, step, content());
    assert.deepEqual(await steps(run), [0, 3, 20, 100]);
  });

  it('when there is no folder of checkpoints then there are none', async () => {
    assert.deepEqual(await steps(newRun()), []);
  });

  it('when a folder has no manifest, another step, or another kind of name then it is no checkpoint', async () => {
    const run = newRun();
    const parent = join(run, 'checkpoints');
    const dir = await saveCheckpoint(run, 10, content());
    for (const name of ['11', '010', '1e1', '-10', '10.0', 'best', '.10.tmp-0123456789ab']) {
      cpSync(dir, join(parent, name), { recursive: true });
    }
    mkdirSync(join(parent, '12'));
    writeFileSync(join(parent, '13'), 'a file');
    assert.deepEqual(await steps(run), [10]);
  });
});

describe('pruneCheckpoints', () => {
  const fill = async (bestStep: number | null, last = 50) => {
    const run = newRun();
    for (let step = 10; step <= last; step += 10) await saveCheckpoint(run, step, content(1, bestStep));
    return run;
  };

  it('when there are many then the last two and the best are kept', async () => {
    const run = await fill(20);
    assert.deepEqual(await pruneCheckpoints(run), [10, 30]);
    assert.deepEqual(names(run), ['20', '40', '50']);
    assert.deepEqual(await pruneCheckpoints(run), []);
  });

  it('when there is no best, or it is among the last, then only the last are kept', async () => {
    for (const best of [null, 40, 50, 999]) {
      const run = await fill(best);
      await pruneCheckpoints(run);
      assert.deepEqual(names(run), ['40', '50']);
    }
  });

  it('when there are fewer than are to be kept then all are', async () => {
    for (const last of [0, 10, 20]) assert.deepEqual(await pruneCheckpoints(await fill(null, last)), []);
  });
});

describe('recoverCheckpoints', () => {
  it('when a killed process left unfinished folders then they are removed at the next save', async () => {
    const run = newRun();
    const dir = await saveCheckpoint(run, 10, content());
    const parent = join(run, 'checkpoints');
    cpSync(dir, join(parent, '.20.tmp-0123456789ab'), { recursive: true });
    rmSync(join(parent, '.20.tmp-0123456789ab', 'manifest.json'));
    mkdirSync(join(parent, '.30.tmp-0123456789ab'));
    cpSync(dir, join(parent, '.10.tmp-0123456789ab'), { recursive: true });
    await saveCheckpoint(run, 11, content());
    assert.deepEqual(names(run), ['10', '11']);
  });

  it('when a process was killed while it replaced a checkpoint then there is one again', async () => {
    const run = newRun();
    const dir = await saveCheckpoint(run, 10, content(7));
    renameSync(dir, join(run, 'checkpoints', '.10.tmp-0123456789ab'));
    assert.deepEqual(await steps(run), []);
    await recoverCheckpoints(run);
    assert.deepEqual(names(run), ['10']);
    assert.equal((await loadModel(dir)).model.get('head.weight')!.data[0], 7);
  });

  it('when there is nothing to recover then nothing happens', async () => {
    const run = newRun();
    await recoverCheckpoints(run);
    assert.deepEqual(readdirSync(run), []);
  });
});

describe('saveCheckpoint: killed processes', () => {
  const program = `
    import { pruneCheckpoints, saveCheckpoint } from ${JSON.stringify(new URL('../../src/checkpoint/checkpoint.ts', import.meta.url).href)};
    const data = new Float32Array(20_000);
    for (let step = Number(process.argv[2]); ; step++) {
      const tensors = new Map([['a', { dtype: 'F32', shape: [data.length], data: data.fill(step) }]]);
      await saveCheckpoint(process.argv[1], step >> 1, { model: tensors, training: tensors, bestStep: null, summary: {} });
      process.stdout.write((step >> 1) + '\\n');
      await pruneCheckpoints(process.argv[1]);
    }`;

  it('when a process is killed at any moment then every checkpoint there is is whole, and the last one saved is among them', {
    timeout: 60_000,
  }, async () => {
    const run = newRun();
    let next = 0;
    for (let round = 0; round < 4; round++) {
      // Every step is saved twice: the second replaces the first.
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', program, run, String(2 * next)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let output = '';
      child.stdout.on('data', (data) => {
        output += data;
      });
      await once(child.stdout, 'data');
      await setTimeout(20 + 13 * round);
      child.kill('SIGKILL');
      await once(child, 'close');
      const announced = Number(output.trim().split('\n').at(-1));
      await recoverCheckpoints(run);
      const entries = await listCheckpoints(run);
      for (const { dir, step } of entries) {
        const { model, training } = await loadCheckpoint(dir);
        for (const tensors of [model, training]) assert.equal(tensors.get('a')!.data.at(-1)! >> 1, step);
      }
      const latest = entries.at(-1)!.step;
      assert.ok(latest === announced || latest === announced + 1, `${latest} after ${announced}`);
      assert.ok(entries.length <= 4);
      next = latest + 1;
    }
  });
});
