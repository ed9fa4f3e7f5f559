import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lockRun } from '../../src/checkpoint/run-lock.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';

const root = mkdtempSync(join(tmpdir(), 'charloom-lock-'));
after(() => rmSync(root, { recursive: true }));
const newRun = () => mkdtempSync(join(root, 'run-'));

const code =
  (expected: ErrorCode, message: RegExp, hint = /(?:)/) =>
  (error: unknown) =>
    error instanceof CharloomError &&
    error.code === expected &&
    message.test(error.message) &&
    hint.test(error.hint);

const id = (digit: number) => `0000000${digit}-0000-4000-8000-000000000000`;
/** The number of a process that has ended. */
const deadPid = spawnSync(process.execPath, ['--version']).pid;
const owner = (digit: number, fields: object = {}) => ({
  id: id(digit),
  pid: deadPid,
  hostname: hostname(),
  started: 'long ago',
  ...fields,
});
const write = (dir: string, name: string, content: unknown) =>
  writeFileSync(join(dir, name), JSON.stringify(content));
const holder = (dir: string) => JSON.parse(readFileSync(join(dir, 'lock'), 'utf8')).pid;

describe('lockRun', () => {
  it('when nobody holds the lock then it is ours until it is released', () => {
    const dir = newRun();
    const lock = lockRun(dir);
    assert.deepEqual(readdirSync(dir), ['lock']);
    assert.equal(holder(dir), process.pid);
    lock.release();
    assert.deepEqual(readdirSync(dir), []);
    lock.release();
    lockRun(dir).release();
  });

  it('when a living process holds the lock then it is BUSY, naming the folder and the process', async () => {
    const dir = newRun();
    const program = `
      import { lockRun } from ${JSON.stringify(new URL('../../src/checkpoint/run-lock.ts', import.meta.url).href)};
      lockRun(process.argv[1]);
      console.log('locked');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program, dir]);
    await once(child.stdout, 'data');
    assert.throws(() => lockRun(dir), code('BUSY', new RegExp(`^${dir} is in use by process ${child.pid}$`)));
    assert.deepEqual(readdirSync(dir), ['lock']);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = lockRun(dir);
    assert.equal(holder(dir), process.pid);
    lock.release();
  });

  it('when this process holds it already then it is BUSY', () => {
    const dir = newRun();
    const lock = lockRun(dir);
    assert.throws(() => lockRun(dir), code('BUSY', /in use by process/));
    lock.release();
  });

  it('when the holder is dead then the lock is taken over', () => {
    const dir = newRun();
    write(dir, 'lock', owner(1));
    lockRun(dir);
    assert.equal(holder(dir), process.pid);
    assert.deepEqual(readdirSync(dir), ['lock']);
  });

  it('when the number of a dead holder belongs to a new process then it is taken over', {
    skip: process.platform !== 'linux',
  }, () => {
    const dir = newRun();
    write(dir, 'lock', owner(1, { pid: process.pid }));
    lockRun(dir);
    assert.notEqual(JSON.parse(readFileSync(join(dir, 'lock'), 'utf8')).id, id(1));
  });

  it('when the holder was killed and its parent has not waited for it then it is taken over', {
    skip: process.platform !== 'linux',
  }, () => {
    const dir = newRun();
    // The shell becomes `sleep 20`, which never waits for the child that it inherits: a zombie.
    const zombie = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 20'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return once(zombie.stdout, 'data').then(async ([data]) => {
      const pid = Number(String(data));
      while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await setTimeout(5);
      write(dir, 'lock', owner(1, { pid }));
      lockRun(dir);
      assert.equal(holder(dir), process.pid);
      zombie.kill('SIGKILL');
    });
  });

  it('when the start of the holder is not known then a living process counts as the holder', () => {
    const dir = newRun();
    write(dir, 'lock', owner(1, { pid: process.pid, started: '' }));
    assert.throws(() => lockRun(dir), code('BUSY', /in use by process/));
  });

  it('when the holder is on another machine then it is BUSY, with the way out', () => {
    const dir = newRun();
    write(dir, 'lock', owner(1, { hostname: 'elsewhere' }));
    assert.throws(() => lockRun(dir), code('BUSY', /process \d+ on "elsewhere"/, /delete .*\/lock$/));
    assert.deepEqual(readdirSync(dir), ['lock']);
  });

  const unreadable = [
    '',
    '{',
    '[]',
    '{}',
    JSON.stringify(owner(1, { pid: -1 })),
    JSON.stringify(owner(1, { pid: '1' })),
    JSON.stringify(owner(1, { id: '../../../../../../../../etc/passwd-xxxx' })),
  ];
  for (const text of unreadable) {
    it(`when the lock says '${text.slice(0, 60)}' then it is BUSY, with the way out`, () => {
      const dir = newRun();
      writeFileSync(join(dir, 'lock'), text);
      assert.throws(
        () => lockRun(dir),
        code('BUSY', /locked, by a file that cannot be read/, /delete .*\/lock$/),
      );
      assert.deepEqual(readdirSync(dir), ['lock']);
    });
  }

  it('when the folder is missing then it is CANNOT_CREATE', () => {
    assert.throws(
      () => lockRun(join(root, 'missing')),
      code('CANNOT_CREATE', /missing\/lock: its folder does not exist/),
    );
  });

  it('when the lock was deleted and taken by another then release leaves it alone', () => {
    const dir = newRun();
    const first = lockRun(dir);
    rmSync(join(dir, 'lock'));
    lockRun(dir);
    first.release();
    assert.ok(existsSync(join(dir, 'lock')));
  });
});

describe('lockRun: takeovers that were interrupted', () => {
  it('when claimants of a dead lock are dead too then the last right is claimed, and all traces are removed', () => {
    const dir = newRun();
    write(dir, 'lock', owner(1));
    write(dir, `lock.${id(1)}`, owner(2));
    write(dir, `lock.${id(2)}`, owner(3));
    write(dir, `lock.${id(9)}`, owner(8)); // of a lock that is long gone
    lockRun(dir);
    assert.equal(holder(dir), process.pid);
    assert.deepEqual(readdirSync(dir), ['lock']);
  });

  it('when a living process has claimed a dead lock then it is BUSY, naming it', () => {
    const dir = newRun();
    write(dir, 'lock', owner(1));
    write(dir, `lock.${id(1)}`, owner(2, { pid: process.ppid, started: '' }));
    assert.throws(() => lockRun(dir), code('BUSY', new RegExp(`in use by process ${process.ppid}$`)));
    assert.equal(holder(dir), deadPid);
  });
});

describe('lockRun: races', () => {
  it('when processes race for locks of the dead then never are two inside, and all get in', {
    timeout: 60_000,
  }, async () => {
    const dir = newRun();
    write(dir, 'lock', owner(1));
    const contender = fileURLToPath(new URL('lock-contender.ts', import.meta.url));
    const processes = 4;
    const rounds = 40;
    const run = promisify(execFile);
    const results = Array.from({ length: processes }, () =>
      run(process.execPath, ['--import', 'tsx', contender, dir, String(rounds), String(deadPid)]),
    );
    while (readdirSync(dir).filter((name) => name.startsWith('ready-')).length < processes)
      await setTimeout(5);
    writeFileSync(join(dir, 'go'), '');
    // A contender that finds another inside fails, and so does this.
    for (const { stdout } of await Promise.all(results)) assert.equal(Number(stdout), rounds);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.includes('lock') && name !== 'lock'),
      [],
      'claims and temporary files are gone',
    );
  });
});
