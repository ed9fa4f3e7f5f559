import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StopFilter } from '../../src/inference/stop-filter.ts';
import { Random } from '../../src/random.ts';

/** The text up to the stop string, cut into the given pieces. */
function filtered(stop: string, pieces: readonly string[]): { text: string; found: boolean } {
  const filter = new StopFilter(stop);
  let text = '';
  for (const piece of pieces) text += filter.push(piece);
  return { text: text + filter.end(), found: filter.found };
}

describe('the stop filter', () => {
  it('ends the text before the stop string, however it is cut', () => {
    assert.deepEqual(filtered('END', ['to the EN', 'D and on']), { text: 'to the ', found: true });
    assert.deepEqual(filtered('END', [...'to the END']), { text: 'to the ', found: true });
  });

  it('gives back what only looked like the stop string', () => {
    assert.deepEqual(filtered('END', [...'EEN EN']), { text: 'EEN EN', found: false });
    assert.deepEqual(filtered('aab', [...'aaab']), { text: 'a', found: true });
  });

  it('passes everything on at once without a stop string', () => {
    const filter = new StopFilter('');
    assert.equal(filter.push('abc'), 'abc');
    assert.equal(filter.found, false);
  });

  it('agrees with a search in the whole text, on random texts and cuts', () => {
    const random = new Random(3);
    const letters = (n: number): string => Array.from({ length: n }, () => 'ab'[random.integer(2)]).join('');
    for (let n = 0; n < 2000; n++) {
      const stop = letters(1 + random.integer(4));
      const text = letters(random.integer(20));
      const pieces: string[] = [];
      for (let at = 0; at < text.length; ) {
        const size = 1 + random.integer(4);
        pieces.push(text.slice(at, at + size));
        at += size;
      }
      const at = text.indexOf(stop);
      const expected = { text: at < 0 ? text : text.slice(0, at), found: at >= 0 };
      assert.deepEqual(filtered(stop, pieces), expected, `${stop} in ${pieces.join('|')}`);
    }
  });
});
