/**
 * Text that a model made, safe to show on a terminal: control and format characters are escaped, but for
 * newline, tab, and the joiners that emoji and some scripts need.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    '\n\t\u200c\u200d'.includes(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
