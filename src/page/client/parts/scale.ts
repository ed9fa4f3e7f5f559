/** The colours of `page/scale.ts` as classes. */
import { activationLevel, bitsLevel } from '../../scale.ts';

/** The class of so many bits; none where there was no prediction. */
export function surpriseColour(bits: number | undefined): string {
  return bits === undefined ? '' : `bits-${bitsLevel(bits)}`;
}

/** The class of an activation in [−1, 1]. */
export function activationColour(activation: number): string {
  return `activation-${activationLevel(activation)}`;
}
