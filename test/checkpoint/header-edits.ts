/** Edits of safetensors files by somebody who knows the format: of the header, of what it describes, of the values. */
import { MODEL, TRAINING } from '../../src/checkpoint/manifest.ts';
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from '../../src/checkpoint/safetensors.ts';
import type { Random } from '../../src/random.ts';
import {
  ALL,
  DEEP,
  type Expectation,
  type Json,
  LONG,
  type Mutation,
  NESTED,
  NONE,
  parse,
  pick,
  RESUME,
  readersOf,
  resealed,
  STATE,
  utf8,
} from './damage.ts';
import type { Change, FileName, TinyRun } from './tiny-run.ts';

type TensorFile = typeof MODEL | typeof TRAINING;
type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };

const SOUND: Expectation = { refusedBy: NONE };
const LENGTH_BYTES = 8;

/** A file taken apart, to be edited and put together again. */
interface Parts {
  readonly file: TensorFile;
  readonly bytes: Uint8Array;
  readonly header: Record<string, Entry>;
  readonly data: Uint8Array;
  /** One of its tensors. */
  readonly name: string;
  readonly entry: Entry;
}

interface Edit {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly expected: Expectation;
}

/** One edit of a safetensors file, with the digest in the manifest made right again or not. */
export function editedTensors(random: Random, run: TinyRun): Mutation {
  const file = pick(random, [MODEL, TRAINING] as const);
  const bytes = run.sound.get(file)!;
  const dataStart = LENGTH_BYTES + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = parse(bytes.subarray(LENGTH_BYTES, dataStart)) as Parts['header'];
  const name = pick(random, Object.keys(header));
  const parts = { file, bytes, header, data: bytes.subarray(dataStart), name, entry: header[name]! };
  const edit = pick(random, [
    ...[malformed, malformed, malformed, unreadable, unreadable, badName, badLength, metadata, twice],
    ...[sameSize, otherShape, renamed, exchanged, oneMore, oneLess, otherGenerator, spaces, value, value],
  ])(random, parts);
  const seals = random.integer(6) > 0;
  const changes = new Map<FileName, Change>([[file, edit.bytes]]);
  if (seals) changes.set('manifest.json', resealed(run.sound.get('manifest.json')!, file, edit.bytes));
  return {
    kind: seals ? 'safetensors with their digest right' : 'safetensors',
    what: `${file}: ${edit.what}`,
    changes,
    expected: seals ? edit.expected : { refusedBy: readersOf(file) },
  };
}

/** A file of this header, as it is or as text; `length` is what it says of its length, if that is not true. */
function joined(header: Json | string, data: Uint8Array, length?: bigint): Uint8Array {
  const text = utf8(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = new Uint8Array(LENGTH_BYTES);
  new DataView(prefix.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  return Buffer.concat([prefix, text, data]);
}

/** A field of an entry that is nothing the format allows, or does not fit the other fields. */
function malformed(random: Random, { file, header, data, name, entry }: Parts): Edit {
  const [begin, end] = entry.data_offsets;
  const { shape } = entry;
  const wrong: Record<string, readonly unknown[]> = {
    dtype: ['F64', 'F16', 'BF16', 'I64', 'U8', 'f32', '', '__proto__', LONG, 1, null, [], {}, NESTED],
    shape: [
      ...[[], [0], [...shape, 0], [...shape, 2], [...shape, -1], [...shape, 0.5], [...shape, '1']],
      ...[[2 ** 53], [2 ** 32, 2 ** 32], [1e300], [...shape, ...Array(8).fill(1)], [-2, -1]],
      ...[shape.map(String), [shape], shape.length, 'x', null, true, {}, NESTED, Array(10_000).fill(1)],
    ],
    data_offsets: [
      ...[
        [begin + 4, end + 4],
        [begin, end + 4],
        [begin, end - 4],
        [begin + 1, end],
        [end, begin],
      ],
      ...[
        [-4, end - begin - 4],
        [begin, 2 ** 53],
        [2 ** 53, 2 ** 53],
        [begin, 1e300],
        [begin + 0.5, end],
      ],
      ...[[begin], [begin, end, end], [], [`${begin}`, end], [null, end], end, 'x', null, {}, NESTED],
    ],
    extra: [1, null, {}, NESTED],
  };
  const field = pick(random, [...Object.keys(wrong), 'entry', 'absent']);
  let value: unknown;
  if (field === 'entry') {
    value = pick(random, [1, null, true, 'x', [], {}, NESTED]);
    Object.assign(header, { [name]: value });
  } else if (field === 'absent') {
    value = pick(random, ['dtype', 'shape', 'data_offsets']);
    delete (entry as Json)[String(value)];
  } else {
    value = pick(random, wrong[field]!);
    Object.assign(entry, { [field]: value });
  }
  return {
    what: `${name}: ${field} ${JSON.stringify(value).slice(0, 60)}`,
    bytes: joined(header, data),
    expected: { refusedBy: readersOf(file) },
  };
}

/** What is no JSON, or says twice what may be said once. */
function unreadable(random: Random, { file, header, data, name }: Parts): Edit {
  const text = JSON.stringify(header);
  const entry = JSON.stringify(header[name]);
  const [was, is] = pick(random, [
    ['"dtype"', '"dtype":"F32","dtype"'],
    [`"${name}":`, `"${name}":${entry},"${name}":`],
    [`"${name}":`, `"__metadata__":{"a":"b","a":"c"},"${name}":`],
    ['"data_offsets":[', '"data_offsets":[NaN,'],
    ['"shape":[', pick(random, ['"shape":[1e999,', '"shape":[01,', '"shape":[,', '"shape":[Infinity,'])],
    ['"shape":[', `"shape":${DEEP},"x":[`],
    [entry, pick(random, [DEEP, '', 'nul', '{', '"', '"\u0000"'])],
    ['{', pick(random, [' {', '[', '', '{{', '\ufeff{', `${DEEP}{`])],
    ['}}', pick(random, ['}', '}}}', '}},{}', '},}', '}}\u0000', `},"a":${'{"a":'.repeat(1e5)}`])],
  ]);
  return {
    what: `${was.slice(0, 30)} becomes ${is.slice(0, 30)}`,
    bytes: joined(
      text.replace(was, () => is),
      data,
    ),
    expected: { refusedBy: readersOf(file) },
  };
}

function badName(random: Random, { file, header, data, name, entry }: Parts): Edit {
  const { [name]: _, ...others } = header;
  const bad = pick(random, ['', '\u0000', 'a\nb', '\u001b[31m', '\u009b', '\ud800', 'n'.repeat(257), LONG]);
  return {
    what: `${name} is called ${JSON.stringify(bad).slice(0, 20)}`,
    bytes: joined({ ...others, [bad]: entry }, data),
    expected: { refusedBy: readersOf(file) },
  };
}

function badLength(random: Random, { file, header, data }: Parts): Edit {
  const right = BigInt(JSON.stringify(header).length);
  const sizes = [0n, 1n, 2n ** 20n, 2n ** 20n + 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
  const length = pick(random, [...sizes, right - 1n, right + 1n, right + BigInt(data.length), right * 2n]);
  return {
    what: `its header has ${length} bytes instead of ${right}`,
    bytes: joined(header, data, length),
    expected: { refusedBy: readersOf(file) },
  };
}

function metadata(random: Random, { file, header, data }: Parts): Edit {
  const good: Json[] = [{}, { format: 'pt' }, { constructor: 'x' }];
  const value = pick(random, [...good, ...good, { a: 1 }, { a: null }, { a: {} }, [], ['a'], 'x', 1, null]);
  return {
    what: `its __metadata__ is ${JSON.stringify(value)}`,
    bytes: joined({ __metadata__: value, ...header }, data),
    expected: good.includes(value as Json) ? SOUND : { refusedBy: readersOf(file) },
  };
}

/** The same data under two names. */
function twice(random: Random, { file, header, data, name, entry }: Parts): Edit {
  const second = pick(random, ['other', `${name}_`, '__proto__', 'constructor']);
  const text = JSON.stringify(header).replace('{', () => `{"${second}":${JSON.stringify(entry)},`);
  return {
    what: `${name} is also called ${second}`,
    bytes: joined(text, data),
    expected: { refusedBy: readersOf(file) },
  };
}

/** An element type of four bytes for another one of four bytes. */
function sameSize(random: Random, { file, header, data, name, entry }: Parts): Edit {
  const was = entry.dtype;
  const dtype = pick(
    random,
    ['F32', 'I32', 'U32'].filter((type) => type !== was),
  );
  entry.dtype = dtype;
  // Of floats that are said to be I32, everybody who reads them sees that they are none.
  const expected = dtype === 'I32' ? { refusedBy: readersOf(file) } : { refusedBy: readersOf(file) };
  return { what: `${name}: ${was} becomes ${dtype}`, bytes: joined(header, data), expected };
}

/** A shape of as many elements. */
function otherShape(random: Random, { file, header, data, name, entry }: Parts): Edit {
  const size = entry.shape.reduce((product, length) => product * length, 1);
  const was = entry.shape.join();
  const shapes = [[size], [size, 1], [1, size], [2, size / 2], [size / 2, 2], [1, 1, size]];
  const isOther = (shape: number[]) => shape.join() !== was && shape.every(Number.isInteger);
  entry.shape = pick(random, shapes.filter(isOther));
  const expected = name === 'generator' ? SOUND : { refusedBy: readersOf(file) }; // a generator has words, and no shape
  return { what: `${name}: [${was}] becomes [${entry.shape}]`, bytes: joined(header, data), expected };
}

function renamed(random: Random, { file, header, data, name }: Parts): Edit {
  const other = pick(random, ['x', `${name} `, name.toUpperCase(), 'toString', 'rnn.weight_hh_l1']);
  const text = JSON.stringify(header).replace(`"${name}":`, () => `"${other}":`);
  return {
    what: `${name} is called ${other}`,
    bytes: joined(text, data),
    expected: { refusedBy: readersOf(file) },
  };
}

/** The places of two tensors of one type and size are exchanged: their values change, and all is as it should be. */
function exchanged(random: Random, { header, data, name, entry }: Parts): Edit {
  const size = ({ data_offsets: [begin, end] }: Entry) => end - begin;
  const alike = Object.values(header).filter((e) => e.dtype === entry.dtype && size(e) === size(entry));
  const other = pick(random, alike);
  [entry.data_offsets, other.data_offsets] = [other.data_offsets, entry.data_offsets];
  // With itself: the fields come in another order.
  const { dtype, shape, data_offsets } = entry;
  Object.assign(header, { [name]: { data_offsets, shape, dtype } });
  return { what: `${name} lies elsewhere`, bytes: joined(header, data), expected: SOUND };
}

function oneMore(random: Random, { file, bytes }: Parts): Edit {
  const { tensors } = decodeSafetensors(bytes, file);
  const name = pick(random, ['x', 'constructor', '__proto__', 'rnn.weight_hh_l1', '\u202e', '☃']);
  const data = new Float32Array(random.integer(3));
  tensors.set(name, { dtype: 'F32', shape: [data.length], data });
  return {
    what: `it has a tensor ${name} of ${data.length} elements`,
    bytes: Buffer.concat(encodeSafetensors(tensors)),
    expected: file === MODEL ? { refusedBy: ALL } : { refusedBy: NONE, either: STATE },
  };
}

function oneLess(_: Random, { file, bytes, name }: Parts): Edit {
  const { tensors } = decodeSafetensors(bytes, file);
  tensors.delete(name);
  return {
    what: `it has no ${name}`,
    bytes: Buffer.concat(encodeSafetensors(tensors)),
    expected: { refusedBy: readersOf(file) },
  };
}

/** A generator that is none: of another number of words, or all of them 0. In the weights, one too many. */
function otherGenerator(random: Random, { file, bytes }: Parts): Edit {
  const { tensors } = decodeSafetensors(bytes, file);
  const words = pick(random, [0, 1, 3, 4, 5, 1000]);
  tensors.set('generator', { dtype: 'U32', shape: [words], data: new Uint32Array(words) });
  return {
    what: `a generator of ${words} zeros`,
    bytes: Buffer.concat(encodeSafetensors(tensors)),
    expected: file === MODEL ? { refusedBy: ALL } : { refusedBy: RESUME, either: ['info'] },
  };
}

/** Spaces that JSON allows. */
function spaces(random: Random, { header, data }: Parts): Edit {
  const text = pick(random, [
    `${JSON.stringify(header)}${' '.repeat(random.integer(50))}\n`,
    JSON.stringify(header, null, 1),
    JSON.stringify(header).replaceAll(':', '\t:'),
  ]);
  return { what: 'its header has other spaces', bytes: joined(text, data), expected: SOUND };
}

/** A value of a tensor: sound as long as it is finite. */
function value(random: Random, { file, bytes, name }: Parts): Edit {
  const { tensors } = decodeSafetensors(bytes, file);
  const { data } = tensors.get(name)! as SafeTensor & { data: Float32Array | Uint32Array };
  const at = random.integer(data.length);
  const bits = new Uint32Array(data.buffer);
  if (random.integer(2) === 0) bits[at]! ^= 2 ** random.integer(32);
  else bits[at] = pick(random, [0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x7f7fffff, 0x80000000, 1]);
  const finite = data instanceof Uint32Array || Number.isFinite(data[at]);
  return {
    what: `${name}[${at}] = ${data[at]}`,
    bytes: Buffer.concat(encodeSafetensors(tensors)),
    expected: finite ? SOUND : { refusedBy: readersOf(file) },
  };
}
