import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import { FIRST_CLUSTER_CODE, GraphemeJoiner, MAX_CLUSTER_CODE_POINTS } from '../../src/text/graphemes.ts';

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
const expected = (text: string) => Array.from(segmenter.segment(text), ({ segment }) => segment);

/** The clusters of a text that is given in pieces of these lengths (code points); the last one takes the rest. */
function join(text: string, lengths: number[]): string[] {
  const joiner = new GraphemeJoiner();
  const codePoints = Int32Array.from(text, (character) => character.codePointAt(0)!);
  const clusters: string[] = [];
  const take = (codes: Int32Array) => {
    for (const code of codes) clusters.push(joiner.clusterOf(code) ?? String.fromCodePoint(code));
  };
  let at = 0;
  for (const length of lengths) {
    take(joiner.push(codePoints.slice(at, at + length), false));
    at += length;
  }
  take(joiner.push(codePoints.slice(at), true));
  return clusters;
}

const texts: [what: string, text: string][] = [
  ['ASCII', 'The quick brown fox.\n'],
  ['CR LF', 'a\r\n\r\nb\r\r\n\n\r'],
  ['combining marks', 'e\u0301a\u0323\u0302 n\u0303\u0301\u0300o'],
  ['flags', '🇩🇪🇫🇷🇯🇵🇺🇸a🇩🇪🇫'],
  ['families joined by ZWJ', '👨‍👩‍👧‍👦👩🏽‍🚀🏳️‍🌈x👍🏿'],
  ['a ZWJ that joins nothing', 'a\u200db\u200d👩\u200d'],
  ['Hangul syllables and jamo', '한국어\u1112\u1161\u11ab\u1100\u1161가\u11a8각'],
  ['Devanagari', 'हिन्दी नमस्ते क्षत्रिय'],
  ['Thai and Arabic', 'ที่นี่ السَّلَامُ'],
  ['Chinese with variation selectors', '漢字\ufe00葛\u{e0100}，。'],
  ['a prepended mark', '\u0600\u0661a\u0600'],
  ['a mark at the start', '\u0301a'],
  ['keycaps and symbols', '1️⃣©️™x#⃣'],
];

describe('GraphemeJoiner', () => {
  for (const [what, text] of texts) {
    it(`when ${what} come in pieces then the clusters are those of the whole text, at every boundary`, () => {
      const length = [...text].length;
      for (let first = 0; first <= length; first++) {
        for (let second = 0; second <= length - first; second++) {
          assert.deepEqual(join(text, [first, second]), expected(text), `pieces of ${first}, ${second}`);
        }
      }
      assert.deepEqual(join(text, new Array<number>(length).fill(1)), expected(text), 'one by one');
    });
  }

  it('when scripts are mixed at random then the clusters are those of the whole text', () => {
    const random = new Random(2);
    const parts = texts.flatMap(([, text]) => [...text]);
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: 60 }, () => parts[random.integer(parts.length)]).join('');
      const lengths = Array.from({ length: 8 }, () => random.integer(10));
      assert.deepEqual(join(text, lengths), expected(text));
    }
  });

  it('when any code point of the first 17 bits stands among letters then the clusters are those of Intl.Segmenter', () => {
    for (let codePoint = 0; codePoint < 0x20000; codePoint += 7) {
      if (codePoint >= 0xd800 && codePoint < 0xe000) continue;
      const c = String.fromCodePoint(codePoint);
      const text = `a${c}${c}©${c}가${c}漢`;
      assert.deepEqual(join(text, []), expected(text), codePoint.toString(16));
    }
  });

  it('when a run without certain boundaries is longer than one look then nothing is lost', () => {
    const text = 'e\u0301'.repeat(3 * MAX_CLUSTER_CODE_POINTS);
    assert.deepEqual(join(text, [100, 5000]), expected(text));
  });

  it('when a cluster is new then it gets the next code, and keeps it', () => {
    const joiner = new GraphemeJoiner();
    const codePoints = Int32Array.from('e\u0301a\u0301e\u0301x', (character) => character.codePointAt(0)!);
    assert.deepEqual(
      [...joiner.push(codePoints, true)],
      [FIRST_CLUSTER_CODE, FIRST_CLUSTER_CODE + 1, FIRST_CLUSTER_CODE, 120],
    );
  });

  it('when a cluster is absurdly long then it is refused as bad data, however it is cut', () => {
    const longest = `a${'\u0301'.repeat(MAX_CLUSTER_CODE_POINTS - 1)}`;
    for (const lengths of [[], [10], [MAX_CLUSTER_CODE_POINTS], [MAX_CLUSTER_CODE_POINTS + 1]]) {
      assert.deepEqual(join(`${longest}b`, lengths), [longest, 'b']);
      for (const end of ['', 'b', 'bbb']) {
        assert.throws(
          () => join(`${longest}\u0301${end}`, lengths),
          (error) => error instanceof CharloomError && error.code === 'BAD_DATA',
        );
      }
    }
  });
});
