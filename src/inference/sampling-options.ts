/** What a user may ask of a drawn text. */
import { type Check, integer, number, positive } from '../fields.ts';

export interface SamplingOptions {
  /** Divides the logits: below 1 safer, above 1 wilder; 0 always takes the likeliest symbol (greedy). */
  readonly temperature: number;
  /** Keep the k likeliest symbols; 0 keeps all. */
  readonly topK: number;
  /** Keep the fewest likeliest symbols whose probabilities reach p (Holtzman et al. 2020); 1 keeps all. */
  readonly topP: number;
  /** Keep symbols at least this fraction as likely as the likeliest (Nguyen et al. 2024); 0 keeps all. */
  readonly minP: number;
}

/** How texts are drawn where nobody says otherwise. */
export const SAMPLING_DEFAULTS: SamplingOptions = { temperature: 0.8, topK: 0, topP: 1, minP: 0 };

export const SAMPLING_CHECKS: { readonly [K in keyof SamplingOptions]: Check } = {
  temperature: number(0, 1e6),
  topK: integer(0, 1e9),
  topP: positive(1),
  minP: number(0, 1),
};

/** Symbols of one text. */
export const LENGTH_CHECK = integer(0, 1e9);
