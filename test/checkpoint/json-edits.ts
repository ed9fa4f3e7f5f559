/** Edits of the JSON files of a run: what a field may be instead, and what it can never be. */
import type { Random } from '../../src/random.ts';
import {
  ALL,
  BEST,
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
  STATE,
  sealed,
  TEXT,
  utf8,
} from './damage.ts';
import type { Command, TinyRun } from './tiny-run.ts';

interface Field {
  /** The keys that lead to it. */
  readonly path: string;
  /** What it can never be: all who read it refuse it, and also if it is not there. */
  readonly wrong: readonly unknown[];
  /** What it could be in a run that is another one, and what comes of that in this one. */
  readonly other: readonly (readonly [value: unknown, expected: Expectation])[];
  readonly readers: readonly Command[];
}

const SOUND: Expectation = { refusedBy: NONE };
const REFUSED: Expectation = { refusedBy: ALL };
/** `info --verify` does not ask whether a state fits the text, but it might. */
const UNFIT: Expectation = { refusedBy: RESUME, either: ['info'] };
const NO_TEXT_THERE: Expectation = { refusedBy: TEXT, missing: true };
const NO_BEST_THERE: Expectation = { refusedBy: BEST, missing: true };

const NOT_A_NUMBER = ['1', '', LONG, true, [], {}, NESTED];
const NOT_AN_AMOUNT = [...NOT_A_NUMBER, -1, -1e-300];
const NOT_A_COUNT = [...NOT_A_NUMBER, -1, 0.5, 1e300, 2 ** 53];
const NOT_A_TEXT = [1, true, [], {}, NESTED, null];
const NOT_A_CHOICE = [...NOT_A_TEXT, '', 'x', LONG, '__proto__', 'constructor'];
const NOT_AN_OBJECT = [1, true, 'x', LONG, []];
const NOT_A_LIST = [1, true, 'x', {}, NESTED, null];

const each = (expected: Expectation, ...values: readonly unknown[]): Field['other'] =>
  values.map((value) => [value, expected]);
const fine = (...values: readonly unknown[]) => each(SOUND, ...values);

const field = (
  path: string,
  wrong: readonly unknown[],
  other: Field['other'] = [],
  readers = ALL,
): Field => ({
  path,
  wrong,
  other,
  readers,
});
const count = (path: string, wrong: readonly unknown[], other?: Field['other'], readers?: typeof ALL) =>
  field(path, [...NOT_A_COUNT, null, ...wrong], other, readers);
const amount = (path: string, wrong: readonly unknown[], other?: Field['other'], readers?: typeof ALL) =>
  field(path, [...NOT_AN_AMOUNT, null, ...wrong], other, readers);
const section = (path: string) => field(path, [...NOT_AN_OBJECT, {}, NESTED, null]);

/** A figure of a checkpoint, which `sample` and `eval` do not look at. */
const figure = (name: string) => amount(`summary/${name}`, [], fine(0, 0.5, Number.MAX_VALUE), STATE);
const figureOrNull = (name: string) =>
  field(`summary/${name}`, NOT_AN_AMOUNT, fine(0.5, Number.MAX_VALUE, null), STATE);
const figuresOrNull = (name: string) =>
  field(`summary/${name}`, [...NOT_AN_OBJECT, {}, NESTED], fine(null), STATE);

/** The entry of a file in the manifest; who does not read that file does not look at it. */
const digest = (name: string, refusedBy: readonly Command[]): Field[] => [
  section(`files/${name}`),
  count(`files/${name}/bytes`, [], each({ refusedBy }, 0, 1, 2 ** 53 - 1)),
  field(
    `files/${name}/sha256`,
    [...NOT_A_CHOICE, '0'.repeat(63), 'F'.repeat(64)],
    each({ refusedBy }, '0'.repeat(64)),
  ),
];

const MANIFEST = [
  field('format', [...NOT_A_CHOICE, 'safetensors']),
  count('version', [1, 3]),
  count('step', [], each(REFUSED, 0, 7, 9, 2 ** 53 - 1)), // the name of the folder says another
  field('bestStep', NOT_A_COUNT, [...fine(null), ...each(NO_BEST_THERE, 0, 7, 2 ** 53 - 1)]),
  section('files'),
  ...digest('model.safetensors', ALL),
  ...digest('training.safetensors', STATE),
  field('summary', [...NOT_AN_OBJECT, null], each({ refusedBy: STATE }, {}, NESTED)),
  count('summary/epoch', [], fine(5, 2 ** 53 - 1), STATE),
  // The text has 224 windows.
  count('summary/window', [], [...fine(0, 223), ...each(UNFIT, 224, 2 ** 53 - 1)], STATE),
  count('summary/rollbacks', [], fine(1, 2 ** 53 - 1), STATE),
  figure('seconds'),
  figureOrNull('runningLoss'),
  figuresOrNull('best'),
  count('summary/best/step', [], fine(0, 7), STATE),
  figure('best/crossEntropy'),
  figuresOrNull('validation'),
  count('summary/validation/step', [], fine(0, 7), STATE),
  figure('validation/crossEntropy'),
  figure('validation/bitsPerCharacter'),
  figureOrNull('validation/perplexity'),
  figureOrNull('validation/trainingLoss'),
];

/** Allowed, but larger than any memory. */
const LARGEST_MODEL = {
  ...{ cell: 'lstm', activation: 'tanh', layers: 64, hidden: 16384, embedding: 16384 },
  ...{ vocabulary: 3, dropout: 0 },
};

const CONFIG = [
  count('format', [0, 2]),
  ...['charloom', 'created', 'preset', 'engine', 'files/0/name'].map((path) =>
    field(path, NOT_A_TEXT, fine('', 'x', '\u001b[31m')),
  ),
  field('device', NOT_A_TEXT, each({ refusedBy: NONE, either: RESUME }, 'x')),
  field('files', NOT_A_LIST, each({ refusedBy: TEXT }, [])),
  section('files/0'),
  field('files/0/path', NOT_A_TEXT, each(NO_TEXT_THERE, '/nowhere/text.txt', '', '-', '/', '\0')),
  count('files/0/bytes', [], fine(0, 2 ** 53 - 1)),
  field('files/0/sha256', NOT_A_TEXT, each({ refusedBy: TEXT }, '', '0'.repeat(64))),
  section('text'),
  field('text/unit', NOT_A_CHOICE, fine('byte', 'grapheme')),
  count('text/minCount', [0, 2 ** 31], fine(7)),
  field(
    'text/split',
    [...NOT_A_CHOICE, '50/50', '90/5/6', '-1/50/51', '0/50/50', 'NaN/0/100', '1e2/0/0'],
    [...fine('90/10/0', '90/4/6'), ...each({ refusedBy: ['eval'] }, '100/0/0')],
  ),
  field('model', [...NOT_AN_OBJECT, {}, NESTED, null], each(REFUSED, LARGEST_MODEL)),
  field('model/cell', [...NOT_A_CHOICE, 'LSTM'], each(REFUSED, 'gru', 'rnn')),
  field('model/activation', NOT_A_CHOICE, fine('relu')),
  count('model/layers', [0, 65], each(REFUSED, 2, 64)),
  count('model/hidden', [0, 16385], each(REFUSED, 1, 3, 16384)),
  count('model/embedding', [16385], each(REFUSED, 0, 3, 16384)),
  count('model/vocabulary', [0, 1, 2_200_001], each(REFUSED, 2, 4, 2_200_000)),
  amount('model/dropout', [1, 1e300], fine(0, 0.999)),
  section('training'),
  count('training/batchSize', [0, 65537], each({ refusedBy: STATE }, 1, 3, 65536)),
  count('training/sequenceLength', [0, 65537], [...fine(2), ...each(UNFIT, 65536)]),
  ...['epochs', 'minutes', 'decayAfter', 'clipNorm'].map((name) =>
    amount(`training/${name}`, [2e9], fine(7)),
  ),
  ...['steps', 'warmup', 'evalEvery', 'sampleEvery', 'checkpointEvery'].map((name) =>
    count(`training/${name}`, [2 ** 31], fine(5, 2 ** 31 - 1)),
  ),
  field('training/optimizer', NOT_A_CHOICE, [
    ...fine('adamw', 'rmsprop'),
    ...each({ refusedBy: STATE }, 'sgd'),
  ]),
  amount('training/learningRate', [0, 2e6], fine(1)),
  field('training/schedule', NOT_A_CHOICE, fine('constant', 'step')),
  amount('training/decayRate', [0, 2], fine(1)),
  amount('training/weightDecay', [1001], fine(0)),
  field('training/loss', NOT_A_CHOICE, fine('mse')),
  amount('training/resetProbability', [2], fine(1)),
  count('training/rollbacks', [101], fine(0)),
  count('training/seed', [2 ** 32], fine(0)),
  // Only said, never looked for.
  ...['checkpoint', 'sha256'].map((name) => field(`initFrom/${name}`, NOT_A_TEXT, fine('', '\u001b[31m'))),
  count('initFrom/step', [], fine(0, 2 ** 53 - 1)),
];

const VOCABULARY = [
  field('unit', NOT_A_CHOICE, fine('byte', 'grapheme')),
  field(
    'symbols',
    [
      ...[...NOT_A_LIST, [], ['a'], ['a', ''], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', '']],
      ...[1, null, 'a', 'ab', '\ud800', LONG, [], NESTED].map((symbol) => ['a', symbol, '']),
      ['', 'a', 'b'],
    ],
    fine(['a', 'c', '']),
  ),
  count('unknown', [0, 1, 3]),
];

interface Document {
  readonly fields: readonly Field[];
  /** Objects whose readers pass over fields that they do not know, and objects whose readers refuse these. */
  readonly free: readonly string[];
  readonly closed: readonly string[];
}

const DOCUMENTS = {
  'manifest.json': {
    fields: MANIFEST,
    free: ['summary', 'summary/best', 'summary/validation'],
    closed: ['', 'files', 'files/model.safetensors'],
  },
  'config.json': {
    fields: CONFIG,
    free: ['', 'files/0', 'text', 'model', 'training', 'initFrom'],
    closed: [],
  },
  'vocabulary.json': { fields: VOCABULARY, free: [], closed: [''] },
} satisfies Record<string, Document>;

/** Stands for `raw` in the text of an edited object, which no JSON value can say. */
const MARK = '\u2603';

interface Edit {
  readonly what: string;
  /** The object after it; with `raw`, `MARK` is to be replaced. Undefined: `raw` is all there is. */
  readonly json: Json | undefined;
  readonly raw?: string;
  readonly expected: Expectation;
}

/** One edit of a JSON file; of the manifest, with its digest made right again or not. */
export function editedJson(random: Random, run: TinyRun, file: keyof typeof DOCUMENTS): Mutation {
  const edit = pick(random, [
    changed,
    changed,
    changed,
    changed,
    absent,
    unreadable,
    doubled,
    added,
    replaced,
  ]);
  const { what, json, raw = '', expected } = edit(random, DOCUMENTS[file], parse(run.sound.get(file)!));
  const isManifest = file === 'manifest.json';
  const seals = isManifest && json !== undefined && random.integer(3) > 0;
  const bytes = json && (seals ? sealed(json) : utf8(`${JSON.stringify(json, null, 2)}\n`));
  const text = bytes ? `${Buffer.from(bytes)}`.replace(`"${MARK}"`, () => raw) : raw;
  // Whoever reads the file refuses all of it, also where the field is nothing to them.
  const isTooDeep = json !== undefined && JSON.stringify(json).includes(JSON.stringify(NESTED));
  return {
    kind: seals ? `${file} with its digest right` : file,
    what: `${file}: ${what}`,
    changes: new Map([[file, utf8(text)]]),
    expected: isTooDeep || (isManifest && !seals) ? REFUSED : expected,
  };
}

function changed(random: Random, { fields }: Document, json: Json): Edit {
  const { path, wrong, other, readers } = pick(random, fields);
  const isOther = other.length > 0 && random.integer(2) === 0;
  const [value, expected] = isOther ? pick(random, other) : [pick(random, wrong), { refusedBy: readers }];
  put(json, path, value);
  return { what: `${path} = ${JSON.stringify(value).slice(0, 60)}`, json, expected };
}

function absent(random: Random, { fields }: Document, json: Json): Edit {
  const { path, readers } = pick(random, fields);
  const { parent, key } = find(json, path);
  if (Array.isArray(parent)) parent[Number(key)] = null;
  else delete parent[key];
  return { what: `no ${path}`, json, expected: { refusedBy: readers } };
}

const UNREADABLE = [
  ...['NaN', 'Infinity', '-Infinity', 'nul', 'undefined', '01', '1.', '.5', '0x10', "'x'", '', '1 // one'],
  ...['1e999', '-1e999', '"\u0000"', '"\\x"', '{"a":1,"a":1}', DEEP, `{"a":${DEEP}}`],
];

/** What is not JSON, or says no value that any field may have. */
function unreadable(random: Random, { fields }: Document, json: Json): Edit {
  const { path } = pick(random, fields);
  const raw = pick(random, UNREADABLE);
  put(json, path, MARK);
  return { what: `${path} = ${raw.slice(0, 20)} (as text)`, json, raw, expected: REFUSED };
}

function doubled(random: Random, { fields }: Document, json: Json): Edit {
  const { path } = pick(
    random,
    fields.filter((candidate) => !candidate.path.endsWith('/0')),
  );
  const { parent, key } = find(json, path);
  const raw = `${JSON.stringify((parent as Json)[key])}, ${JSON.stringify(key)}: ${pick(random, ['1', 'null', DEEP])}`;
  put(json, path, MARK);
  return { what: `${path} twice`, json, raw, expected: REFUSED };
}

function added(random: Random, { free, closed }: Document, json: Json): Edit {
  const at = pick(random, [...free, ...closed]);
  const key = pick(random, ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x', LONG]);
  const value = pick(random, [1, null, 'x', {}, { step: 7, hidden: 7, polluted: true }, NESTED]);
  const object = at === '' ? json : (find(json, at).parent as Record<string, Json>)[find(json, at).key]!;
  // An assignment to __proto__ would be one to the prototype.
  Object.defineProperty(object, key, { value, enumerable: true });
  const what = `${at || 'the object'} has ${key.slice(0, 20)} = ${JSON.stringify(value).slice(0, 60)}`;
  return { what, json, expected: free.includes(at) ? SOUND : REFUSED };
}

function replaced(random: Random): Edit {
  const raw = pick(random, ['', 'null', '1', '"x"', '[]', '{}', '{', DEEP, '{"__proto__":{}}', '\ufeff{}']);
  return { what: `all of it is ${raw.slice(0, 20)}`, json: undefined, raw, expected: REFUSED };
}

function put(json: Json, path: string, value: unknown): void {
  const { parent, key } = find(json, path);
  (parent as Json)[key] = value;
}

/** The object or list that holds the value at `path`, and the value's key in it. */
function find(json: Json, path: string): { parent: Json | unknown[]; key: string } {
  const keys = path.split('/');
  const key = keys.pop()!;
  return { parent: keys.reduce<Json>((object, name) => object[name] as Json, json), key };
}
