/**
 * Damage to a run, drawn at random, and what came of it: what bad memory, bad disks and bad copies do to bytes, and what
 * somebody does who knows the formats and makes every digest right again.
 */
import type { Random } from '../../src/random.ts';
import {
  ALL,
  type Expectation,
  lossOf,
  type Mutation,
  NONE,
  type Outcome,
  outcomeOf,
  pick,
  readersOf,
  resealed,
  utf8,
} from './damage.ts';
import { editedTensors } from './header-edits.ts';
import { editedJson } from './json-edits.ts';
import { type Change, COMMANDS, type Command, FILES, type FileName, type TinyRun } from './tiny-run.ts';

const CHECKPOINT = ['manifest.json', 'model.safetensors', 'training.safetensors'] as const;

type Draw = (random: Random, run: TinyRun) => Mutation;

/** Names of the ways to damage bytes without knowing what they mean, and what each makes of them. */
const DAMAGES: Record<string, (random: Random, bytes: Uint8Array) => Uint8Array> = {
  'bit flipped': (random, bytes) => {
    const damaged = bytes.slice();
    damaged[random.integer(bytes.length)]! ^= 1 << random.integer(8);
    return damaged;
  },
  'bytes overwritten': (random, bytes) => {
    const damaged = bytes.slice();
    const noise = noiseOf(random, 1 + random.integer(16));
    damaged.set(noise.subarray(0, bytes.length), random.integer(Math.max(1, bytes.length - noise.length)));
    return damaged;
  },
  'cut off': (random, bytes) => bytes.slice(0, random.integer(bytes.length)),
  'bytes appended': (random, bytes) => Buffer.concat([bytes, noiseOf(random, 1 + random.integer(64))]),
  'range removed': (random, bytes) => {
    const [start, end] = rangeOf(random, bytes);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  'range doubled': (random, bytes) => {
    const [start, end] = rangeOf(random, bytes);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
  },
};

/** Random bytes, or zeros, which is what is read where nothing was written. */
function noiseOf(random: Random, length: number): Uint8Array {
  const zeros = random.integer(3) === 0;
  return Uint8Array.from({ length }, () => (zeros ? 0 : random.integer(256)));
}

/** Where it starts, and where it ends, which is later. */
function rangeOf(random: Random, { length }: Uint8Array): [start: number, end: number] {
  const start = random.integer(length);
  const longest = random.integer(2) === 0 ? 16 : length;
  return [start, Math.min(length, start + 1 + random.integer(longest))];
}

function damages(): Draw[] {
  return Object.entries(DAMAGES).map(([kind, damage]) => (random, run) => {
    const file = pick(random, CHECKPOINT);
    const bytes = damage(random, run.sound.get(file)!);
    return {
      kind,
      what: `${file}: ${kind}`,
      changes: new Map([[file, bytes]]),
      expected: { refusedBy: readersOf(file) },
    };
  });
}

/** No digest guards settings and vocabulary: what is left may be another valid file, or name a text that is not there. */
function ofSettings(random: Random, run: TinyRun): Mutation {
  const file = pick(random, ['config.json', 'vocabulary.json'] as const);
  const [name, damage] = pick(random, Object.entries(DAMAGES));
  return {
    kind: 'settings damaged',
    what: `${file}: ${name}`,
    changes: new Map([[file, damage(random, run.sound.get(file)!)]]),
    expected: { refusedBy: NONE, either: ALL, missing: true },
  };
}

/**
 * Damage with the digest made right again. What is cut off or appended never fits the header. Of other damage nobody knows
 * what it leaves; it must not be more than an error.
 */
function rehashed(random: Random, run: TinyRun): Mutation {
  const file = pick(random, ['model.safetensors', 'training.safetensors'] as const);
  const [name, damage] = pick(random, Object.entries(DAMAGES));
  const bytes = damage(random, run.sound.get(file)!);
  const readers = readersOf(file);
  const never = name === 'cut off' || name === 'bytes appended';
  const expected: Expectation = never ? { refusedBy: readers } : { refusedBy: NONE, either: readers };
  const manifest = resealed(run.sound.get('manifest.json')!, file, bytes);
  return {
    kind: 'bytes damaged with their digest right',
    what: `${file}: ${name}`,
    changes: new Map<FileName, Change>([
      [file, bytes],
      ['manifest.json', manifest],
    ]),
    expected,
  };
}

function missing(random: Random): Mutation {
  const file = pick(random, FILES);
  const change: Change = pick(random, ['missing', 'folder', utf8('')]);
  return {
    kind: 'file missing or empty or a folder',
    what: `${file}: ${change instanceof Uint8Array ? 'empty' : change}`,
    changes: new Map([[file, change]]),
    expected: { refusedBy: readersOf(file), missing: change === 'missing' },
  };
}

function swapped(random: Random, run: TinyRun): Mutation {
  const first = pick(random, FILES);
  const second = pick(
    random,
    FILES.filter((file) => file !== first),
  );
  return {
    kind: 'files swapped',
    what: `${first} and ${second}`,
    changes: new Map([
      [first, run.sound.get(second)!],
      [second, run.sound.get(first)!],
    ]),
    expected: { refusedBy: ALL }, // of any two at least one is read by all
  };
}

/** Edits by those who know what they do are drawn more often: they go deeper. */
const DRAWS: readonly Draw[] = [
  ...damages(),
  missing,
  swapped,
  ofSettings,
  rehashed,
  rehashed,
  ...Array<Draw>(3).fill((random, run) => editedJson(random, run, 'manifest.json')),
  ...Array<Draw>(4).fill((random, run) => editedJson(random, run, 'config.json')),
  (random, run) => editedJson(random, run, 'vocabulary.json'),
  ...Array<Draw>(4).fill(editedTensors),
];

/** One mutation; it changes at least one file. */
export function drawMutation(random: Random, run: TinyRun): Mutation {
  for (;;) {
    const mutation = pick(random, DRAWS)(random, run);
    const changes = [...mutation.changes];
    if (changes.some(([file, change]) => !isSame(change, run.sound.get(file)!))) return mutation;
  }
}

function isSame(change: Change, sound: Uint8Array): boolean {
  return change instanceof Uint8Array && Buffer.from(sound).equals(change);
}

/** What opening a run took: milliseconds of processor time, and bytes of memory at the most. */
export interface Cost {
  readonly milliseconds: number;
  readonly memory: number;
}

/** What was tried, and what came of it. */
export class Figures {
  readonly tried = new Map<string, number>();
  refused = 0;
  accepted = 0;
  /** The most that one took: milliseconds of processor time, and bytes above what a sound run takes. */
  slowest = 0;
  mostMemory = 0;

  /** @throws Error if something is lost */
  add(mutation: Mutation, command: Command, outcome: Outcome, { milliseconds, memory }: Cost): void {
    this.tried.set(mutation.kind, (this.tried.get(mutation.kind) ?? 0) + 1);
    if (outcome === 'accepted') this.accepted++;
    else this.refused++;
    this.slowest = Math.max(this.slowest, milliseconds);
    this.mostMemory = Math.max(this.mostMemory, memory);
    const loss =
      lossOf(mutation, command, outcome) ??
      (milliseconds > MOST_MILLISECONDS ? `took ${Math.round(milliseconds)} ms` : undefined) ??
      (memory > MOST_MEMORY ? `took ${Math.round(memory / 2 ** 20)} MiB` : undefined);
    if (loss !== undefined) throw new Error(`${mutation.what}; ${command} ${loss}`);
  }

  toString(): string {
    const kinds = [...this.tried].sort().map(([kind, count]) => `${kind} ${count}`);
    const total = this.refused + this.accepted;
    return (
      `${total} tried (${kinds.join(', ')}): ${this.refused} refused, ${this.accepted} sound and accepted, ` +
      `none accepted wrongly, slowest ${Math.round(this.slowest)} ms, ` +
      `at most ${Math.round(this.mostMemory / 2 ** 20)} MiB above a sound one`
    );
  }
}

/** What opening a damaged run may take at the most. */
const MOST_MILLISECONDS = 1000;
const MOST_MEMORY = 256 * 2 ** 20;

/**
 * Damages a run `count` times, opens it as one of the commands does, and makes it sound again.
 * @throws Error if something is lost; then the run is left as it is
 */
export async function mutateInProcess(run: TinyRun, count: number, random: Random): Promise<Figures> {
  const figures = new Figures();
  for (const command of COMMANDS) await run.open(command);
  const baseline = process.memoryUsage.rss();
  for (let i = 0; i < count; i++) {
    const mutation = drawMutation(random, run);
    const command = pick(random, COMMANDS);
    run.damage(mutation.changes);
    const start = process.cpuUsage();
    const outcome = await outcomeOf(run.open(command));
    const { user, system } = process.cpuUsage(start);
    // The most there has been, not what there is left.
    const memory = process.resourceUsage().maxRSS * 1024 - baseline;
    figures.add(mutation, command, outcome, { milliseconds: (user + system) / 1000, memory });
    run.mend(mutation.changes);
  }
  return figures;
}
