import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  isTemporaryName,
  makeFolder,
  temporaryName,
  writeAll,
  writeFileAtomic,
  writeNewFile,
} from '../../src/checkpoint/atomic-write.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';
import { asWriteError } from '../../src/system-errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-write-'));
after(() => rmSync(folder, { recursive: true }));

const code = (expected: ErrorCode, message: RegExp) => (error: unknown) =>
  error instanceof CharloomError && error.code === expected && message.test(error.message);

describe('writeFileAtomic', () => {
  it('when a file is written then it has the content, and nothing is left beside it', async () => {
    const dir = mkdtempSync(join(folder, 'a-'));
    const path = join(dir, 'file');
    await writeFileAtomic(path, 'first, ä');
    assert.equal(readFileSync(path, 'utf8'), 'first, ä');
    await writeFileAtomic(path, [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
    assert.deepEqual([...readFileSync(path)], [1, 2, 3]);
    assert.deepEqual(readdirSync(dir), ['file']);
  });

  it('when the content is large and in many pieces then every byte arrives', async () => {
    const path = join(folder, 'large');
    const pieces = Array.from({ length: 20 }, (_, i) => new Uint8Array(300_001).fill(i));
    await writeFileAtomic(path, pieces);
    assert.ok(Buffer.concat(pieces).equals(readFileSync(path)));
  });

  it('when the folder is missing or a file then it is CANNOT_CREATE, naming the path that was asked for', async () => {
    const file = join(folder, 'plain');
    writeFileSync(file, 'x');
    const missing = join(folder, 'missing', 'x');
    await assert.rejects(
      writeFileAtomic(missing, ''),
      code('CANNOT_CREATE', /missing\/x: its folder does not exist$/),
    );
    await assert.rejects(
      writeFileAtomic(join(file, 'x'), ''),
      code('CANNOT_CREATE', /plain\/x: .* is not a folder$/),
    );
  });

  it('when the name is that of a folder then the folder stays and the temporary file goes', async () => {
    const dir = mkdtempSync(join(folder, 'b-'));
    mkdirSync(join(dir, 'taken'));
    await assert.rejects(writeFileAtomic(join(dir, 'taken'), 'x'), code('CANNOT_CREATE', /it is a folder/));
    assert.deepEqual(readdirSync(dir), ['taken']);
  });

  it('when writing fails midway then the old file stays, the temporary one goes, and it is an I/O error', () => {
    if (process.platform !== 'linux') return;
    const dir = mkdtempSync(join(folder, 'c-'));
    const path = join(dir, 'file');
    writeFileSync(path, 'old');
    const program = `
      import { writeFileAtomic } from ${JSON.stringify(new URL('../../src/checkpoint/atomic-write.ts', import.meta.url).href)};
      await writeFileAtomic(process.argv[1], [new Uint8Array(10_000), new Uint8Array(1_000_000)]).catch(
        (error) => console.log(error.code, error.message));`;
    // No file of this process may have more than 100 blocks of 512 or 1024 bytes.
    const { stdout, stderr } = spawnSync(
      'sh',
      [
        '-c',
        'ulimit -f 100 && exec "$@"',
        'sh',
        process.execPath,
        '--import',
        'tsx',
        '--input-type=module',
        '--eval',
        program,
        path,
      ],
      { encoding: 'utf8', env: { ...process.env, TSX_DISABLE_CACHE: '1' } },
    );
    assert.equal(
      stdout.trim(),
      `IO writing ${path} failed: the file is larger than the system allows`,
      stderr,
    );
    assert.equal(readFileSync(path, 'utf8'), 'old');
    assert.deepEqual(readdirSync(dir), ['file']);
  });
});

describe('writeNewFile and writeAll', () => {
  it('when the file exists then it is not touched', async () => {
    const path = join(folder, 'exists');
    writeFileSync(path, 'old');
    await assert.rejects(writeNewFile(path, 'new'), { code: 'EEXIST' });
    assert.equal(readFileSync(path, 'utf8'), 'old');
  });

  it('when a call takes fewer bytes than it is given then the rest is written too', async () => {
    const taken: number[] = [];
    const slow = {
      async write(piece: Uint8Array, at: number) {
        taken.push(...piece.subarray(at, at + 2));
        return { bytesWritten: Math.min(2, piece.length - at) };
      },
    };
    await writeAll(slow as never, [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(), Uint8Array.of(6)]);
    assert.deepEqual(taken, [1, 2, 3, 4, 5, 6]);
  });

  it('when the disk is full then it is an I/O error that says so', {
    skip: !existsSync('/dev/full'),
  }, async () => {
    const file = await open('/dev/full', 'w');
    try {
      await writeAll(file, [new Uint8Array(10)]);
      assert.fail('the disk is not full');
    } catch (error) {
      assert.ok(code('IO', /^writing x failed: the disk is full$/)(asWriteError(error, 'x')), String(error));
    } finally {
      await file.close();
    }
  });
});

describe('makeFolder and temporary names', () => {
  it('when a folder is made then its parents are too, and again is no error', async () => {
    const path = join(folder, 'p', 'q', 'r');
    await makeFolder(path);
    await makeFolder(path);
    assert.ok(existsSync(path));
    writeFileSync(join(path, 'file'), '');
    await assert.rejects(makeFolder(join(path, 'file')), code('CANNOT_CREATE', /it already exists/));
    await assert.rejects(makeFolder(join(path, 'file', 'x')), code('CANNOT_CREATE', /not a folder/));
  });

  it('when the file system makes no folders then that is an error, and not a try for ever', {
    skip: !existsSync('/proc/self'),
  }, async () => {
    await assert.rejects(makeFolder('/proc/x/y'), code('CANNOT_CREATE', /its folder does not exist/));
  });

  it('when a name is temporary then it is known as such, and others are not', () => {
    assert.ok(isTemporaryName(temporaryName('1500')));
    assert.notEqual(temporaryName('1500'), temporaryName('1500'));
    for (const name of [
      '1500',
      '.1500',
      '1500.tmp-0123456789ab',
      '.1500.tmp-',
      '.tmp-0123456789ab',
      '.x.tmp-0123456789abc',
    ]) {
      assert.equal(isTemporaryName(name), false, name);
    }
  });
});
