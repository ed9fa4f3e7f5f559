/**
 * What is done to the files of a run, and what each command must say to it. That is known from how a mutation is made, and
 * never taken from what happens.
 */
import { digestOf, formatManifest, type Manifest } from '../../src/checkpoint/manifest.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';
import type { Random } from '../../src/random.ts';
import { type Change, COMMANDS, type Command, type FileName } from './tiny-run.ts';

/** Commands that a mutation concerns. */
export const ALL: readonly Command[] = COMMANDS;
/** Those that read `training.safetensors` and the summary in the manifest. */
export const STATE: readonly Command[] = ['info', 'resume'];
/** Those that read the text of the run. */
export const TEXT: readonly Command[] = ['eval', 'resume'];
/** Those that draw from the model that is said to be the best. */
export const BEST: readonly Command[] = ['sample', 'eval'];
/** The one that needs a state which fits the model, the optimizer and the text. */
export const RESUME: readonly Command[] = ['resume'];
export const NONE: readonly Command[] = [];

/** Those that read a file of the run. */
export function readersOf(file: FileName): readonly Command[] {
  return file === 'training.safetensors' ? STATE : ALL;
}

/** What must come of a mutation. Whoever is neither in `refusedBy` nor in `either` must accept it. */
export interface Expectation {
  readonly refusedBy: readonly Command[];
  /** Commands that may do either: what is left is random, or lies with what they do after loading. */
  readonly either?: readonly Command[];
  /** Whether something that is named is not there: then NO_INPUT is as right as BAD_DATA. */
  readonly missing?: boolean;
}

export interface Mutation {
  /** For the statistics. */
  readonly kind: string;
  /** What exactly was done, for people. */
  readonly what: string;
  readonly changes: ReadonlyMap<FileName, Change>;
  readonly expected: Expectation;
}

/** What came of a command: done, an error of ours, or anything else, which is a defect. */
export type Outcome = 'accepted' | { readonly code: ErrorCode; readonly message: string } | { crash: string };

/** Room for the path of the file, the field and what is wrong with it. */
const LONGEST_MESSAGE = 600;

/** What is wrong with `outcome`; undefined if it is what it must be. */
export function lossOf({ expected }: Mutation, command: Command, outcome: Outcome): string | undefined {
  const { refusedBy, either = NONE, missing = false } = expected;
  if (outcome === 'accepted') return refusedBy.includes(command) ? 'was accepted' : undefined;
  if ('crash' in outcome) return outcome.crash;
  const { code, message } = outcome;
  if (code !== 'BAD_DATA' && !(missing && code === 'NO_INPUT')) return `ended as ${code}: ${message}`;
  if (message.includes('\n') || message.length > LONGEST_MESSAGE)
    return `was refused, but not in one clear line: ${message.slice(0, LONGEST_MESSAGE)}`;
  if (refusedBy.includes(command) || either.includes(command)) return undefined;
  return `was refused, though it is sound: ${message}`;
}

export async function outcomeOf(work: Promise<void>): Promise<Outcome> {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    if (error instanceof CharloomError) return { code: error.code, message: error.message };
    return { crash: error instanceof Error ? String(error.stack) : String(error) };
  }
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)]!;
}

/** Brackets within brackets, deeper than the stack of any reader that goes down into them. */
export const DEEP = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
/** As `DEEP`, but not too deep to be written again, as JSON, by who made it. */
export const NESTED: unknown = JSON.parse(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`);
/** A text that no message should quote. */
export const LONG = 'x'.repeat(10_000);

export type Json = Record<string, unknown>;

export function parse(bytes: Uint8Array): Json {
  return JSON.parse(new TextDecoder().decode(bytes)) as Json;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A manifest of any content with a digest of its own that is right, as a hostile writer makes it. */
export function sealed({ sha256: _, ...content }: Json): Uint8Array {
  const { sha256 } = digestOf([utf8(JSON.stringify(content))]);
  return utf8(`${JSON.stringify({ ...content, sha256 }, null, 2)}\n`);
}

/** The manifest with the digest of a file made right after a change of that file. */
export function resealed(
  manifest: Uint8Array,
  file: 'model.safetensors' | 'training.safetensors',
  bytes: Uint8Array,
): Uint8Array {
  const { step, bestStep, files, summary } = parse(manifest) as unknown as Manifest;
  return utf8(formatManifest({ step, bestStep, summary, files: { ...files, [file]: digestOf([bytes]) } }));
}
