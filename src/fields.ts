/** Checking objects that come from outside (files, options) field by field, against a table of checks. */
import { CharloomError } from './errors.ts';

/** Says what a value must be, or undefined if it is that. */
export type Check = (value: unknown) => string | undefined;

export const integer =
  (low: number, high: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high
      ? undefined
      : `an integer from ${low} to ${high}`;

export const number =
  (low: number, high: number): Check =>
  (value) =>
    typeof value === 'number' && value >= low && value <= high
      ? undefined
      : `a number from ${low} to ${high}`;

/** A number in (0, high]. */
export const positive =
  (high: number): Check =>
  (value) =>
    typeof value === 'number' && value > 0 && value <= high ? undefined : `a number above 0, at most ${high}`;

/** What `check` wants, or null. */
export const orNull =
  (check: Check): Check =>
  (value) => {
    const expected = value === null ? undefined : check(value);
    return expected && `${expected}, or null`;
  };

export const choice =
  (choices: readonly string[]): Check =>
  (value) =>
    choices.includes(value as string) ? undefined : `one of ${choices.join(', ')}`;

/** Where an object comes from: how its fields are called there, and what kind of failure a wrong one is. */
export interface Origin {
  readonly code: 'BAD_DATA' | 'USAGE';
  readonly field: (name: string) => string;
}

/**
 * Picks the fields of `T` out of `value`, each checked; other fields are left behind.
 * @throws CharloomError of the origin's code, naming the field, its value and what it must be
 */
export function checkFields<T extends object>(
  value: unknown,
  checks: { readonly [K in keyof T]: Check },
  { code, field }: Origin,
): T {
  const source = typeof value === 'object' && value !== null ? value : {};
  const entries = Object.entries(checks as Record<string, Check>).map(([name, check]) => {
    const found: unknown = Object.hasOwn(source, name) ? Reflect.get(source, name) : undefined;
    const expected = check(found);
    if (expected) {
      const what = found === undefined ? 'is missing' : `is ${shown(found)}`;
      throw new CharloomError(code, `${field(name)} ${what}, must be ${expected}`);
    }
    return [name, found];
  });
  return Object.fromEntries(entries) as T;
}

/** In a message: a value from outside may be longer than any line, or deeper than the stack. */
const LONGEST_SHOWN = 80;

/** A value from outside as messages show it: its JSON, cut short. */
export function shown(value: unknown): string {
  // JSON has no word for infinite numbers, nor for what is not there.
  if (typeof value === 'number' || value === undefined) return String(value);
  try {
    const json = JSON.stringify(value);
    return json.length <= LONGEST_SHOWN ? json : `${json.slice(0, LONGEST_SHOWN)}…`;
  } catch (error) {
    if (error instanceof RangeError) return 'nested too deeply';
    throw error;
  }
}
