/** What holds for every tensor file and every manifest, and for whatever damage is done to them. */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type FileDigest,
  formatManifest,
  MANIFEST,
  type Manifest,
  MODEL,
  readManifest,
  TRAINING,
} from '../../src/checkpoint/manifest.ts';
import {
  type DType,
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
  type Safetensors,
} from '../../src/checkpoint/safetensors.ts';
import { CharloomError } from '../../src/errors.ts';

// What the failed assertion said belongs into the report, where the seed and the counterexample are; and looking
// for a smaller one has to end.
fc.configureGlobal({ includeErrorInReport: true, interruptAfterTimeLimit: 20_000 });

/** How the header describes a tensor. */
interface Entry {
  dtype: DType;
  shape: number[];
  data_offsets: number[];
}

const isBadData = (error: unknown) => {
  assert.ok(error instanceof CharloomError, `${error}`);
  assert.equal(error.code, 'BAD_DATA');
  return true;
};

const ARRAYS = { F64: Float64Array, F32: Float32Array, U32: Uint32Array, I32: Int32Array, U8: Uint8Array };
const DTYPES = Object.keys(ARRAYS) as DType[];

/** Any string: halves of surrogate pairs, control characters, and what objects have without being asked. */
const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.array(fc.nat(0xffff), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '__metadata__',
    'dtype',
    '1',
    '"',
    '\\',
    '\u2028',
    '',
  ),
);

/** Which names a tensor may have, said in another way than the code does. */
const isUsable = (name: string) =>
  name.length >= 1 &&
  name.length <= 256 &&
  name !== '__metadata__' &&
  Buffer.from(name).toString() === name &&
  [...name].every((character) => character >= ' ' && !(character >= '\x7f' && character <= '\x9f'));

const usableName = anyString.filter(isUsable);

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** Sizes of 0 to 5 in up to eight dimensions, none included, of a few dozen elements at most. */
const anyShape = fc
  .oneof(
    { weight: 3, arbitrary: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }) },
    fc.array(fc.nat(2), { maxLength: 8 }),
  )
  .filter((shape) => product(shape) <= 30);

/** Elements of any bits, NaNs of every kind among them, also in the middle of a larger array. */
const anyTensor: fc.Arbitrary<SafeTensor> = fc
  .record({ dtype: fc.constantFrom(...DTYPES), shape: anyShape, before: fc.nat(2) })
  .chain(({ dtype, shape, before }) => {
    const type = ARRAYS[dtype];
    const length = (before + product(shape)) * type.BYTES_PER_ELEMENT;
    // Shrinking them would take minutes, and what they are is hardly ever the reason of a failure.
    return fc
      .noShrink(fc.uint8Array({ minLength: length, maxLength: length }))
      .map((bytes) => ({ dtype, shape, data: new type(bytes.slice().buffer).subarray(before) }));
  });

const anyTensors = fc
  .uniqueArray(fc.tuple(usableName, anyTensor), { selector: ([name]) => name, maxLength: 5 })
  .map((entries) => new Map(entries));

const anyMetadata = fc
  .array(fc.tuple(anyString, anyString), { maxLength: 3 })
  .map((entries) => new Map(entries));

const anyFile = fc
  .tuple(anyTensors, anyMetadata)
  .map(([tensors, metadata]) => Buffer.concat(encodeSafetensors(tensors, metadata)));

const read = (bytes: Uint8Array) => decodeSafetensors(bytes, 'model.safetensors');
const refuses = (bytes: Uint8Array) => assert.throws(() => read(bytes), isBadData);

const bytesOf = ({ data }: SafeTensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** What was read, in an order of its own, with every bit of the data. */
const plain = ({ tensors, metadata }: Safetensors) => ({
  tensors: [...tensors]
    .map(([name, tensor]) => [name, tensor.dtype, tensor.shape, tensor.data.constructor, bytesOf(tensor)])
    .sort(),
  metadata: [...metadata].sort(),
});

/** The entries of a header: an object would treat `__proto__` as no other name. */
type Header = [name: string, value: unknown][];

const tensorsOf = (header: Header) =>
  header.filter(([name]) => name !== '__metadata__') as [name: string, Entry][];

/** The header of a file, and what follows it. */
function open(bytes: Buffer): { header: Header; data: Buffer } {
  const end = 8 + Number(bytes.readBigUInt64LE());
  const json = bytes.subarray(8, end);
  assert.ok(isUtf8(json));
  return { header: Object.entries(JSON.parse(json.toString())), data: bytes.subarray(end) };
}

function close(header: Header, data: Buffer): Buffer {
  const entries = header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = Buffer.from(`{${entries}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

describe('safetensors: for all tensors and metadata', () => {
  it('what is written is read again: names, types, shapes, metadata, and every bit of the data', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const bytes = Buffer.concat(encodeSafetensors(tensors, metadata));
        assert.deepEqual(plain(read(bytes)), plain({ tensors, metadata }));
      }),
      { numRuns: 200 },
    );
  });

  it('the order in which they are given is without effect, and the data of each is aligned', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const bytes = Buffer.concat(encodeSafetensors(tensors, metadata));
        const reversed = encodeSafetensors(new Map([...tensors].reverse()), new Map([...metadata].reverse()));
        assert.ok(bytes.equals(Buffer.concat(reversed)));
        const { header, data } = open(bytes);
        assert.equal((bytes.length - data.length) % 8, 0, 'the data begins at a multiple of 8');
        for (const [name, { dtype, data_offsets }] of tensorsOf(header)) {
          assert.equal(data_offsets[0]! % ARRAYS[dtype].BYTES_PER_ELEMENT, 0, name);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('a name is refused if and only if it cannot be one, in writing and in reading', () => {
    const data = Uint8Array.of(7);
    const longName = fc.string({ unit: 'grapheme-ascii', minLength: 255, maxLength: 258 });
    fc.assert(
      fc.property(fc.oneof(anyString, longName), (name) => {
        const encode = () => encodeSafetensors(new Map([[name, { dtype: 'U8', shape: [1], data }]]));
        const file = close([[name, { dtype: 'U8', shape: [1], data_offsets: [0, 1] }]], Buffer.from(data));
        if (isUsable(name)) {
          assert.deepEqual([...read(Buffer.concat(encode())).tensors.keys()], [name]);
          assert.deepEqual([...read(file).tensors.keys()], [name]);
        } else {
          assert.throws(encode, RangeError);
          refuses(file);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('safetensors: for all damage', () => {
  it('a file that ends too early, wherever, is bad data', () => {
    fc.assert(
      fc.property(anyFile, (file) => {
        for (let length = 0; length < file.length; length++) refuses(file.subarray(0, length));
      }),
      { numRuns: 30 },
    );
  });

  it('a header of any other length than its own is bad data', () => {
    const anyLength = fc.oneof(
      fc.bigInt({ min: -40n, max: 40n }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    );
    fc.assert(
      fc.property(anyFile, anyLength, (file, change) => {
        const own = file.readBigUInt64LE();
        const other = BigInt.asUintN(64, own + change);
        fc.pre(other !== own);
        const changed = Buffer.from(file);
        changed.writeBigUInt64LE(other);
        refuses(changed);
      }),
      { numRuns: 500 },
    );
  });

  it('with any bytes changed it is read in full or bad data', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyFile, changes, fc.boolean(), (file, places, inHeader) => {
        const changed = Buffer.from(file);
        const length = inHeader ? 8 + Number(file.readBigUInt64LE()) : file.length;
        for (const [place, byte] of places) changed[place % length] = byte;
        readInFull(changed);
      }),
      { numRuns: 1000 },
    );
  });

  it('with another header it is read in full if and only if the header is sound, else it is bad data', () => {
    const anyValue = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(-1, 0.5, 1e300, 2 ** 53, [2 ** 31, 2 ** 31, 0], [0, 4], ...DTYPES, 'F16'),
    );
    const anyEdit = fc.constantFrom(...Object.keys(EDITS));
    let read = 0;
    fc.assert(
      fc.property(anyFile, fc.nat(), anyEdit, fc.nat(9), anyValue, (file, which, edit, n, value) => {
        const { header, data } = open(file);
        fc.pre(header.length > 0);
        const [name, entry] = header[which % header.length]!;
        const changed: Header[number] = [name, EDITS[edit]!(entry as Entry, n, value)];
        if (edit === 'again') header.push(changed);
        else header[which % header.length] = changed;
        const sound = isSound(JSON.parse(JSON.stringify(header)), data.length);
        assert.equal(readInFull(close(header, data)), sound);
        if (sound) read++;
      }),
      { numRuns: 1500 },
    );
    assert.ok(read > 50 && read < 1450, `${read} of 1500 were read`);
  });

  /** Changes of the entry of a tensor; done to the metadata, each of them is a change as well. */
  const EDITS: Record<string, (entry: Entry, n: number, value: unknown) => unknown> = {
    again: (entry) => entry,
    entry: (_entry, _n, value) => value,
    field: (entry, _n, value) => ({ ...entry, more: value }),
    type: (entry, n) => ({ ...entry, dtype: DTYPES[n % DTYPES.length] }),
    'any type': (entry, _n, value) => ({ ...entry, dtype: value }),
    'any shape': (entry, _n, value) => ({ ...entry, shape: value }),
    ones: (entry, n) => ({ ...entry, shape: [...(entry.shape ?? []), ...new Array(n).fill(1)] }),
    negative: (entry) => ({ ...entry, shape: entry.shape?.map((size) => -size) }),
    // Begins earlier or later, and is so much larger or smaller: an overlap or a gap.
    begin: ({ dtype, shape = [], data_offsets: [begin = 0, end = 0] = [] }, n) => ({
      dtype,
      shape: [product(shape) + 4 - n],
      data_offsets: [begin + (n - 4) * (ARRAYS[dtype]?.BYTES_PER_ELEMENT ?? 1), end],
    }),
    third: (entry, n) => ({ ...entry, data_offsets: [...(entry.data_offsets ?? []), n] }),
    'any offsets': (entry, _n, value) => ({ ...entry, data_offsets: value }),
  };

  /** Whether a header is as the format says, over so many bytes of data. */
  function isSound(header: Header, dataBytes: number): boolean {
    const entries = tensorsOf(header);
    const metadata = header.find(([name]) => name === '__metadata__');
    const isText = (value: unknown) => typeof value === 'string';
    if (metadata && !(isObject(metadata[1]) && Object.values(metadata[1] as object).every(isText)))
      return false;
    const sound = entries.every(([name, entry]) => {
      if (!isUsable(name) || !isObject(entry) || Object.keys(entry).length !== 3) return false;
      const { dtype, shape, data_offsets: offsets } = entry;
      if (!DTYPES.includes(dtype) || !Array.isArray(shape) || !Array.isArray(offsets)) return false;
      if (shape.length > 8 || offsets.length !== 2 || ![...shape, ...offsets].every(isCount)) return false;
      const countable = shape.every((_, i) => Number.isSafeInteger(product(shape.slice(0, i + 1))));
      return countable && offsets[1]! - offsets[0]! === product(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
    });
    if (!sound || new Set(header.map(([name]) => name)).size < header.length) return false;
    // One after the other the tensors take up all data.
    const places = entries.map(([, entry]) => entry.data_offsets);
    places.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
    const ends = [0, ...places.map(([, end]) => end!)];
    return places.every(([begin], i) => begin === ends[i]) && ends.at(-1) === dataBytes;
  }

  /** Reads a file; what is read has to be what the header says. @returns whether it was read */
  function readInFull(bytes: Buffer): boolean {
    let content: Safetensors;
    try {
      content = read(bytes);
    } catch (error) {
      isBadData(error);
      return false;
    }
    const { header, data } = open(bytes);
    const tensors = tensorsOf(header);
    assert.deepEqual([...content.tensors.keys()].sort(), tensors.map(([name]) => name).sort());
    for (const [name, { dtype, shape, data_offsets }] of tensors) {
      const tensor = content.tensors.get(name)!;
      assert.deepEqual([tensor.dtype, tensor.shape, tensor.data.constructor], [dtype, shape, ARRAYS[dtype]]);
      assert.ok(bytesOf(tensor).equals(data.subarray(...data_offsets)), name);
    }
    return true;
  }
});

describe('the manifest of a checkpoint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'charloom-manifest-'));
  after(() => rmSync(folder, { recursive: true }));

  const readBack = (content: string | Uint8Array) => {
    writeFileSync(join(folder, MANIFEST), content);
    return readManifest(folder);
  };

  const anyCount = fc.maxSafeNat();
  const anyDigest: fc.Arbitrary<FileDigest> = fc.record(
    {
      bytes: anyCount,
      sha256: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 }),
    },
    { noNullPrototype: true },
  );
  const anyManifest: fc.Arbitrary<Manifest> = fc
    .record({
      step: anyCount,
      bestStep: fc.option(anyCount),
      model: anyDigest,
      training: anyDigest,
      // JSON has no -0: what it makes of a summary is what can be expected.
      summary: fc
        .dictionary(anyString, fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 4 })
        .map((summary): Record<string, unknown> => JSON.parse(JSON.stringify(summary))),
    })
    .map(({ step, bestStep, model, training, summary }) => ({
      step,
      bestStep,
      files: { [MODEL]: model, [TRAINING]: training },
      summary,
    }));

  it('whatever it says, what is written is read again', async () => {
    await fc.assert(
      fc.asyncProperty(anyManifest, async (manifest) => {
        assert.deepEqual(await readBack(formatManifest(manifest)), manifest);
      }),
      { numRuns: 200 },
    );
  });

  it('with any byte changed, left out or put in, it is bad data', async () => {
    await fc.assert(
      fc.asyncProperty(anyManifest, fc.nat(), fc.nat(2), fc.nat(255), async (manifest, at, how, byte) => {
        const good = Buffer.from(formatManifest(manifest));
        const place = at % good.length;
        const [rest, put] = [
          [place + 1, [byte]],
          [place + 1, []],
          [place, [byte]],
        ][how] as [number, number[]];
        const bad = Buffer.concat([good.subarray(0, place), Buffer.from(put), good.subarray(rest)]);
        fc.pre(!bad.equals(good));
        await assert.rejects(readBack(bad), isBadData);
      }),
      { numRuns: 500 },
    );
  });

  it('with another value in a field and a digest that fits, it is read if and only if the value is one', async () => {
    const anyField = fc.constantFrom('step', 'bestStep', 'files', 'summary');
    const anyValue = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 0, 0.5, 2 ** 53, {}, { [MODEL]: {} }));
    await fc.assert(
      fc.asyncProperty(anyManifest, anyField, anyValue, async (manifest, field, value) => {
        const changed = JSON.parse(JSON.stringify({ ...manifest, [field]: value }));
        const sound = isCount(changed.step) && (changed.bestStep === null || isCount(changed.bestStep));
        if (sound && field !== 'files' && isObject(changed.summary)) {
          assert.deepEqual(await readBack(formatManifest(changed)), changed);
        } else {
          await assert.rejects(readBack(formatManifest(changed)), isBadData);
        }
      }),
      { numRuns: 500 },
    );
  });
});
