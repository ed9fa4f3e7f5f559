/** Dividing a text into training, validation and test part. */
import { CharloomError } from '../errors.ts';
import type { IdSequence } from './id-sequence.ts';

export const SPLIT_NAMES = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof SPLIT_NAMES)[number];

/** Shares of the text in percent; their sum is 100. */
export type Split = Readonly<Record<SplitName, number>>;

/**
 * Reads a split like `90/5/5`.
 * @throws CharloomError USAGE unless it is three numbers of 0 or more with the sum 100, the first above 0
 */
export function parseSplit(text: string): Split {
  const parts = text.split('/');
  const shares = parts.map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : Number.NaN));
  const [train, validation, test] = shares;
  const sum = shares.reduce((total, share) => total + share, 0);
  // `!(... <= ...)` also refuses NaN.
  if (shares.length !== 3 || !(Math.abs(sum - 100) <= 1e-9) || !(train! > 0)) {
    throw new CharloomError(
      'USAGE',
      `--split ${text}: expected training/validation/test in percent with the sum 100`,
      'for example --split 90/5/5',
    );
  }
  return { train: train!, validation: validation!, test: test! };
}

/**
 * The parts of a text of n symbols, contiguous and in this order. Nothing is copied.
 * Training is the first ⌊n·train/100⌋ symbols, validation goes up to ⌊n·(train + validation)/100⌋, test is
 * the rest.
 */
export function divide(ids: IdSequence, split: Split): Record<SplitName, IdSequence> {
  const n = ids.length;
  const trainEnd = Math.floor((n * split.train) / 100);
  // Without a test part nothing may be lost to rounding of the sum.
  const validationEnd = split.test === 0 ? n : Math.floor((n * (split.train + split.validation)) / 100);
  return {
    train: ids.part(0, trainEnd),
    validation: ids.part(trainEnd, validationEnd),
    test: ids.part(validationEnd, n),
  };
}
