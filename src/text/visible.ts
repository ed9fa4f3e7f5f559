/** Characters that show nothing, or change how others are shown, as something that can be seen. */

/** What emoji and some scripts need. */
const JOINERS = '\u200c\u200d';

/**
 * Text to be shown where it may not act: control characters as their pictures (␀), other invisible ones by their number (U+202E),
 * but for `kept` and joiners.
 */
export function visible(text: string, kept = ''): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    if (kept.includes(character) || JOINERS.includes(character)) return character;
    const code = character.codePointAt(0)!;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '\u2421' : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  });
}
