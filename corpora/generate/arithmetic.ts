/**
 * Sums of two numbers, one a line: `417+88=505;`
 *
 * The form is A+B=C; with A and B of one to three decimal digits and no leading zero (0 itself is one digit).
 * The number of digits is drawn first, each length equally likely, so that short sums are not rare; then the
 * number itself, uniformly. The semicolon marks the end of the answer: `417+88=` as a prompt and `;` as the stop
 * string give a model's answer. There are 1,000,000 different sums, so a model that answers right has learned to
 * carry, not learned the list by heart.
 */

import { integer, type Random, runWhenMain } from './command.ts';

const LONGEST_OPERAND = 3;

/** Endless sums without the line feed, such as `417+88=505;`. */
export function* arithmeticLines(random: Random): Generator<string> {
  while (true) {
    const a = operand(random);
    const b = operand(random);
    yield `${a}+${b}=${a + b};`;
  }
}

function operand(random: Random): number {
  const digits = integer(random, 1, LONGEST_OPERAND);
  const least = digits === 1 ? 0 : 10 ** (digits - 1);
  return integer(random, least, 10 ** digits - 1);
}

await runWhenMain(import.meta.url, { name: 'arithmetic', pieces: arithmeticLines, end: '\n' });
