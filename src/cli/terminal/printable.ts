/** What emoji and some scripts need. */
const JOINERS = '\u200c\u200d';

/**
 * Text that a model made, safe to show on a terminal: control and format characters are escaped, but for
 * newline, tab, and joiners.
 */
export function printable(text: string): string {
  return escaped(text, `\n\t${JOINERS}`);
}

/** The same as one line: names of files and what is quoted of them may hold anything. */
export function printableLine(text: string): string {
  return escaped(text, JOINERS);
}

function escaped(text: string, kept: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    kept.includes(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
