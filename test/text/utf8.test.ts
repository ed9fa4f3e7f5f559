import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import { Utf8Decoder } from '../../src/text/utf8.ts';

/** Table 3-7 of the Unicode Standard: well-formed UTF-8, as a pattern over bytes written as U+0000 to U+00FF. */
const WELL_FORMED = new RegExp(
  [
    '[\\x00-\\x7f]',
    '[\\xc2-\\xdf][\\x80-\\xbf]',
    '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]',
    '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
    '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}',
    '[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}',
  ].join('|'),
  'y',
);

/** Offset of the first byte that starts no well-formed sequence; -1 if there is none. */
function naiveInvalidOffset(bytes: Uint8Array): number {
  const text = Buffer.from(bytes).toString('latin1');
  let at = 0;
  while (at < text.length) {
    WELL_FORMED.lastIndex = at;
    if (!WELL_FORMED.test(text)) return at;
    at = WELL_FORMED.lastIndex;
  }
  return -1;
}

/** Decodes in pieces of `size` bytes: the text, or the offset in the error. */
function decode(bytes: Uint8Array, size: number): string | number {
  const decoder = new Utf8Decoder('text');
  const codePoints = new Int32Array(size);
  let text = '';
  try {
    for (let at = 0; at < bytes.length; at += size) {
      const count = decoder.push(bytes.subarray(at, at + size), codePoints);
      for (const codePoint of codePoints.subarray(0, count)) text += String.fromCodePoint(codePoint);
    }
    decoder.end(codePoints);
    return text;
  } catch (error) {
    assert.ok(error instanceof CharloomError && error.code === 'BAD_DATA', String(error));
    return Number(/byte offset (\d+)/.exec(error.message)?.[1]);
  }
}

describe('Utf8Decoder: valid text', () => {
  it('when the text has sequences of one to four bytes then it is decoded alike at every piece size', () => {
    const text = 'aé\u07ff\u0800漢\ud7ff\ue000\uffff\u{10000}😀\u{10ffff}\0\r\nz';
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size++) assert.equal(decode(bytes, size), text);
  });

  it('when every code point of Unicode is given then every one comes back', () => {
    const decoder = new Utf8Decoder('text');
    const out = new Int32Array(4);
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint += codePoint < 0x3000 ? 1 : 13) {
      if ((codePoint >= 0xd800 && codePoint < 0xe000) || codePoint === 0xfeff) continue;
      assert.equal(decoder.push(Buffer.from(String.fromCodePoint(codePoint)), out), 1);
      assert.equal(out[0], codePoint);
    }
  });

  it('when the text starts with a byte order mark then it is dropped, once, and only there', () => {
    const bytes = Buffer.from('\ufeff\ufeffa\ufeff');
    for (let size = 1; size <= bytes.length; size++) assert.equal(decode(bytes, size), '\ufeffa\ufeff');
    assert.equal(decode(Buffer.from('\ufeff'), 8), '');
  });
});

describe('Utf8Decoder: invalid text', () => {
  const invalid: [what: string, bytes: number[], offset: number][] = [
    ['a lone continuation byte', [0x61, 0x80, 0x62], 1],
    ['a byte that never occurs (ff)', [0x61, 0x62, 0xff], 2],
    ['the lead of an overlong pair (c0)', [0xc0, 0x80], 0],
    ['the lead of an overlong pair (c1)', [0x61, 0xc1, 0xbf], 1],
    ['an overlong triple', [0x61, 0xe0, 0x9f, 0xbf], 1],
    ['an overlong quadruple', [0x61, 0xf0, 0x8f, 0xbf, 0xbf], 1],
    ['a high surrogate', [0x61, 0x61, 0xed, 0xa0, 0x80], 2],
    ['a low surrogate', [0xed, 0xbf, 0xbf], 0],
    ['a code point above U+10FFFF', [0x61, 0xf4, 0x90, 0x80, 0x80], 1],
    ['a lead byte above f4', [0xf5, 0x80, 0x80, 0x80], 0],
    ['a pair that ends too early', [0x61, 0xc3, 0x61], 1],
    ['a triple that ends too early', [0x61, 0xe6, 0xbc, 0x61], 1],
    ['a quadruple that ends too early', [0xf0, 0x9f, 0x98, 0x61], 0],
    ['a pair cut off by the end', [0x61, 0x61, 0xc3], 2],
    ['a triple cut off by the end', [0x61, 0xe6, 0xbc], 1],
    ['a quadruple cut off by the end', [0x61, 0x61, 0xf0, 0x9f, 0x98], 2],
    ['an error after a byte order mark', [0xef, 0xbb, 0xbf, 0x61, 0xff], 4],
    ['a lead byte after a lead byte', [0xe6, 0xe6, 0xbc, 0xa2], 0],
  ];
  for (const [what, bytes, offset] of invalid) {
    it(`when there is ${what} then the error tells offset ${offset}, at every piece size`, () => {
      assert.equal(naiveInvalidOffset(Uint8Array.from(bytes)), offset);
      for (let size = 1; size <= bytes.length; size++) {
        assert.equal(decode(Uint8Array.from(bytes), size), offset);
      }
    });
  }

  it('when the bytes are random then the verdict and the offset are those of a naive validator', () => {
    const random = new Random(1);
    const letters = ['a', 'é', '漢', '😀', '\u07ff', '\ue000'];
    for (let round = 0; round < 20_000; round++) {
      let text = '';
      for (let i = random.integer(5); i >= 0; i--) text += letters[random.integer(letters.length)];
      const bytes = Buffer.from(text);
      for (let i = random.integer(3); i > 0; i--) bytes[random.integer(bytes.length)] = random.integer(256);
      if (bytes.indexOf('\ufeff') === 0) continue;
      const offset = naiveInvalidOffset(bytes);
      assert.equal(decode(bytes, 1 + random.integer(6)), offset === -1 ? bytes.toString() : offset);
    }
  });

  it('when the text looks like UTF-16 then the hint says so', () => {
    const error = assertThrows(() =>
      new Utf8Decoder('a.txt').push(Buffer.from('\ufeffab', 'utf16le'), new Int32Array(8)),
    );
    assert.match(error.message, /^a\.txt is not valid UTF-8/);
    assert.match(error.hint, /UTF-16/);
  });
});

function assertThrows(run: () => unknown): CharloomError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CharloomError);
    return error;
  }
  return assert.fail('nothing was thrown');
}
