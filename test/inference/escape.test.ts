/** Symbols that a model does not know come back, those at the borders of the classes of code points above all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArithmeticDecoder, ArithmeticEncoder } from '../../src/inference/arithmetic-coder.ts';
import { decodeEscape, encodeEscape } from '../../src/inference/escape.ts';
import type { Unit } from '../../src/text/symbol-reader.ts';

const BORDERS = [
  ...[0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff],
  ...[0xdc80, 0xdcff], // bytes that are not UTF-8
];

/** All symbols, one after the other, through the coder. @returns how many bytes it took */
function roundTrip(symbols: readonly string[], unit: Unit): number {
  const encoder = new ArithmeticEncoder();
  for (const symbol of symbols) encodeEscape(encoder, symbol, unit);
  const bytes = encoder.finish().slice();
  const decoder = new ArithmeticDecoder(bytes, 'file');
  assert.deepEqual(
    symbols.map(() => decodeEscape(decoder, unit)),
    symbols,
  );
  decoder.finish();
  return bytes.length;
}

describe('an unknown symbol', () => {
  const characters = BORDERS.map((codePoint) => String.fromCodePoint(codePoint));

  for (const unit of ['character', 'grapheme'] as const) {
    it(`comes back if it is the first or the last of its class of code points: ${unit}`, () => {
      for (const character of characters) roundTrip([character], unit);
      roundTrip(characters, unit);
    });
  }

  it('comes back if it is a byte', () => {
    roundTrip(
      Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)),
      'byte',
    );
  });

  it('comes back if it is a cluster of several code points', () => {
    roundTrip(['e\u0301', 'e', '\u{1f1e9}\u{1f1ea}', `a${'\u0301'.repeat(20)}`, '\udc80'], 'grapheme');
  });

  it('is written as it always was: files of earlier versions have to be read', () => {
    const encoder = new ArithmeticEncoder();
    for (const character of characters) encodeEscape(encoder, character, 'grapheme');
    assert.equal(
      Buffer.from(encoder.finish()).toString('hex'),
      '33479db242061ce7d644f86d18a100f3c8b02dbf960ca57832',
    );
  });

  it('takes as many bits as there are symbols of its class, and log₂ 5 for the class', () => {
    for (const [character, count] of [
      ['x', 0x80],
      ['é', 0x800 - 0x80],
      ['漢', 0x10000 - 0x800],
      ['\u{1f600}', 0x100000],
      ['\udcff', 0x80],
    ] as const) {
      const ideal = (1000 * Math.log2(5 * count)) / 8;
      const size = roundTrip(new Array<string>(1000).fill(character), 'character');
      assert.ok(Math.abs(size - ideal) < 2, `${size} bytes, expected ${ideal}`);
    }
  });
});
