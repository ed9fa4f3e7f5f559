/** What errors tell people to type. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { shellWord } from '../src/errors.ts';

describe('a path in a hint', () => {
  for (const plain of ['runs/book', './a-b_c.d', 'runs/信', '/x=1,2:3@4%5+6']) {
    it(`stays as it is where a shell takes it so: ${plain}`, () => assert.equal(shellWord(plain), plain));
  }

  for (const odd of ['a b', "it's", '$HOME', '*', 'a;b', 'x\ty', '🎉 "q"', '!1', '']) {
    it(`comes back from a shell: ${JSON.stringify(odd)}`, {
      skip: process.platform === 'win32' && 'its shell has other rules',
    }, () => {
      const { stdout } = spawnSync('sh', ['-c', `printf %s ${shellWord(odd)}`], { encoding: 'utf8' });
      assert.equal(stdout, odd);
    });
  }
});
