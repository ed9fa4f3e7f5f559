/** Code points to grapheme clusters (Unicode Standard Annex #29), piece by piece. */
import { CharloomError } from '../errors.ts';

/** No sane text has longer clusters: Unicode's stream-safe format allows 30 combining marks. */
export const MAX_CLUSTER_CODE_POINTS = 1024;

/** The first code of a cluster of several code points; smaller codes are code points. */
export const FIRST_CLUSTER_CODE = 0x110000;

/** Clusters that are remembered where their codes need not be the same for long. */
const MOST_CLUSTERS = 2 ** 16;

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/**
 * Ranges of code points that join nothing but a neighbour outside these ranges: between two of them there is
 * always a boundary (save CR LF).
 */
const STANDALONE_RANGES: readonly (readonly [first: number, last: number])[] = [
  [0x0000, 0x02ff], // Latin
  [0x0370, 0x0482], // Greek, Cyrillic
  [0x048a, 0x0559], // Cyrillic, Armenian
  [0x05d0, 0x05ea], // Hebrew letters
  [0x0620, 0x064a], // Arabic letters
  [0x1e00, 0x1fff], // Latin, Greek
  [0x2010, 0x2027], // dashes, quotation marks
  [0x2070, 0x20cf], // superscripts, currency signs
  [0x3000, 0x3029], // ideographic punctuation
  [0x3040, 0x3096], // kana
  [0x309b, 0xa000], // kana, bopomofo, ideographs
  [0xac00, 0xd7a3], // Hangul syllables
  [0xff01, 0xff9d], // full-width forms
];

const STANDALONE = new Uint8Array(0x10000);
for (const [first, last] of STANDALONE_RANGES) STANDALONE.fill(1, first, last + 1);

/**
 * Joins code points into clusters. A cluster of one code point is that number; longer ones are numbered from
 * `FIRST_CLUSTER_CODE` on, in order of appearance.
 */
export class GraphemeJoiner {
  /** Of the text, for error messages. */
  name = 'the text';
  readonly #lossless: boolean;
  readonly #segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
  readonly #codes = new Map<string, number>();
  readonly #clusters: string[] = [];
  /** Code points held back: what comes next may belong to the cluster they start. */
  #pending = new Int32Array(0);

  /**
   * @param options.lossless no cluster is refused: one that is too long is cut. The codes that `push` returns are valid until
   *   the next call, and memory stays bounded.
   */
  constructor({ lossless = false }: { lossless?: boolean } = {}) {
    this.#lossless = lossless;
  }

  /** The text of a cluster with this code, or undefined if it is a code point. */
  clusterOf(code: number): string | undefined {
    return this.#clusters[code - FIRST_CLUSTER_CODE];
  }

  /**
   * @param codePoints the next piece of the text
   * @param last whether the text ends here: nothing is held back then
   * @returns the codes of the clusters that are complete
   * @throws CharloomError BAD_DATA at a cluster of more than `MAX_CLUSTER_CODE_POINTS`
   */
  push(codePoints: Int32Array, last: boolean): Int32Array {
    if (this.#lossless && this.#clusters.length > MOST_CLUSTERS) {
      this.#codes.clear();
      this.#clusters.length = 0;
    }
    const input = new Int32Array(this.#pending.length + codePoints.length);
    input.set(this.#pending);
    input.set(codePoints, this.#pending.length);
    const codes = new Int32Array(input.length);
    let count = 0;
    let at = 0; // always a boundary
    while (at < input.length) {
      // Ordinary text: one code point, one cluster. The segmenter is far slower.
      if (boundaryAfter(input, at, last)) {
        codes[count++] = input[at++]!;
        continue;
      }
      const limit = Math.min(input.length, at + MAX_CLUSTER_CODE_POINTS + 1);
      let end = at + 1;
      while (end < limit && !boundaryAfter(input, end - 1, last)) end++;
      const run = this.#segment(input.subarray(at, end));
      // What follows may belong to the last cluster: look at it again, with what follows.
      if (!boundaryAfter(input, end - 1, last)) run.pop();
      if (run.length === 0 && end === input.length && end < at + MAX_CLUSTER_CODE_POINTS + 1) break;
      if (run.length === 0 || codePointLength(run[0]!) > MAX_CLUSTER_CODE_POINTS) {
        if (!this.#lossless) throw tooLong(this.name);
        run.splice(0, 1, String.fromCodePoint(...input.subarray(at, at + MAX_CLUSTER_CODE_POINTS)));
      }
      for (const cluster of run) {
        const length = codePointLength(cluster);
        codes[count++] = length === 1 ? input[at]! : this.#codeOf(cluster);
        at += length;
      }
    }
    this.#pending = input.slice(at);
    return codes.subarray(0, count);
  }

  #segment(codePoints: Int32Array): string[] {
    const text = String.fromCodePoint(...codePoints);
    return Array.from(this.#segmenter.segment(text), ({ segment }) => segment);
  }

  #codeOf(cluster: string): number {
    let code = this.#codes.get(cluster);
    if (code === undefined) {
      code = FIRST_CLUSTER_CODE + this.#clusters.length;
      this.#codes.set(cluster, code);
      this.#clusters.push(cluster);
    }
    return code;
  }
}

/** Whether there is certainly a boundary after `at`. (False says nothing.) */
function boundaryAfter(codePoints: Int32Array, at: number, last: boolean): boolean {
  if (at + 1 === codePoints.length) return last;
  const left = codePoints[at]!;
  const right = codePoints[at + 1]!;
  return (
    STANDALONE[left] === 1 && STANDALONE[right] === 1 && !(left === CARRIAGE_RETURN && right === LINE_FEED)
  );
}

function codePointLength(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function tooLong(name: string): CharloomError {
  return new CharloomError(
    'BAD_DATA',
    `${name} has a grapheme cluster of more than ${MAX_CLUSTER_CODE_POINTS} code points`,
    'train on its code points with --unit character',
  );
}
