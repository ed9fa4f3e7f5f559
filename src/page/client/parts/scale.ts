/** From numbers to the names of colours; see `scale.css`. */

/** The levels of surprise: a level is a bit, the last one is for all that is more. */
export const SURPRISE_LEVELS = 8;

/** @param bits undefined where there was no prediction */
export function surpriseColour(bits: number | undefined): string {
  return bits === undefined ? '' : `s${Math.min(SURPRISE_LEVELS, Math.floor(bits))}`;
}

/** The levels of an activation on either side of 0. */
export const ACTIVATION_LEVELS = 4;

/** @param value from −1 to 1 */
export function activationColour(value: number): string {
  const level = Math.min(ACTIVATION_LEVELS, Math.round(Math.abs(value) * ACTIVATION_LEVELS));
  return level === 0 ? 'a0' : `${value < 0 ? 'n' : 'p'}${level}`;
}
