/** How the native engine comes by its kernels: compiled once, into a cache that nobody else can write to. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { declare } from '../../src/engine/engine.ts';
import { findKernels } from '../../src/engine/native/compiler.ts';
import { openEngine } from '../../src/engine/open.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { whyMissing } from '../engines.ts';

const missing = await whyMissing('native');

let folder: string;
const before = { ...process.env };

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'charloom-native-'));
  // What is compiled is not what is tested here, so it may be slow.
  Object.assign(process.env, { XDG_CACHE_HOME: folder, CFLAGS: '-O0' });
});

afterEach(async () => {
  for (const name of ['XDG_CACHE_HOME', 'CFLAGS', 'CC']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await rm(folder, { recursive: true });
});

/** Finds the kernels; whether they had to be compiled. */
async function find(): Promise<{ library: string; compiled: boolean }> {
  let compiled = false;
  const library = await findKernels({
    show: (_, work) => {
      compiled = true;
      return work;
    },
  });
  return { library, compiled };
}

describe('the kernels of the native engine', { skip: missing }, () => {
  it('are compiled once, into a folder for this user alone', async () => {
    const first = await find();
    assert.ok(first.compiled);
    const cache = path.join(folder, 'charloom');
    assert.equal((await stat(cache)).mode & 0o777, 0o700);
    assert.deepEqual(await readdir(cache), [path.basename(first.library)], 'nothing unfinished is left');
    assert.deepEqual(await find(), { library: first.library, compiled: false });
  });

  it('are compiled again for other flags', async () => {
    const { library } = await find();
    process.env.CFLAGS = '-O0 -g';
    const other = await find();
    assert.ok(other.compiled);
    assert.notEqual(other.library, library);
  });

  it('are one library when several compile them at once', async () => {
    const found = await Promise.all([find(), find(), find()]);
    assert.equal(new Set(found.map(({ library }) => library)).size, 1);
    assert.equal((await readdir(path.join(folder, 'charloom'))).length, 1);
  });

  it('are not taken from a folder, or a file, that others may write to', async () => {
    const { library } = await find();
    await chmod(library, 0o666);
    await assert.rejects(find(), { code: 'UNAVAILABLE', message: /does not trust .*\.so/ });
    await chmod(library, 0o755);
    await chmod(path.dirname(library), 0o777);
    await assert.rejects(find(), { code: 'UNAVAILABLE', message: /does not trust .*charloom/ });
  });

  it('are not taken through a link', async () => {
    await mkdir(path.join(folder, 'elsewhere'));
    await symlink(path.join(folder, 'elsewhere'), path.join(folder, 'charloom'));
    await assert.rejects(find(), { code: 'UNAVAILABLE', message: /does not trust/ });
  });

  it('are not there where the cache cannot be', async () => {
    await writeFile(path.join(folder, 'file'), '');
    process.env.XDG_CACHE_HOME = path.join(folder, 'file');
    await assert.rejects(find(), { code: 'UNAVAILABLE', message: /cannot keep its kernels in/ });
  });

  it('say what the compiler says when it fails', async () => {
    process.env.CFLAGS = '-std=nonsense';
    await assert.rejects(find(), { code: 'UNAVAILABLE', message: /cannot be compiled by .*error/ });
    assert.deepEqual(await readdir(path.join(folder, 'charloom')), []);
  });

  it('are refused, with what to do, if the library is damaged', async () => {
    const { library } = await find();
    await writeFile(library, 'no library');
    await assert.rejects(openEngine('native'), { code: 'UNAVAILABLE', hint: /remove .*\.so/ });
  });
});

it('without a C compiler the native engine says what to install', async () => {
  process.env.CC = '/nonexistent/cc';
  await assert.rejects(openEngine('native'), {
    code: 'UNAVAILABLE',
    message: /needs a C compiler, and there is no \/nonexistent\/cc/,
    hint: /apt install gcc/,
  });
});

it('without a C compiler cpu is the simd engine', async () => {
  process.env.CC = '/nonexistent/cc';
  const engine = await openEngine('cpu');
  assert.equal(engine.description.name, 'simd');
  await engine.close();
});

describe('the native engine', { skip: missing }, () => {
  it('does not keep the event loop waiting during a long product, and can be closed meanwhile', async () => {
    const engine = await openEngine('native');
    const [a, b, out] = ['a', 'b', 'out'].map((name) => declare(name, 'state', 2048, 2048));
    const recorder = new Recorder('long');
    for (let times = 0; times < 4; times++) recorder.add('matmul', { out: out!, a: a!, b: b! });
    const long = engine.prepare(recorder.finish());
    const running = long.run();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([engine.close(), assert.rejects(running, /closed during a replay/)]);
    clearInterval(timer);
    assert.ok(turns > 0);
    await assert.rejects(long.run(), /closed/);
  });

  it('says which memory it lacks', async () => {
    const engine = await openEngine('native');
    const huge = declare('huge', 'state', 2 ** 16, 2 ** 16);
    assert.throws(() => engine.write(huge, { length: huge.length }), { code: 'UNAVAILABLE', message: /GiB/ });
    await engine.close();
  });
});
