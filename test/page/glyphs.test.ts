import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Glyphs, nameOf, visible } from '../../src/page/glyphs.ts';
import type { Unit } from '../../src/text/symbol-reader.ts';

function shown(unit: Unit, symbols: Iterable<string>): string[] {
  const glyphs = new Glyphs(unit);
  return [...symbols].map((symbol) => glyphs.next(symbol));
}

const bytes = (...values: number[]): string[] => values.map((value) => String.fromCharCode(value));
const utf8 = (text: string): string[] => bytes(...new TextEncoder().encode(text));

describe('the glyphs of a text', () => {
  it('are its characters where these can be seen', () => {
    assert.deepEqual(shown('character', 'aé漢😀 <'), ['a', 'é', '漢', '😀', ' ', '<']);
  });

  it('show what controls a terminal or a line as something that does not', () => {
    assert.deepEqual(shown('character', '\n\t\r\0\x1b\x7f\x9b\u202e\u2028\ufeff'), [
      ...['↵\n', '→   ', '␍', '␀', '␛', '␡'],
      ...['\\u{9b}', '\\u{202e}', '\\u{2028}', '\\u{feff}'],
    ]);
    assert.deepEqual(shown('grapheme', ['\r\n', '👨\u200d👩', 'a\u202e']), [
      '↵\n',
      '👨\u200d👩',
      'a\\u{202e}',
    ]);
  });

  it('of bytes have a character at its last byte, and one glyph per byte whatever comes', () => {
    assert.deepEqual(shown('byte', utf8('aé漢😀\n')), [
      'a',
      '·',
      'é',
      '·',
      '·',
      '漢',
      '·',
      '·',
      '·',
      '😀',
      '↵\n',
    ]);
    assert.deepEqual(shown('byte', utf8('\u0085')), ['·', '\\u{85}']);
    const broken = bytes(0xe6, 0x61, 0x80, 0xff, 0xc3, 0xe6, 0xbc, 0xa2, 0xf0);
    assert.deepEqual(shown('byte', broken), ['·', 'a', '\ufffd', '\ufffd', '·', '·', '·', '漢', '·']);
  });
});

describe('the name of a symbol', () => {
  it('can be seen', () => {
    assert.deepEqual(
      ['a', ' ', '\n', '\t', '\x07', '', '\u0301', '\u3000'].map((symbol) => nameOf(symbol, 'character')),
      ['a', 'space', '↵', '→', '␇', 'unknown', '◌\u0301', 'U+3000'],
    );
    assert.deepEqual(
      ['a', '\xe6', '\n'].map((symbol) => nameOf(symbol, 'byte')),
      ['a', '\\xE6', '↵'],
    );
  });
});

describe('a text made visible', () => {
  it('has pictures for control characters, numbers for other invisible ones, and keeps what emoji need', () => {
    assert.equal(visible('a\0\n\t\x7f\u0085\u202e\u2028b'), 'a␀␊␉␡\\u{85}\\u{202e}\\u{2028}b');
    assert.equal(visible('a\n\tb', '\n\t'), 'a\n\tb');
    assert.equal(visible('👩\u200d👧 漢 é'), '👩\u200d👧 漢 é');
  });
});
