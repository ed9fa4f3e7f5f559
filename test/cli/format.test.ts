/** How numbers look to people. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bytes, count, progress } from '../../src/cli/terminal/format.ts';

it('counts have three digits at most, and the zeros that are part of them', () => {
  const expected = {
    0: '0',
    12.4: '12',
    512: '512',
    1000: '1k',
    8123: '8.12k',
    30000: '30k',
    240000: '240k',
    999600: '1M',
    1234567: '1.23M',
    200000000: '200M',
    3000000000: '3G',
  };
  for (const [value, text] of Object.entries(expected)) assert.equal(count(Number(value)), text);
});

it('shows how far a work is, what is left only where the total is known', () => {
  assert.deepEqual(progress(300e6, 1e9, 2, bytes), ['300.0 MB of 1.0 GB', '150.0 MB/s', '5s left']);
  assert.deepEqual(progress(300e6, undefined, 2, bytes), ['300.0 MB', '150.0 MB/s']);
});
