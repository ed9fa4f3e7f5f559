/** Arrays of symbol ids: one, two or four bytes each, whatever the vocabulary needs. */

export type Ids = Uint8Array | Uint16Array | Uint32Array;

/** Bytes of an id in the smallest array type that holds ids below `size`. */
export function bytesPerId(size: number): 1 | 2 | 4 {
  if (size <= 2 ** 8) return 1;
  return size <= 2 ** 16 ? 2 : 4;
}

/** Zeros, in the smallest array type that holds ids below `size`. */
export function newIds(size: number, length: number): Ids {
  const width = bytesPerId(size);
  if (width === 1) return new Uint8Array(length);
  return width === 2 ? new Uint16Array(length) : new Uint32Array(length);
}
