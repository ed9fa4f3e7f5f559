/**
 * Colours for figures about a text, on terminals and in pages: for bits one hue from the paper (or the night) to its
 * strongest, for activations blue below zero and orange above. Lightness changes evenly from level to level (OKLCH), so
 * that they can be told apart without seeing hues, and text is readable on all of them (WCAG 2: 4.5 to 1).
 */

/** How a level is painted. */
export interface Swatch {
  readonly background: string;
  readonly text: string;
}

/** One swatch per level, on light and on dark ground. */
export interface Scale {
  readonly light: readonly Swatch[];
  readonly dark: readonly Swatch[];
}

const DARK_TEXT = '#1d1d1b';
const LIGHT_TEXT = '#ecece8';

const swatches = (backgrounds: readonly string[], texts: (level: number) => string): readonly Swatch[] =>
  backgrounds.map((background, level) => ({ background, text: texts(level) }));

/** The least bits of every level but the first. */
export const BITS_STEPS: readonly number[] = [0.5, 1, 2, 3, 4, 6, 8, 12];

/** What bits look like: level 0 is the ground itself. */
export const BITS_SCALE: Scale = {
  light: swatches(
    ['#fcfcfb', '#ffe7dc', '#ffd1bd', '#ffb79b', '#fd9976', '#f57d5a', '#e95e3c', '#bd3218', '#8d1c11'],
    (level) => (level < 7 ? DARK_TEXT : '#ffffff'),
  ),
  dark: swatches(
    ['#171716', '#382118', '#532c1a', '#6d391a', '#874814', '#9d580c', '#db8925', '#f3ae58', '#ffd7a0'],
    (level) => (level < 6 ? LIGHT_TEXT : DARK_TEXT),
  ),
};

/** The level of so many bits: how many steps they reach. */
export function bitsLevel(bits: number): number {
  let level = 0;
  while (level < BITS_STEPS.length && bits >= BITS_STEPS[level]!) level++;
  return level;
}

/** Levels on either side of zero. */
const ACTIVATION_LEVELS = 5;

/** What activations look like, from the most negative to the most positive; the middle is the ground itself. */
export const ACTIVATION_SCALE: Scale = {
  light: swatches(
    [
      ...['#4095e5', '#62a8ee', '#87bef7', '#acd4fe', '#d5e9fe'],
      '#fcfcfb',
      ...['#fce1ca', '#f5c49a', '#eaaa71', '#dd8f43', '#d07802'],
    ],
    () => DARK_TEXT,
  ),
  dark: swatches(
    [
      ...['#64a9f3', '#2d6aa9', '#26578b', '#1f4166', '#1a2d41'],
      '#171716',
      ...['#3b2612', '#5b350e', '#7c4607', '#9a5706', '#de9046'],
    ],
    (level) => (level % (2 * ACTIVATION_LEVELS) === 0 ? DARK_TEXT : LIGHT_TEXT),
  ),
};

/** The level of an activation in [−1, 1]; what is beyond counts as the end of it. */
export function activationLevel(activation: number): number {
  const level = Math.round(activation * (ACTIVATION_LEVELS + 0.5));
  return ACTIVATION_LEVELS + Math.max(-ACTIVATION_LEVELS, Math.min(ACTIVATION_LEVELS, level));
}

/** Of every level of activations the middle, for legends. */
export const ACTIVATION_MIDDLES: readonly number[] = Array.from(
  { length: 2 * ACTIVATION_LEVELS + 1 },
  (_, level) => (level - ACTIVATION_LEVELS) / (ACTIVATION_LEVELS + 0.5),
);
