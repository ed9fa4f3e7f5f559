import assert from 'node:assert/strict';
import fs, { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { TemporaryFile } from '../../src/text/temporary-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-temporary-'));
after(() => rmSync(folder, { recursive: true }));

/** Makes the next file one that keeps its name while it is open. */
function withoutUnlink(t: TestContext): void {
  const unlink = t.mock.method(fs, 'unlinkSync');
  unlink.mock.mockImplementationOnce(() => {
    throw Object.assign(new Error('busy'), { code: 'EBUSY' });
  });
  syncBuiltinESMExports();
  t.after(() => {
    unlink.mock.restore();
    syncBuiltinESMExports();
  });
}

describe('TemporaryFile', () => {
  it('when bytes are appended then they can be read at any place', () => {
    const file = new TemporaryFile(folder);
    file.append(Uint8Array.of(1, 2, 3));
    file.append(Uint8Array.of(4, 5));
    assert.equal(file.bytes, 5);
    const bytes = new Uint8Array(3);
    file.read(1, bytes);
    assert.deepEqual([...bytes], [2, 3, 4]);
    assert.throws(() => file.read(3, bytes), /ends too early/);
    file.append(Uint8Array.of(6));
    file.read(3, bytes);
    assert.deepEqual([...bytes], [4, 5, 6]);
    file.close();
    file.close();
    assert.throws(() => file.read(0, bytes));
  });

  it('when it is open then it has no name that a killed process could leave behind', {
    skip: process.platform === 'win32',
  }, () => {
    const file = new TemporaryFile(folder);
    assert.deepEqual(readdirSync(folder), []);
    file.close();
  });

  it('when open files keep their names then only the owner may read it, and it goes when it is closed', (t) => {
    withoutUnlink(t);
    const listeners = process.listenerCount('exit');
    const file = new TemporaryFile(folder);
    const [name] = readdirSync(folder);
    if (process.platform !== 'win32') assert.equal(statSync(join(folder, name!)).mode & 0o777, 0o600);
    assert.equal(process.listenerCount('exit'), listeners + 1);
    file.close();
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(process.listenerCount('exit'), listeners);
  });

  it('when open files keep their names and the process ends then the file goes', (t) => {
    withoutUnlink(t);
    const file = new TemporaryFile(folder);
    const path = join(folder, readdirSync(folder)[0]!);
    process.listeners('exit').at(-1)!(0);
    assert.equal(existsSync(path), false);
    file.close();
  });
});
