/** How a text begins that has no prompt. */
import type { Random } from '../random.ts';
import type { Vocabulary } from '../text/vocabulary.ts';

/**
 * What the model reads before the first draw: the prompt, or, without one, a line break, after which texts
 * begin; a vocabulary without line breaks starts with any of its symbols.
 */
export function startOf(prompt: ArrayLike<number>, vocabulary: Vocabulary, random: Random): number[] {
  if (prompt.length > 0) return Array.from(prompt);
  const newline = vocabulary.idOf('\n');
  if (newline !== vocabulary.unknown) return [newline];
  const id = random.integer(vocabulary.size - 1);
  return [id >= vocabulary.unknown ? id + 1 : id];
}
