/** The catalogue of public corpora: what there is, from where, and how to tell that a download is right. */
import { fileURLToPath } from 'node:url';
import { CharloomError } from '../errors.ts';
import { type Check, checkFields, choice, integer, type Origin, orNull, positive } from '../fields.ts';
import { readSettings } from './source.ts';

/** The catalogue that comes with charloom, the same two folders up in a checkout and in the compiled build. */
export const CATALOG = fileURLToPath(new URL('../../corpora/catalog.json', import.meta.url));

/** A result that somebody published for a corpus; exactly one of the two figures is there. */
export interface PublishedResult {
  readonly model: string;
  readonly bitsPerCharacter?: number;
  /** In nats per character. */
  readonly crossEntropy?: number;
  readonly split: string;
  readonly reference: string;
}

/** One corpus; corpora/README.md describes the fields. What could not be verified is null. */
export interface CatalogEntry {
  readonly name: string;
  readonly title: string;
  readonly language: string;
  /** http or https. */
  readonly url: string;
  readonly download: 'automatic' | 'manual';
  /** Size of what `url` gives. */
  readonly bytes: number | null;
  /** SHA-256 of what `url` gives, in hexadecimal. */
  readonly sha256: string | null;
  readonly format: 'text' | 'zip' | 'tar.gz';
  /** The file in the archive that is the text; null if and only if `format` is text. */
  readonly member: string | null;
  /** Of the text itself. */
  readonly characters: number | null;
  readonly licence: string | null;
  readonly source: string;
  readonly published: readonly PublishedResult[];
  readonly notes: string;
}

const matching =
  (pattern: RegExp, what: string): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : what;

const text = matching(/^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u, 'a text without control characters');

const address: Check = (value) =>
  typeof value === 'string' && /^https?:\/\/[^\s\p{Cc}]+$/u.test(value) && URL.canParse(value)
    ? undefined
    : 'an address that begins with http:// or https://';

const count = integer(1, Number.MAX_SAFE_INTEGER);

const FIELDS: { readonly [K in keyof CatalogEntry]: Check } = {
  name: matching(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'small letters and digits, with single hyphens between them'),
  title: text,
  language: text,
  url: address,
  download: choice(['automatic', 'manual']),
  bytes: orNull(count),
  sha256: orNull(matching(/^[0-9a-f]{64}$/, '64 hexadecimal digits in small letters')),
  format: choice(['text', 'zip', 'tar.gz']),
  member: orNull(text),
  characters: orNull(count),
  licence: orNull(text),
  source: address,
  published: (value) => (Array.isArray(value) ? undefined : 'a list of results'),
  notes: text,
};

const RESULT_FIELDS = { model: text, split: text, reference: text };
const FIGURES = ['bitsPerCharacter', 'crossEntropy'] as const;
const figure = positive(1e6);

/**
 * Reads a catalogue. Every field of an entry has to be there and no other: a misspelt one is reported.
 * @throws CharloomError NO_INPUT if it cannot be read, BAD_DATA if it is not a catalogue, naming the entry
 */
export async function readCatalog(path: string = CATALOG): Promise<CatalogEntry[]> {
  const content = await readSettings(path);
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(content).toString());
  } catch (error) {
    throw new CharloomError('BAD_DATA', `the catalogue ${path} is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(values)) {
    throw new CharloomError('BAD_DATA', `the catalogue ${path} is not a list of corpora`);
  }
  const entries = values.map((value: unknown, i) => checkEntry(value, `${path}: corpus ${i + 1}`));
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw new CharloomError('BAD_DATA', `${path}: there are two corpora '${name}'`);
    names.add(name);
  }
  return entries;
}

function checkEntry(value: unknown, where: string): CatalogEntry {
  const entry = checkAll<CatalogEntry>(value, FIELDS, where);
  const fail = (what: string): never => {
    throw new CharloomError('BAD_DATA', `${where} (${entry.name}): ${what}`);
  };
  if (entry.format === 'text' && entry.member !== null) fail('a text has no member, it must be null');
  if (entry.format !== 'text' && entry.member === null) fail('the member of the archive is missing');
  if (entry.format === 'tar.gz' && entry.download === 'automatic') fail('tar.gz can only be manual');
  const published = entry.published.map((result: unknown, i) => {
    const given = FIGURES.filter((name) => typeof result === 'object' && name in (result ?? {}));
    const place = `${where}: result ${i + 1}`;
    if (given.length !== 1) {
      throw new CharloomError('BAD_DATA', `${place} must have exactly one of ${FIGURES.join(' and ')}`);
    }
    return checkAll<PublishedResult>(result, { ...RESULT_FIELDS, [given[0]!]: figure }, place);
  });
  return { ...entry, published };
}

/** `checkFields`, and none but these fields. The order of the object's own fields is kept. */
function checkAll<T extends object>(value: unknown, checks: object, where: string): T {
  const origin: Origin = { code: 'BAD_DATA', field: (name) => `${where}: ${name}` };
  checkFields<Record<string, unknown>>(value, checks as Record<string, Check>, origin);
  for (const name of Object.keys(value as object)) {
    if (!Object.hasOwn(checks, name)) {
      const names = Object.keys(checks).join(', ');
      throw new CharloomError('BAD_DATA', `${where}: there is no field '${name}'`, `the fields are ${names}`);
    }
  }
  return value as T;
}

/**
 * The corpus of this name.
 * @throws CharloomError USAGE if there is none, with the names that there are and the one that is most alike
 */
export function findEntry(catalog: readonly CatalogEntry[], name: string): CatalogEntry {
  const entry = catalog.find((candidate) => candidate.name === name);
  if (entry) return entry;
  const names = catalog.map((candidate) => candidate.name);
  const near = nearest(name.toLowerCase(), names);
  throw new CharloomError(
    'USAGE',
    `there is no corpus '${name}'${near ? `, did you mean ${near}?` : ''}`,
    names.length > 0 ? `the catalogue has ${names.join(', ')}` : 'the catalogue is empty',
  );
}

/** The best published result in bits per character (or per byte, where the notes say so), if there is any. */
export function bestBitsPerCharacter(entry: CatalogEntry): number | undefined {
  const bits = entry.published.map((result) => result.bitsPerCharacter ?? result.crossEntropy! / Math.LN2);
  return bits.length > 0 ? Math.min(...bits) : undefined;
}

/** The name that begins like `wanted` or differs from it in the fewest letters; undefined if none is near. */
function nearest(wanted: string, names: readonly string[]): string | undefined {
  const beginning = wanted && names.find((name) => name.startsWith(wanted));
  if (beginning) return beginning;
  const [closest] = names
    .map((name) => ({ name, distance: editDistance(wanted, name) }))
    .sort((a, b) => a.distance - b.distance);
  return closest && closest.distance <= 0.4 * closest.name.length ? closest.name : undefined;
}

/** Letters to insert, delete or replace to get from `a` to `b` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
  }
  return row[b.length]!;
}
