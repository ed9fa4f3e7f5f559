/**
 * The safetensors format (https://huggingface.co/docs/safetensors): the length of the header as a 64-bit
 * little-endian integer, the header, and the data of all tensors, row-major and little-endian:
 *
 *     {"__metadata__": {...}, "head.bias": {"dtype": "F32", "shape": [65], "data_offsets": [0, 260]}, ...}
 *
 * Nothing in it can be executed. What is read may come from anywhere and is checked accordingly.
 */
import { CharloomError } from '../errors.ts';
import { shown } from '../fields.ts';
import { parseJsonObject } from './json.ts';

export type TensorData = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;

/** Element types by the names of the format, which has more; models of charloom do not. */
export type DType = 'F64' | 'F32' | 'U32' | 'I32' | 'U8';

/** A tensor of a file: `data` has as many elements as `shape` says, in the array type of `dtype`. */
export interface SafeTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface Safetensors {
  readonly tensors: Map<string, SafeTensor>;
  readonly metadata: Map<string, string>;
}

type ArrayType = (new (buffer: ArrayBuffer) => TensorData) & { readonly BYTES_PER_ELEMENT: number };

const ARRAY_TYPES: ReadonlyMap<string, ArrayType> = new Map<DType, ArrayType>([
  ['F64', Float64Array],
  ['F32', Float32Array],
  ['U32', Uint32Array],
  ['I32', Int32Array],
  ['U8', Uint8Array],
]);

const DTYPES = [...ARRAY_TYPES.keys()];

const LENGTH_BYTES = 8;
const ALIGNMENT = 8;
const METADATA = '__metadata__';
/** A header takes about 100 bytes per tensor. */
const MAX_HEADER_BYTES = 2 ** 20;
const MAX_DIMENSIONS = 8;
const MAX_NAME_LENGTH = 256;

/**
 * Writes a file; the same tensors give the same bytes as the library of the format gives. Tensors are ordered
 * by element type, the largest first, then by name, so that all data is aligned.
 * @returns the bytes as pieces; the tensors' own memory is among them, not copied
 * @throws RangeError if a tensor's shape and data disagree, or a name is not usable
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array[] {
  const entries: string[] = [];
  const data: Uint8Array[] = [];
  if (metadata.size > 0) {
    const fields = [...metadata]
      .sort(byName)
      .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    entries.push(`"${METADATA}":{${fields.join()}}`);
  }
  let begin = 0;
  const ordered = [...tensors].sort(
    (a, b) => DTYPES.indexOf(a[1].dtype) - DTYPES.indexOf(b[1].dtype) || byName(a, b),
  );
  for (const [name, { dtype, shape, data: elements }] of ordered) {
    if (!isName(name)) throw new RangeError(`unusable tensor name ${JSON.stringify(name)}`);
    if (elements.constructor !== ARRAY_TYPES.get(dtype)) {
      throw new RangeError(`tensor ${name} is ${dtype}, but its data a ${elements.constructor.name}`);
    }
    if (elementCount(shape) !== elements.length) {
      throw new RangeError(`tensor ${name} has ${elements.length} elements, but shape [${shape}]`);
    }
    const end = begin + elements.byteLength;
    const entry = { dtype, shape, data_offsets: [begin, end] };
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    data.push(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
    begin = end;
  }
  const json = Buffer.from(`{${entries.join()}}`);
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, LENGTH_BYTES);
  return [header, ...data];
}

/**
 * Reads a file. The tensors have memory of their own.
 * @param label names the file in errors
 * @throws CharloomError BAD_DATA if anything is not exactly as the format says
 */
export function decodeSafetensors(bytes: Uint8Array, label: string): Safetensors {
  const fail = (problem: string) =>
    new CharloomError('BAD_DATA', `${label} is not a valid safetensors file: ${problem}`);
  if (bytes.length < LENGTH_BYTES) throw fail('it is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > MAX_HEADER_BYTES) throw fail(`its header of ${headerLength} bytes is too long`);
  const dataStart = LENGTH_BYTES + headerLength;
  if (dataStart > bytes.length) throw fail('it ends within its header');
  if (bytes[LENGTH_BYTES] !== 0x7b) throw fail('its header does not start with {');
  const header = parseJsonObject(bytes.subarray(LENGTH_BYTES, dataStart), `the header of ${label}`);

  let metadata = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    try {
      if (name === METADATA) metadata = parseMetadata(value);
      else entries.push(parseEntry(name, value));
    } catch (error) {
      if (error instanceof RangeError) throw fail(error.message);
      throw error;
    }
  }

  // The data of the tensors is all there is: no gap, no overlap, nothing left over.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, SafeTensor>();
  let end = 0;
  for (const entry of entries) {
    if (entry.begin !== end)
      throw fail(`the data of ${entry.name} does not follow that of the tensor before`);
    end = entry.end;
    if (dataStart + end > bytes.length) throw fail(`it ends within the data of ${entry.name}`);
    const own = new Uint8Array(end - entry.begin);
    own.set(bytes.subarray(dataStart + entry.begin, dataStart + end));
    tensors.set(entry.name, { dtype: entry.dtype, shape: entry.shape, data: new entry.type(own.buffer) });
  }
  if (dataStart + end !== bytes.length) throw fail(`${bytes.length - dataStart - end} bytes are left over`);
  return { tensors, metadata };
}

interface Entry {
  name: string;
  dtype: DType;
  type: ArrayType;
  shape: readonly number[];
  begin: number;
  end: number;
}

/** @throws RangeError with the problem */
function parseEntry(name: string, value: unknown): Entry {
  if (!isName(name)) throw new RangeError(`unusable tensor name ${JSON.stringify(name.slice(0, 40))}`);
  const fields = fieldsOf(value);
  if (fields?.size !== 3) throw new RangeError(`the entry of ${name} has not exactly three fields`);
  const dtype = fields.get('dtype') as DType;
  const type = ARRAY_TYPES.get(dtype);
  if (!type) throw new RangeError(`element type ${shown(dtype)} of ${name} is not supported`);
  const shape = sizesOf(fields.get('shape'));
  if (!shape || shape.length > MAX_DIMENSIONS)
    throw new RangeError(`the shape of ${name} is not a list of sizes`);
  const [begin, end, ...rest] = sizesOf(fields.get('data_offsets')) ?? [];
  if (begin === undefined || end === undefined || rest.length > 0) {
    throw new RangeError(`the data_offsets of ${name} are not two offsets`);
  }
  if (end - begin !== elementCount(shape) * type.BYTES_PER_ELEMENT) {
    throw new RangeError(
      `the data of ${name} has ${end - begin} bytes, which is not what its shape [${shape}] needs`,
    );
  }
  return { name, dtype, type, shape, begin, end };
}

/** @throws RangeError with the problem */
function parseMetadata(value: unknown): Map<string, string> {
  const fields = fieldsOf(value);
  if (!fields) throw new RangeError(`its ${METADATA} is not an object`);
  const metadata = new Map<string, string>();
  for (const [key, text] of fields) {
    if (typeof text !== 'string') throw new RangeError(`its ${METADATA} has a value that is no string`);
    metadata.set(key, text);
  }
  return metadata;
}

function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map<string, unknown>(Object.entries(value));
}

function sizesOf(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.every((size) => Number.isSafeInteger(size) && size >= 0) ? value : undefined;
}

/** @throws RangeError if it is no safe integer */
function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) throw new RangeError(`shape [${shape}] has too many elements`);
  }
  return count;
}

function isName(name: string): boolean {
  return name !== METADATA && name.length <= MAX_NAME_LENGTH && /^[^\p{Control}\p{Surrogate}]+$/u.test(name);
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : Number(a[0] > b[0]);
}
