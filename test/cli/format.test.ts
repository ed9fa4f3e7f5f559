/** How numbers look to people. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { count } from '../../src/cli/terminal/format.ts';

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
