/**
 * What the corpus generators share: the seeded random numbers, the command line and the writing.
 *
 * A generator is a pure function from a source of random numbers to an endless sequence of pieces (a line, or
 * one number of a series). A script hands it to `runWhenMain`, which prints whole pieces until the size that
 * was asked for is reached. The same seed and size always give the same bytes.
 *
 * The random numbers are not those of src/random.ts: a generated corpus must stay the same when the program
 * changes, and this folder is also published without src/.
 */

import { realpathSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** A source of uniformly distributed numbers in [0, 1). */
export type Random = () => number;

/** What the command line of a generator asks for. */
export interface Options {
  /** The text has at least this many characters (Unicode code points); it ends with a whole piece. */
  readonly characters: number;
  readonly seed: number;
  readonly help: boolean;
}

/** What a generator script is made of. */
export interface TextGenerator {
  /** The name in the usage line, for example `reber`. */
  readonly name: string;
  /** Endless pieces of text, without what ends them. */
  readonly pieces: (random: Random) => Iterable<string>;
  /** Follows every piece: a line feed, or a space for a series of numbers. */
  readonly end: string;
}

/** The command line does not fit; the message says which part. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DEFAULT_CHARACTERS = 200_000;
const DEFAULT_SEED = 1;
const TWO_TO_32 = 2 ** 32;

/**
 * The generator sfc32 ("small fast counter", 128 bits of state) by Chris Doty-Humphrey, from PractRand,
 * http://pracrand.sourceforge.net/. Seeded with one number as there: a = 0, b and c the low and the high 32 bits
 * of the seed, counter = 1, and twelve outputs dropped.
 *
 * @param seed an integer from 0 to 2^53 - 1
 */
export function sfc32(seed: number): Random {
  const next = sfc32Words(0, seed >>> 0, Math.floor(seed / TWO_TO_32), 12);
  return () => next() / TWO_TO_32;
}

/** The 32-bit outputs of sfc32 for three words of seed, after the first `dropped` ones. */
export function sfc32Words(a: number, b: number, c: number, dropped: number): () => number {
  let counter = 1;
  const next = (): number => {
    const output = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + output) >>> 0;
    return output;
  };
  for (let i = 0; i < dropped; i++) next();
  return next;
}

/** A uniformly distributed integer from `low` to `high`, both included. */
export function integer(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** One of the items, each equally likely. */
export function choose<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[integer(random, 0, items.length - 1)];
  if (item === undefined) throw new RangeError('choose needs at least one item');
  return item;
}

/** The length in Unicode code points, which is what `wc -m` counts. */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Whole pieces, each followed by `end`, until they add up to `characters` code points or more. */
export function* takeCharacters(
  pieces: Iterable<string>,
  end: string,
  characters: number,
): Generator<string> {
  let taken = 0;
  if (taken >= characters) return;
  for (const piece of pieces) {
    const text = piece + end;
    taken += countCharacters(text);
    yield text;
    if (taken >= characters) return;
  }
}

/** Reads `--characters`, `--seed` and `--help`; throws a UsageError for anything else. */
export function parseOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        characters: { type: 'string', short: 'c', default: String(DEFAULT_CHARACTERS) },
        seed: { type: 'string', short: 's', default: String(DEFAULT_SEED) },
        help: { type: 'boolean', short: 'h', default: false },
      },
      strict: true,
      allowPositionals: false,
    });
    return {
      characters: parseInteger('--characters', values.characters, 1),
      seed: parseInteger('--seed', values.seed, 0),
      help: values.help,
    };
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Error)) throw error;
    // parseArgs explains itself in two sentences; the first says what is wrong.
    throw new UsageError(error.message.split('. ')[0] ?? error.message);
  }
}

function parseInteger(option: string, text: string, least: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`${option} takes an integer of at least ${least}, not '${text}'`);
  }
  return value;
}

/**
 * Runs the generator if its module is the script that was started, and does nothing if it was imported.
 * Exit code 0, or 2 for a wrong command line, or 74 where the output cannot be written.
 *
 * @param moduleUrl the `import.meta.url` of the script
 */
export async function runWhenMain(moduleUrl: string, generator: TextGenerator): Promise<void> {
  const script = process.argv[1];
  if (script === undefined || realpathSync(script) !== realpathSync(fileURLToPath(moduleUrl))) return;

  const usage = `usage: npx tsx corpora/generate/${generator.name}.ts [--characters N] [--seed N] > FILE`;
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${generator.name}: ${error.message}\n${usage}\n`);
    process.exitCode = 2;
    return;
  }
  if (options.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }

  const pieces = generator.pieces(sfc32(options.seed));
  try {
    await pipeline(
      Readable.from(chunks(takeCharacters(pieces, generator.end, options.characters))),
      process.stdout,
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The reader has seen enough (as in `| head`): that is no failure.
    if (code === 'EPIPE') return;
    process.stderr.write(`${generator.name}: cannot write the text: ${message}\n`);
    process.exitCode = 74;
  }
}

/** Joins small pieces, because one write for each would be slow. */
function* chunks(pieces: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const piece of pieces) {
    chunk += piece;
    if (chunk.length >= 65_536) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
