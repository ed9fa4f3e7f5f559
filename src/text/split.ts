/** Dividing a text into training, validation and test part. */
import type { Check } from '../fields.ts';
import type { IdSequence } from './id-sequence.ts';

export const SPLIT_NAMES = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof SPLIT_NAMES)[number];

/** Shares of the text in percent; their sum is 100. */
export type Split = Readonly<Record<SplitName, number>>;

/** Of a split like `90/5/5`: three numbers of 0 or more with the sum 100, the first above 0. */
export const isSplit: Check = (value) =>
  typeof value === 'string' && sharesOf(value)
    ? undefined
    : 'training/validation/test in percent with the sum 100, such as 90/5/5';

/** Reads a split. @throws RangeError unless it is one */
export function parseSplit(text: string): Split {
  const split = sharesOf(text);
  if (!split) throw new RangeError(`split ${text}`);
  return split;
}

function sharesOf(text: string): Split | undefined {
  const shares = text.split('/').map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : Number.NaN));
  const [train, validation, test] = shares;
  const sum = shares.reduce((total, share) => total + share, 0); // not a number if any share is none
  if (shares.length !== 3 || !(Math.abs(sum - 100) <= 1e-9) || train === 0) return undefined;
  return { train: train!, validation: validation!, test: test! };
}

/**
 * The parts of a text of n symbols, contiguous and in this order. Nothing is copied.
 * Training is the first ⌊n·train/100⌋ symbols, validation goes up to ⌊n·(train + validation)/100⌋, test is
 * the rest.
 */
export function divide(ids: IdSequence, split: Split): Record<SplitName, IdSequence> {
  const n = ids.length;
  const trainEnd = upTo(n, split.train);
  // Without a test part nothing may be lost to rounding of the sum.
  const validationEnd = split.test === 0 ? n : upTo(n, split.train + split.validation);
  return {
    train: ids.part(0, trainEnd),
    validation: ids.part(trainEnd, validationEnd),
    test: ids.part(validationEnd, n),
  };
}

/** ⌊n·percent/100⌋ of a decimal fraction, which a binary one may fall short of, or go beyond, by its rounding. */
function upTo(n: number, percent: number): number {
  const end = (n * percent) / 100;
  const nearest = Math.round(end);
  return Math.abs(end - nearest) <= 4 * Number.EPSILON * end ? nearest : Math.floor(end);
}
