import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import type { Unit } from '../../src/text/symbol-reader.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';

const vocabularyOf = (unit: Unit, symbols: Iterable<string>) =>
  Vocabulary.fromCounts(unit, new Map(Array.from(symbols, (symbol) => [symbol, 1])), 1);

const allBytes = () =>
  vocabularyOf(
    'byte',
    Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)),
  );

describe('Vocabulary.fromCounts', () => {
  it('when symbols are counted then they are sorted by code point and the unknown symbol is last', () => {
    // By UTF-16 code unit U+1F600 would come before U+FF01.
    const vocabulary = vocabularyOf('character', ['b', '😀', '\uff01', 'a', '漢']);
    assert.deepEqual(vocabulary.symbols, ['a', 'b', '漢', '\uff01', '😀', '']);
    assert.equal(vocabulary.unknown, 5);
    assert.equal(vocabulary.size, 6);
  });

  it('when clusters share a start then the shorter comes first', () => {
    const vocabulary = vocabularyOf('grapheme', ['e\u0301', 'f', 'e', 'e\u0300\u0301', 'e\u0300']);
    assert.deepEqual(vocabulary.symbols, ['e', 'e\u0300', 'e\u0300\u0301', 'e\u0301', 'f', '']);
  });

  it('when symbols are rarer than the minimum then they are left out', () => {
    const counts = new Map([
      ['a', 3],
      ['b', 2],
      ['c', 1],
    ]);
    assert.deepEqual(Vocabulary.fromCounts('character', counts, 2).symbols, ['a', 'b', '']);
    assert.throws(
      () => Vocabulary.fromCounts('character', counts, 4),
      (error) =>
        error instanceof CharloomError && error.code === 'BAD_DATA' && error.hint.includes('--min-count'),
    );
  });
});

describe('a vocabulary that is extended', () => {
  const counts = new Map([
    ['z', 5],
    ['b', 9],
    ['é', 2],
    ['c', 1],
  ]);

  it('keeps its ids; what it lacked follows by code point, if it occurs often enough', () => {
    const base = vocabularyOf('character', ['b', 'x']);
    const extended = base.extended(counts, 2);
    assert.deepEqual(extended.symbols, ['b', 'x', '', 'z', 'é']);
    assert.equal(extended.unknown, 2);
    assert.equal(extended.idOf('c'), 2, 'too rare');
    assert.deepEqual(extended.extended(counts, 1).symbols, ['b', 'x', '', 'z', 'é', 'c']);
    const copy = Vocabulary.parse(JSON.parse(JSON.stringify(extended)));
    assert.deepEqual([copy.symbols, copy.unknown], [extended.symbols, 2]);
    assert.equal(copy.decode(copy.encode('bzxé?').ids), 'bzxé\ufffd');
  });

  it('is the same where it lacks nothing', () => {
    const base = vocabularyOf('byte', ['a', 'b', 'c', 'z', 'é']);
    assert.deepEqual(base.extended(counts, 1), base);
  });
});

describe('Vocabulary: encode and decode', () => {
  const text = 'naïve 漢字 😀 e\u0301 🇩🇪 \r\n';
  for (const unit of ['character', 'grapheme'] as const) {
    it(`when a text of known symbols is encoded by ${unit} then decoding gives it back`, () => {
      const symbols =
        unit === 'character'
          ? text
          : Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
      const vocabulary = vocabularyOf(unit, symbols);
      const { ids, unknownCount } = vocabulary.encode(text);
      assert.equal(unknownCount, 0);
      assert.equal(ids.length, [...symbols].length);
      assert.equal(vocabulary.decode(ids), text);
      assert.deepEqual([...vocabulary.encode(Buffer.from(text)).ids], [...ids]);
    });
  }

  it('when a text is encoded by byte then the ids are its UTF-8 bytes', () => {
    const { ids, unknownCount } = allBytes().encode(text);
    assert.deepEqual([...ids], [...Buffer.from(text)]);
    assert.equal(unknownCount, 0);
    assert.equal(allBytes().decode(ids), text);
  });

  it('when symbols are unknown then they are counted, and decode to U+FFFD', () => {
    const vocabulary = vocabularyOf('character', 'ab');
    const { ids, unknownCount } = vocabulary.encode('abcä😀a');
    assert.deepEqual([...ids], [0, 1, 2, 2, 2, 0]);
    assert.equal(unknownCount, 3);
    assert.equal(vocabulary.decode(ids), 'ab\ufffd\ufffd\ufffda');
  });

  it('when the text is empty then so are the ids', () => {
    for (const unit of ['character', 'grapheme', 'byte'] as const) {
      assert.equal(vocabularyOf(unit, 'a').encode('').ids.length, 0);
      assert.equal(vocabularyOf(unit, 'a').decode([]), '');
    }
  });

  it('when bytes are not UTF-8 then the error names the text, unless the unit is byte', () => {
    assert.throws(
      () => vocabularyOf('character', 'a').encode(Uint8Array.of(0x61, 0xff), 'prompt.txt'),
      (error) => error instanceof CharloomError && /^prompt\.txt .*offset 1 /.test(error.message),
    );
    assert.deepEqual([...allBytes().encode(Uint8Array.of(0xff, 0xfe)).ids], [255, 254]);
  });

  it('when names of object properties are symbols then they are symbols like any other', () => {
    const vocabulary = vocabularyOf('grapheme', ['a', 'b']);
    assert.equal(vocabulary.idOf('constructor'), vocabulary.unknown);
    assert.equal(vocabulary.idOf('__proto__'), vocabulary.unknown);
  });

  it('when the vocabulary needs it then ids are stored in wider arrays', () => {
    const symbols = (n: number) => Array.from({ length: n }, (_, i) => String.fromCodePoint(0x20000 + i));
    for (const [n, bytes] of [
      [255, 1],
      [256, 2],
      [65_535, 2],
      [65_536, 4],
    ] as const) {
      const all = symbols(n);
      const { ids } = vocabularyOf('character', all).encode(all.join(''));
      assert.equal(ids.BYTES_PER_ELEMENT, bytes, `${n} symbols`);
      assert.deepEqual([ids[0], ids[n - 1]], [0, n - 1]);
    }
  });

  it('when an id is out of range then a RangeError says so', () => {
    assert.throws(() => vocabularyOf('character', 'a').decode([2]), RangeError);
  });
});

describe('Vocabulary.decoder', () => {
  const stream = (bytes: number[], vocabulary = allBytes()) => {
    const decoder = vocabulary.decoder();
    return [...bytes.map((byte) => decoder.push(byte)), decoder.end()];
  };

  it('when a multi-byte character comes byte by byte then it appears once it is complete', () => {
    assert.deepEqual(stream([...Buffer.from('é😀a')]), ['', 'é', '', '', '', '😀', 'a', '']);
  });

  it('when bytes are invalid then U+FFFD is shown where the sequence breaks', () => {
    assert.deepEqual(stream([0x61, 0xff, 0x62]), ['a', '\ufffd', 'b', '']);
    assert.deepEqual(stream([0xc3, 0x61]), ['', '\ufffda', '']);
    assert.deepEqual(stream([0xf0, 0x9f]), ['', '', '\ufffd']);
  });

  it('when the unknown byte interrupts a sequence then both show as U+FFFD and what follows is unharmed', () => {
    const vocabulary = allBytes();
    assert.deepEqual(stream([0xc3, vocabulary.unknown, 0xc3, 0xa9], vocabulary), [
      '',
      '\ufffd\ufffd',
      '',
      'é',
      '',
    ]);
  });

  it('when a byte order mark is generated then it is kept', () => {
    assert.equal(stream([0xef, 0xbb, 0xbf, 0x61]).join(''), '\ufeffa');
  });

  it('when bytes are random then streaming gives what decoding the whole gives', () => {
    const bytes = Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) % 256);
    assert.equal(
      stream(bytes).join(''),
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes)),
    );
  });
});

describe('Vocabulary.parse', () => {
  it('when written as JSON and parsed then it is the same vocabulary', () => {
    for (const vocabulary of [
      vocabularyOf('character', 'a"\\\u2028\0😀'),
      vocabularyOf('grapheme', ['e\u0301', '👨‍👩‍👧']),
      allBytes(),
    ]) {
      const copy = Vocabulary.parse(JSON.parse(JSON.stringify(vocabulary)));
      assert.deepEqual(copy.toJSON(), vocabulary.toJSON());
      assert.deepEqual(copy.encode('ae\u0301😀z').ids, vocabulary.encode('ae\u0301😀z').ids);
    }
  });

  const good = { unit: 'character', symbols: ['a', 'b', ''], unknown: 2 };
  const bad: [what: string, json: unknown][] = [
    ['null', null],
    ['a string', 'vocabulary'],
    ['an array', [good]],
    ['an empty object', {}],
    ['another unit', { ...good, unit: 'word' }],
    ['a unit that is a property of objects', { ...good, unit: 'constructor' }],
    ['no unit', { symbols: good.symbols, unknown: 2 }],
    ['symbols that are no array', { ...good, symbols: { 0: 'a', 1: '', length: 2 } }],
    ['no symbols', { ...good, symbols: [] }],
    ['only the unknown symbol', { ...good, symbols: [''], unknown: 0 }],
    ['a number as a symbol', { ...good, symbols: ['a', 1, ''] }],
    ['null as a symbol', { ...good, symbols: ['a', null, ''] }],
    ['a symbol twice', { ...good, symbols: ['a', 'a', ''] }],
    ['two unknown symbols', { ...good, symbols: ['a', '', ''] }],
    ['no unknown symbol', { ...good, symbols: ['a', 'b', 'c'] }],
    ['unknown elsewhere', { ...good, unknown: 1 }],
    ['unknown out of range', { ...good, unknown: 3 }],
    ['unknown as a string', { ...good, unknown: '2' }],
    ['unknown missing', { unit: 'character', symbols: good.symbols }],
    ['a symbol of two characters', { ...good, symbols: ['a', 'bc', ''] }],
    ['half a surrogate pair', { ...good, symbols: ['a', '\ud83d', ''] }],
    ['half a surrogate pair in a cluster', { ...good, unit: 'grapheme', symbols: ['a', 'b\ud83d', ''] }],
    ['a cluster that is too long', { ...good, unit: 'grapheme', symbols: ['a', 'b'.repeat(2049), ''] }],
    ['a byte above 255', { ...good, unit: 'byte', symbols: ['a', '\u0100', ''] }],
    ['a byte of two characters', { ...good, unit: 'byte', symbols: ['a', 'bc', ''] }],
    ['a field too many', { ...good, extra: 1 }],
    ['a field too many with a name that is longer than a line', { ...good, ['x'.repeat(1e4)]: 1 }],
    ['a __proto__ field', JSON.parse('{"__proto__": {"unit": "byte"}, "symbols": ["a", ""], "unknown": 1}')],
    ['far too many symbols', { ...good, symbols: new Array(2 ** 21 + 2).fill('a') }],
  ];
  for (const [what, json] of bad) {
    it(`when it has ${what} then it is refused as bad data`, () => {
      assert.throws(
        () => Vocabulary.parse(json),
        (error) => error instanceof CharloomError && error.code === 'BAD_DATA' && error.message.length < 200,
      );
    });
  }
});
