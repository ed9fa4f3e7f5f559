import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from '../../src/checkpoint/safetensors.ts';
import { CharloomError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';

const tensors = new Map<string, SafeTensor>([
  ['head.bias', { dtype: 'F32', shape: [3], data: Float32Array.of(1.5, -2, 0) }],
  ['embedding.weight', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) }],
  ['moments', { dtype: 'F64', shape: [1, 1], data: Float64Array.of(1e300) }],
  ['generator', { dtype: 'U32', shape: [4], data: Uint32Array.of(1, 2, 3, 4294967295) }],
  ['position', { dtype: 'I32', shape: [], data: Int32Array.of(-7) }],
  ['empty', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
  ['bytes', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
]);
const metadata = new Map([['format', 'pt']]);

/**
 * The same tensors, written by the library of the format:
 *
 *     import numpy as np; from safetensors.numpy import save
 *     save({'head.bias': np.array([1.5, -2, 0], np.float32),
 *           'embedding.weight': np.arange(6, dtype=np.float32).reshape(2, 3),
 *           'moments': np.array([[1e300]]), 'generator': np.array([1, 2, 3, 2**32 - 1], np.uint32),
 *           'position': np.array(-7, np.int32), 'empty': np.zeros((0, 4), np.float32),
 *           'bytes': np.array([1, 2, 3], np.uint8)}, metadata={'format': 'pt'})
 */
const official = Buffer.from(
  '2AEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJtb21lbnRzIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlsxLDFdLCJkYXRh' +
    'X29mZnNldHMiOlswLDhdfSwiZW1iZWRkaW5nLndlaWdodCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwzXSwiZGF0YV9vZmZzZXRzIjpbOCwz' +
    'Ml19LCJlbXB0eSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMCw0XSwiZGF0YV9vZmZzZXRzIjpbMzIsMzJdfSwiaGVhZC5iaWFzIjp7ImR0eXBl' +
    'IjoiRjMyIiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbMzIsNDRdfSwiZ2VuZXJhdG9yIjp7ImR0eXBlIjoiVTMyIiwic2hhcGUiOls0XSwi' +
    'ZGF0YV9vZmZzZXRzIjpbNDQsNjBdfSwicG9zaXRpb24iOnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6W10sImRhdGFfb2Zmc2V0cyI6WzYwLDY0XX0s' +
    'ImJ5dGVzIjp7ImR0eXBlIjoiVTgiLCJzaGFwZSI6WzNdLCJkYXRhX29mZnNldHMiOls2NCw2N119fSAgnHUAiDzkN34AAAAAAACAPwAAAEAAAEBA' +
    'AACAQAAAoEAAAMA/AAAAwAAAAAABAAAAAgAAAAMAAAD/////+f///wECAw==',
  'base64',
);

const refuses = (bytes: Uint8Array, problem?: RegExp) =>
  assert.throws(
    () => decodeSafetensors(bytes, 'model.safetensors'),
    (error) => {
      assert.ok(error instanceof CharloomError, String(error));
      assert.equal(error.code, 'BAD_DATA');
      assert.match(error.message, /model\.safetensors/);
      if (problem) assert.match(error.message, problem);
      return true;
    },
  );

/** A file with this header (text, or an object) and so many bytes of data. */
function file(header: string | object, dataBytes: number, headerLength?: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength ?? json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

describe('encodeSafetensors', () => {
  it('when tensors are written then the bytes are those of the library of the format', () => {
    assert.deepEqual(Buffer.concat(encodeSafetensors(tensors, metadata)), official);
  });

  it('when there is no metadata then the header does not speak of it', () => {
    const [header] = encodeSafetensors(new Map());
    assert.equal(Buffer.from(header!.subarray(8)).toString(), '{}      ');
  });

  it('when tensors come in another order then the bytes are the same', () => {
    const reversed = new Map([...tensors].reverse());
    assert.deepEqual(Buffer.concat(encodeSafetensors(reversed, metadata)), official);
  });

  it('when the data is part of a larger buffer then only that part is written', () => {
    const data = Float32Array.of(9, 9, 1, 2, 9).subarray(2, 4);
    const bytes = Buffer.concat(encodeSafetensors(new Map([['a', { dtype: 'F32', shape: [2], data }]])));
    assert.deepEqual(decodeSafetensors(bytes, 'x').tensors.get('a')!.data, Float32Array.of(1, 2));
  });

  it('when shape, type or name do not fit then a RangeError says so', () => {
    const data = new Float32Array(4);
    const bad: [string, SafeTensor][] = [
      ['a', { dtype: 'F32', shape: [3], data }],
      ['a', { dtype: 'F64', shape: [4], data }],
      ['', { dtype: 'F32', shape: [4], data }],
      ['a\nb', { dtype: 'F32', shape: [4], data }],
      ['__metadata__', { dtype: 'F32', shape: [4], data }],
      ['a'.repeat(257), { dtype: 'F32', shape: [4], data }],
    ];
    for (const entry of bad) assert.throws(() => encodeSafetensors(new Map([entry])), RangeError);
  });
});

describe('decodeSafetensors: good files', () => {
  it('when a file of the library of the format is read then everything is there', () => {
    const read = decodeSafetensors(official, 'x');
    assert.deepEqual(new Map([...read.tensors].sort()), new Map([...tensors].sort()));
    assert.deepEqual(read.metadata, metadata);
  });

  it('when the bytes lie anywhere in memory then they are read, into memory of their own', () => {
    const shifted = new Uint8Array(official.length + 3);
    shifted.set(official, 3);
    const bytes = shifted.subarray(3);
    const { tensors: read } = decodeSafetensors(bytes, 'x');
    bytes.fill(0);
    assert.deepEqual(read.get('moments')!.data, Float64Array.of(1e300));
  });

  it('when there is no tensor at all then there is none', () => {
    assert.equal(decodeSafetensors(Buffer.concat(encodeSafetensors(new Map())), 'x').tensors.size, 0);
    assert.equal(decodeSafetensors(file('{}', 0), 'x').tensors.size, 0);
  });

  it('when the header lists tensors in another order than their data then they are found', () => {
    const header = {
      b: { dtype: 'U8', shape: [1], data_offsets: [2, 3] },
      a: { dtype: 'U8', shape: [2], data_offsets: [0, 2] },
    };
    assert.equal(decodeSafetensors(file(header, 3), 'x').tensors.get('b')!.data.length, 1);
  });

  it('when names are those of object properties then they are names like any other', () => {
    const data = Float32Array.of(1);
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '1'];
    const odd = new Map(
      names.map((name): [string, SafeTensor] => [name, { dtype: 'F32', shape: [1], data }]),
    );
    const pieces = encodeSafetensors(odd, new Map([['__proto__', 'polluted']]));
    const read = decodeSafetensors(Buffer.concat(pieces), 'x');
    assert.deepEqual([...read.tensors.keys()].sort(), names.sort());
    assert.equal(read.metadata.get('__proto__'), 'polluted');
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
    assert.equal(({} as Record<string, unknown>).dtype, undefined);
  });
});

describe('decodeSafetensors: damaged files', () => {
  it('when a file is cut off anywhere then it is refused', () => {
    for (let length = 0; length < official.length; length++) refuses(official.subarray(0, length));
  });

  it('when bytes are appended then it is refused', () => {
    refuses(Buffer.concat([official, Buffer.alloc(1)]), /1 bytes are left over/);
  });

  it('when any bit is flipped then it is read or refused, but nothing else is thrown', () => {
    let refused = 0;
    for (let bit = 0; bit < official.length * 8; bit++) {
      const damaged = Buffer.from(official);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        decodeSafetensors(damaged, 'model.safetensors');
      } catch (error) {
        assert.ok(error instanceof CharloomError && error.code === 'BAD_DATA', `bit ${bit}: ${error}`);
        refused++;
      }
    }
    assert.ok(refused > 2000, `${refused}`);
  });

  it('when bytes are changed at random then it is read or refused, but nothing else is thrown', () => {
    const random = new Random(3);
    const interesting = Buffer.from('"{}[]:,0-9.eE\\\0 \x7f\xff', 'latin1');
    for (let round = 0; round < 5000; round++) {
      const damaged = Buffer.from(official);
      for (let i = random.integer(4); i >= 0; i--) {
        damaged[random.integer(480)] = interesting[random.integer(interesting.length)]!;
      }
      try {
        decodeSafetensors(damaged, 'model.safetensors');
      } catch (error) {
        assert.ok(error instanceof CharloomError && error.code === 'BAD_DATA', `${error}`);
      }
    }
  });
});

describe('decodeSafetensors: hostile files', () => {
  const f32 = (shape: unknown, begin: unknown, end: unknown) => ({
    dtype: 'F32',
    shape,
    data_offsets: [begin, end],
  });
  const hostile: [what: string, bytes: Uint8Array, problem: RegExp][] = [
    ['no bytes', Buffer.alloc(0), /too short/],
    ['a header of 2⁶⁴ - 1 bytes', Buffer.alloc(16, 0xff), /too long/],
    ['a header of 2⁶³ bytes', file('{}', 0).fill(0, 0, 7).fill(0x80, 7, 8), /too long/],
    ['a header of 2 MiB', file(`{}${' '.repeat(2 ** 21)}`, 0), /too long/],
    ['a header longer than the file', file('{}', 0, 3), /ends within its header/],
    ['a header of 0 bytes', file('', 4), /does not start with \{/],
    ['a header that is an array', file('[]', 0), /does not start with \{/],
    ['a space before the header', file(' {}', 0), /does not start with \{/],
    ['a header that is not JSON', file('{"a"', 0), /not valid JSON/],
    ['two JSON values', file('{}{}', 0), /not valid JSON/],
    ['zeros after the header', file('{}\0\0', 0), /not valid JSON/],
    ['a header that is not UTF-8', file('{"?":1}', 0).fill(0xff, 10, 11), /not valid UTF-8/],
    ['very deep nesting', file(`{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`, 0), /nested too deeply/],
    [
      'a name twice',
      file(`{"a":${JSON.stringify(f32([1], 0, 4))},"a":${JSON.stringify(f32([1], 0, 4))}}`, 4),
      /"a" twice/,
    ],
    ['a name twice, once escaped', file('{"a":1,"\\u0061":2}', 0), /"a" twice/],
    [
      'a field twice',
      file('{"a":{"dtype":"F32","dtype":"U8","shape":[],"data_offsets":[0,4]}}', 4),
      /"dtype" twice/,
    ],
    ['__proto__ twice', file('{"__proto__":{},"__proto__":{}}', 0), /twice/],
    ['an empty name', file({ '': f32([1], 0, 4) }, 4), /unusable tensor name/],
    ['a line break in a name', file({ 'a\nb': f32([1], 0, 4) }, 4), /unusable tensor name/],
    [
      'half a surrogate pair in a name',
      file('{"\\ud800":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
      /unusable/,
    ],
    ['a name that is too long', file({ [`${'n'.repeat(300)}`]: f32([1], 0, 4) }, 4), /unusable tensor name/],
    ['an entry that is null', file({ a: null }, 0), /three fields/],
    ['an entry that is an array', file({ a: ['F32', [], [0, 4]] }, 4), /three fields/],
    ['an entry without shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /three fields/],
    ['a field too many', file({ a: { ...f32([1], 0, 4), url: 'x' } }, 4), /three fields/],
    ['a wrong field', file({ a: { dtype: 'F32', shape: [1], offsets: [0, 4] } }, 4), /data_offsets/],
    [
      'an unknown element type',
      file({ a: { dtype: 'F99', shape: [1], data_offsets: [0, 4] } }, 4),
      /"F99".*not supported/,
    ],
    [
      'a half precision type',
      file({ a: { dtype: 'F16', shape: [2], data_offsets: [0, 4] } }, 4),
      /"F16".*not supported/,
    ],
    [
      'a type that is a property',
      file({ a: { dtype: 'constructor', shape: [1], data_offsets: [0, 4] } }, 4),
      /not supported/,
    ],
    [
      'a type that is no string',
      file({ a: { dtype: ['F32'], shape: [1], data_offsets: [0, 4] } }, 4),
      /not supported/,
    ],
    ['a negative size', file({ a: f32([-1, -1], 0, 4) }, 4), /not a list of sizes/],
    ['a size that is no integer', file({ a: f32([0.5, 2], 0, 4) }, 4), /not a list of sizes/],
    ['a size as a string', file({ a: f32(['1'], 0, 4) }, 4), /not a list of sizes/],
    ['a shape that is a number', file({ a: f32(1, 0, 4) }, 4), /not a list of sizes/],
    [
      'a size of 1e300',
      file('{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}', 4),
      /not a list of sizes/,
    ],
    ['nine dimensions', file({ a: f32([1, 1, 1, 1, 1, 1, 1, 1, 1], 0, 4) }, 4), /not a list of sizes/],
    [
      'sizes whose product overflows',
      file({ a: f32([2 ** 31, 2 ** 31, 2 ** 31], 0, 0) }, 0),
      /too many elements/,
    ],
    [
      'sizes whose product overflows to 0',
      file({ a: f32([2 ** 52, 2 ** 52, 0], 0, 0) }, 0),
      /too many elements/,
    ],
    ['a shape larger than the data', file({ a: f32([2], 0, 4) }, 4), /has 4 bytes/],
    ['a shape smaller than the data', file({ a: f32([1], 0, 8) }, 8), /has 8 bytes/],
    ['offsets the wrong way round', file({ a: f32([1], 4, 0) }, 4), /has -4 bytes/],
    ['negative offsets', file({ a: f32([1], -4, 0) }, 4), /not two offsets/],
    [
      'three offsets',
      file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 4] } }, 4),
      /not two offsets/,
    ],
    ['offsets as strings', file({ a: f32([1], '0', '4') }, 4), /not two offsets/],
    ['offsets beyond the file', file({ a: f32([2 ** 40], 0, 2 ** 42) }, 4), /ends within the data of a/],
    [
      'offsets above 2⁵³',
      file('{"a":{"dtype":"U8","shape":[4],"data_offsets":[9007199254740992,9007199254740996]}}', 4),
      /offsets/,
    ],
    ['a gap at the start', file({ a: f32([1], 4, 8) }, 8), /does not follow/],
    ['a gap in the middle', file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /data of b does not follow/],
    ['an overlap', file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /data of b does not follow/],
    [
      'two tensors on the same data',
      file({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4),
      /data of b does not follow/,
    ],
    [
      'an empty tensor within another',
      file({ a: f32([2], 0, 8), b: f32([0], 4, 4) }, 8),
      /data of b does not follow/,
    ],
    ['data that no tensor has', file({ a: f32([1], 0, 4) }, 8), /4 bytes are left over/],
    ['data without tensors', file('{}', 1), /1 bytes are left over/],
    ['metadata that is a number', file({ __metadata__: 1 }, 0), /not an object/],
    ['metadata that is an array', file({ __metadata__: ['a'] }, 0), /not an object/],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }, 0), /no string/],
    ['nested metadata', file({ __metadata__: { a: { b: 'c' } } }, 0), /no string/],
  ];
  for (const [what, bytes, problem] of hostile) {
    it(`when it has ${what} then it is refused, with the reason`, () => refuses(bytes, problem));
  }
});
