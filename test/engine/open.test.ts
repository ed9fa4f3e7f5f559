/** Opening engines by the names of `--device`. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { it } from 'node:test';
import { openEngine } from '../../src/engine/open.ts';

const loaded = (): string[] =>
  Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('node_modules/gpu.js/'));

it('gpu loads nothing of gpu.js where there is no GPU', {
  skip: process.platform !== 'linux' && 'only on Linux can the drivers be hidden',
}, async () => {
  Object.assign(process.env, { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' });
  await assert.rejects(openEngine('gpu'), { code: 'UNAVAILABLE' });
  assert.deepEqual(loaded(), []);
  await (await openEngine('gpu.js:cpu')).close();
  assert.notDeepEqual(loaded(), [], 'this test sees what is loaded');
});
