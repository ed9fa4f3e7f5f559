import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FEATURES, FeatureReader, MOST } from '../../src/analysis/features.ts';
import { Random } from '../../src/random.ts';
import type { SymbolText } from '../../src/text/symbol-text.ts';
import { textOf } from './text-of.ts';

/** A feature of every symbol of a text; at most 9, as one digit each. */
function digits(name: string, text: SymbolText | string): string {
  const read = typeof text === 'string' ? textOf(text) : text;
  const values = new FeatureReader(read).next(read.length)[FEATURES.findIndex((own) => own.name === name)]!;
  return [...values].map((value) => Math.min(9, value)).join('');
}

describe('the features of a text', () => {
  const cases: [feature: string, text: string, expected: string][] = [
    ['quotes', 'a "b c" d "e', '001111000011'],
    ['quotes', '"a\\"b\\\\" c', '1111111000'],
    ['quotes', '“a「b」c”d', '11111100'],
    ['quotes', '"a\n\nb', '11100'],
    ['quotes', '」a', '00'],
    ['brackets', 'a(b[c]d)e)(', '01122110001'],
    ['brackets', '《a》（', '1101'],
    ['line-position', 'ab\ncd\n\n', '1201200'],
    ['line-remaining', 'ab\ncd\n\nef', '102100210'],
    ['line-break', 'ab\n\n', '0011'],
    ['line-break', '([{《)]}》"“”«」.!?\\,é7', '0'.repeat(20)],
    ['paragraph-line', 'a\nb\n\n \nc\nd', '0112000011'],
    ['indentation', '  a b\n\tc', '12222011'],
    ['sentence-position', 'Hi. Yo!a。b', '1201230101'],
    ['word', "it's 7漢。 é", '1101011001'],
    ['word', '([{《)]}》"“”«」.!?\\,', '0'.repeat(18)],
    ['word-position', 'ab cd1', '120123'],
    ['space', 'a b\t\n', '01010'],
    ['space', '([{《)]}》"“”«」.!?\\,', '0'.repeat(18)],
    ['vowel', 'aBeÉy漢w', '1011100'],
    ['capital', 'aBÉß', '0110'],
    ['digit', '1a٣½', '1010'],
    ['punctuation', 'a,b!。+', '010110'],
    ['cjk-punctuation', ',。、「！a　', '0111100'],
  ];
  for (const [feature, text, expected] of cases) {
    it(`${feature} of ${JSON.stringify(text)}`, () => assert.equal(digits(feature, text), expected));
  }

  it('are all 0 for bytes beyond ASCII, and those of the first character of a cluster', () => {
    const bytes = textOf(['\xe9', 'E', '\xc9'], 'byte');
    for (const name of ['word', 'vowel', 'capital']) assert.equal(digits(name, bytes), '010');
    const clusters = textOf(['e\u0301', '\r\n', '👨\u200d👩'], 'grapheme');
    assert.equal(digits('vowel', clusters), '100');
    assert.equal(digits('line-break', clusters), '010');
  });

  it('are the same however many symbols are read at once', () => {
    const random = new Random(2);
    const alphabet = [...'ab E1"()\\.。\n'];
    const text = textOf(Array.from({ length: 2000 }, () => alphabet[random.integer(alphabet.length)]!));
    const whole = new FeatureReader(text).next(text.length);
    const reader = new FeatureReader(text);
    const pieces = FEATURES.map((): number[] => []);
    for (let left = text.length; left > 0; ) {
      const count = Math.min(left, 1 + random.integer(99));
      left -= count;
      reader.next(count).forEach((values, f) => {
        pieces[f]!.push(...values);
      });
    }
    assert.deepEqual(
      pieces,
      whole.map((values) => [...values]),
    );
  });

  it('do not go beyond their bound, in a line of any length', () => {
    const text = textOf('a'.repeat(1000));
    const values = new FeatureReader(text).next(1000);
    const feature = (name: string) => values[FEATURES.findIndex((own) => own.name === name)]!;
    assert.equal(feature('line-position').at(-1), MOST);
    assert.equal(feature('line-remaining')[0], MOST);
    assert.equal(feature('line-remaining').at(-1), 0);
    assert.equal(feature('line-remaining').at(-5), 4);
  });
});
