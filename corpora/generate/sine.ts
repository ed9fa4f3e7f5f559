/**
 * A sine wave written as digits: `50 62 73 83 91 ...`
 *
 * Sample n is round(49.5 + 49.5 sin(n / 4 + phase)), written with two digits (00 to 99), with a space after each.
 * The step of a quarter of a radian makes the period 8 pi = 25.13... samples, which is irrational: the text never
 * repeats, and a model has to keep the phase in its state instead of counting to 25. The seed chooses the phase.
 * Apart from the rounding, two samples determine the next (measured from the middle of the wave,
 * s[n+1] = 2 cos(1/4) s[n] - s[n-1]), so a model that has learned this needs very few bits.
 */

import { type Random, runWhenMain } from './command.ts';

/** Radians from one sample to the next. */
export const SINE_STEP = 0.25;

/** The text of sample `n` of the wave that starts at `phase` (in radians). */
export function sineSample(n: number, phase: number): string {
  const value = Math.round(49.5 + 49.5 * Math.sin(n * SINE_STEP + phase));
  return String(value).padStart(2, '0');
}

/** Endless samples without the space between them. */
export function* sineSamples(random: Random): Generator<string> {
  const phase = 2 * Math.PI * random();
  for (let n = 0; ; n++) yield sineSample(n, phase);
}

await runWhenMain(import.meta.url, { name: 'sine', pieces: sineSamples, end: ' ' });
