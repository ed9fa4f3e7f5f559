/** Whether colours do what they are for: text on them can be read, and they can be told apart, also without seeing hues. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ACTIVATION_MIDDLES,
  ACTIVATION_SCALE,
  activationLevel,
  BITS_SCALE,
  BITS_STEPS,
  bitsLevel,
  type Swatch,
} from '../../src/page/scale.ts';

type Colour = readonly [red: number, green: number, blue: number];

/** Linear light of a colour (sRGB, IEC 61966-2-1). */
function linear(hex: string): Colour {
  const part = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [part(1), part(3), part(5)];
}

const luminance = ([r, g, b]: Colour): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

/** WCAG 2. */
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(linear(a)), luminance(linear(b))].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

/** CIE L*. */
function lightness(colour: Colour): number {
  const y = luminance(colour);
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
}

/** What people without the green (deuteranopia) and the red (protanopia) receptor see: Machado et al. 2009, severity 1. */
const BLINDNESS: Readonly<Record<string, readonly Colour[]>> = {
  none: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
};

const seen = (hex: string, rows: readonly Colour[]): Colour => {
  const colour = linear(hex);
  return rows.map((row) =>
    Math.max(0, row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2]),
  ) as unknown as Colour;
};

for (const [name, { light, dark }] of Object.entries({ bits: BITS_SCALE, activations: ACTIVATION_SCALE })) {
  describe(`the colours of ${name}`, () => {
    it('let text be read on every level: a contrast of 4.5 to 1', () => {
      for (const { background, text } of [...light, ...dark]) {
        const ratio = contrast(background, text);
        assert.ok(ratio >= 4.5, `${text} on ${background}: ${ratio.toFixed(2)}`);
      }
    });
  });
}

/** From the ground to the strongest. */
const SERIES: Readonly<Record<string, readonly Swatch[]>> = {
  'bits, light': BITS_SCALE.light,
  'bits, dark': BITS_SCALE.dark,
  'below zero, light': ACTIVATION_SCALE.light.slice(0, 6).reverse(),
  'above zero, light': ACTIVATION_SCALE.light.slice(5),
  'below zero, dark': ACTIVATION_SCALE.dark.slice(0, 6).reverse(),
  'above zero, dark': ACTIVATION_SCALE.dark.slice(5),
};

for (const [name, swatches] of Object.entries(SERIES)) {
  for (const [blindness, rows] of Object.entries(BLINDNESS)) {
    it(`${name}: each level is lighter or darker than the one before, colour blindness: ${blindness}`, () => {
      const steps = swatches.map(({ background }) => lightness(seen(background, rows)));
      const sign = Math.sign(steps.at(-1)! - steps[0]!);
      for (let i = 1; i < steps.length; i++) {
        const step = sign * (steps[i]! - steps[i - 1]!);
        assert.ok(step >= 3, `${swatches[i]!.background} differs by ${step.toFixed(1)} of lightness`);
      }
    });
  }
}

it('positive and negative activations differ in more than lightness, colour blindness or not', () => {
  for (const rows of Object.values(BLINDNESS)) {
    for (const side of [ACTIVATION_SCALE.light, ACTIVATION_SCALE.dark]) {
      const [r, , b] = seen(side[0]!.background, rows);
      const [red, , blue] = seen(side.at(-1)!.background, rows);
      assert.ok(b! / r! > 1.5 && red! / blue! > 1.5);
    }
  }
});

describe('levels', () => {
  it('of bits begin at their steps', () => {
    assert.equal(bitsLevel(0), 0);
    BITS_STEPS.forEach((step, i) => {
      assert.deepEqual([bitsLevel(step - 1e-9), bitsLevel(step)], [i, i + 1]);
    });
    assert.equal(bitsLevel(Number.POSITIVE_INFINITY), BITS_SCALE.light.length - 1);
  });

  it('of activations are even, from one end to the other', () => {
    assert.equal(ACTIVATION_MIDDLES.length, ACTIVATION_SCALE.light.length);
    assert.deepEqual(ACTIVATION_MIDDLES.map(activationLevel), [...ACTIVATION_MIDDLES.keys()]);
    assert.deepEqual([-7, -1, 0, 1, 7].map(activationLevel), [0, 0, 5, 10, 10]);
  });
});
