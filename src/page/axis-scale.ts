/** The scale of a chart's axis: from values to pixels, and the values that are written beside it. */

export interface Scale {
  /** Ascending; of a log scale above 0. */
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** 0 at `low`, 1 at `high`, NaN of what is not on the scale (NaN; of a log scale what is not above 0). */
  fraction(value: number): number;
  /** The value at a fraction. */
  value(fraction: number): number;
  /** How a tick is written. */
  format(tick: number): string;
}

export type ScaleKind = 'linear' | 'log';

const LARGEST = 1e100;

/**
 * A scale that holds the finite values among `values` (those above 0, if log), and a little more, so that it ends at ticks.
 * @param count how many ticks, about
 * @param exact it ends at the outermost values, not at ticks
 */
export function scaleOf(values: Iterable<number>, kind: ScaleKind, count = 6, exact = false): Scale {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    // What is close to the end of the numbers has no room around it.
    if (!(Math.abs(value) <= LARGEST) || (kind === 'log' && value < 1 / LARGEST)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = kind === 'log' ? [0.1, 1] : [0, 1]; // there is nothing
  return kind === 'log' ? logScale(low, high, count, exact) : linearScale(low, high, count, exact);
}

function linearScale(least: number, most: number, count: number, exact: boolean): Scale {
  let [low, high] = [least, most];
  const size = Math.max(Math.abs(low), Math.abs(high));
  // Values that differ by their last digits only are as good as one.
  if (high - low <= Math.max(size * 1e-9, 1 / LARGEST)) {
    const room = size > 10 / LARGEST ? size / 10 : 1;
    [low, high] = [low - room, high + room];
  }
  const step = niceStep((high - low) / count);
  // Whole numbers of steps: sums of steps would drift.
  let first = Math.floor(low / step + 1e-9);
  let last = Math.ceil(high / step - 1e-9);
  if (exact) {
    [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
    if (first > last) return linearScale(low, high, 2 * count, exact);
  } else [low, high] = [first * step, last * step];
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    low,
    high,
    ticks: Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step),
    fraction: (value) => (value - low) / (high - low),
    value: (fraction) => low + fraction * (high - low),
    format: (tick) => plain(tick, digits),
  };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((nice) => nice * power >= least * (1 - 1e-9))!;
}

/** Multiples within a decade that are ticks: as many as there is room for. */
const DIVISIONS = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]];
/** Of the scale, between `count` ticks of the same distance: so close ticks may come. */
const CLOSEST = 0.6;

function logScale(least: number, most: number, count: number, exact: boolean): Scale {
  const decades = Math.log10(most / least);
  if (decades < 0.5) return shortLogScale(least, most, count, exact);
  const room = (CLOSEST * decades) / count;
  const fits = (parts: readonly number[]): boolean =>
    [...parts, 10].every((part, i, all) => i === 0 || Math.log10(part / all[i - 1]!) >= room);
  const division = DIVISIONS.find(fits) ?? [1];
  const stride = Math.max(1, Math.ceil(decades / count));
  const all: number[] = [];
  const [first, last] = [Math.floor(Math.log10(least) / stride), Math.ceil(Math.log10(most) / stride)];
  for (let i = first; i <= last; i++) for (const part of division) all.push(power(part, i * stride));
  const low = exact ? least : all.findLast((tick) => tick <= least * (1 + 1e-9))!;
  const high = exact ? most : all.find((tick) => tick >= most * (1 - 1e-9))!;
  return inLogs(
    low,
    high,
    all.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)),
  );
}

/** Less than half a decade: the ticks of a linear scale, at the places of a log scale. */
function shortLogScale(least: number, most: number, count: number, exact: boolean): Scale {
  const [low, high] = least === most ? [least / 1.1, most * 1.1] : [least, most];
  const linear = linearScale(low, high, count, exact);
  const ticks = linear.ticks.filter((tick) => tick > 0);
  return { ...inLogs(Math.min(low, ticks[0] ?? low), linear.high, ticks), format: linear.format };
}

function inLogs(low: number, high: number, ticks: readonly number[]): Scale {
  const range = Math.log(high / low);
  return {
    low,
    high,
    ticks,
    fraction: (value) => (value > 0 ? Math.log(value / low) / range : Number.NaN),
    value: (fraction) => low * Math.exp(fraction * range),
    format: (tick) => {
      const exponent = Math.floor(Math.log10(tick) + 1e-9);
      // Where there are many powers, all are written as such.
      const [least, most] = high / low > 1e8 ? [0, 0] : [-3, 5];
      if (exponent < least || exponent > most) return scientific(tick, exponent);
      return plain(tick, Math.max(0, -exponent));
    },
  };
}

/** As one literal would give it: 10 ** −5 · 3 is not 3e-5. */
function power(part: number, exponent: number): number {
  return Number(`${part}e${exponent}`);
}

/** 0.001, 20000 as "20k", 3000000 as "3M"; what is small in scientific notation. */
function plain(value: number, digits: number): string {
  const size = Math.abs(value);
  if (size >= 1e15 || (digits > 6 && size > 0)) return value.toExponential().replace('e+', 'e');
  if (size >= 1e6) return `${trimmed(value / 1e6)}M`;
  if (size >= 1e4) return `${trimmed(value / 1e3)}k`;
  return minus(value.toFixed(Math.min(digits, 20)));
}

const trimmed = (value: number): string => minus(`${Number(value.toFixed(6))}`);

/** With the sign that typesetting has for it; zero has none. */
function minus(text: string): string {
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '\u2212');
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** 10⁻³⁰, 3·10⁻⁵ */
function scientific(value: number, exponent: number): string {
  const digits = [...`${Math.abs(exponent)}`].map((digit) => SUPERSCRIPTS[Number(digit)]).join('');
  const part = Number((value / 10 ** exponent).toPrecision(3));
  return `${part === 1 ? '' : `${part}·`}10${exponent < 0 ? '⁻' : ''}${digits}`;
}
