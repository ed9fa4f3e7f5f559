import type { IdSequence } from '../../src/text/id-sequence.ts';

/** All ids of a sequence. */
export function idsIn(sequence: IdSequence): number[] {
  const ids = new Int32Array(sequence.length);
  sequence.read(0, ids);
  return [...ids];
}
