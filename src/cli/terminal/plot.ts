/**
 * Curves on a terminal, in braille: every character is 2 x 4 dots (Unicode block U+2800). Each curve has its name where it
 * leaves the plot, so that no colour is needed to tell them apart.
 */

export interface PlottedCurve {
  readonly label: string;
  /** At x = 0, 1, …; what is no number above 0 is a gap. */
  readonly values: readonly number[];
  readonly paint?: (text: string) => string;
}

export interface Plot {
  readonly title: string;
  /** The label of the x axis. */
  readonly along: string;
  /** The y axis is logarithmic. */
  readonly range: readonly [low: number, high: number];
  readonly curves: readonly PlottedCurve[];
  /** Columns for the names of the curves. Plots side by side look best with the same. */
  readonly nameColumns: number;
  /** Columns and rows of all of it, axes and names included. */
  readonly columns: number;
  readonly rows: number;
}

/** Bits of the dots of a character, by row and column. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

const AXIS = 7;
const LEAST_COLUMNS = 8;

/** @returns lines, each `columns` wide but for what `paint` adds */
export function plot({ title, along, range, curves, nameColumns, columns, rows }: Plot): string[] {
  const names = nameColumns + 1; // and the blank before them
  const width = Math.max(LEAST_COLUMNS, columns - AXIS - names);
  const height = Math.max(2, rows - 3);
  const bits = new Uint8Array(width * height);
  const owner = new Int8Array(width * height).fill(-1);
  const [low, high] = range.map(Math.log10) as [number, number];
  const last = Math.max(1, ...curves.map(({ values }) => values.length - 1));
  /** Dots from the bottom; beyond the plot what is beyond the range. */
  const dotY = (value: number): number => ((Math.log10(value) - low) / (high - low)) * (4 * height - 1);

  const labels = axisLabels(low, high, (exponent) => Math.floor(dotY(10 ** exponent) / 4));

  /** By row from the top, the curve that is named there. */
  const named = new Map<number, number>();
  for (const [c, { values }] of curves.entries()) {
    let previous: [x: number, y: number] | undefined;
    for (const [k, value] of values.entries()) {
      const y = dotY(value);
      if (!Number.isFinite(y)) {
        previous = undefined;
        continue;
      }
      const x = (k / last) * (2 * width - 1);
      const [fromX, fromY] = previous ?? [x, y];
      const steps = Math.max(1, Math.ceil(Math.max(x - fromX, Math.abs(y - fromY))));
      for (let i = 0; i <= steps; i++) {
        const column = Math.round(fromX + ((x - fromX) * i) / steps);
        const row = 4 * height - 1 - Math.round(fromY + ((y - fromY) * i) / steps);
        if (row < 0 || row >= 4 * height) continue;
        const cell = Math.floor(row / 4) * width + Math.floor(column / 2);
        bits[cell]! |= DOTS[row % 4]![column % 2]!;
        owner[cell] = c;
      }
      previous = [x, y];
    }
    const end = values.findLast((value) => Number.isFinite(dotY(value)));
    if (end !== undefined) {
      const row = height - 1 - Math.round(dotY(end) / 4 - 0.5);
      named.set(freeRow(Math.max(0, Math.min(height - 1, row)), height, named), c);
    }
  }

  const lines = Array.from({ length: height }, (_, row) => {
    let line = '';
    for (let column = 0; column < width; column++) {
      const cell = row * width + column;
      const character = bits[cell] === 0 ? ' ' : String.fromCharCode(0x2800 + bits[cell]!);
      const paint = curves[owner[cell]!]?.paint;
      line += paint ? paint(character) : character;
    }
    const curve = curves[named.get(row) ?? -1];
    const name = ` ${curve?.label ?? ''}`.padEnd(names);
    const label = labels.get(height - 1 - row);
    const axis = label === undefined ? `${' '.repeat(AXIS - 1)}│` : `${label.padStart(AXIS - 1)}┤`;
    return `${axis}${line}${curve?.paint?.(name) ?? name}`;
  });
  const end = `${last}`;
  const middle = ` ${along} `;
  const room = width - 1 - end.length;
  const scale = `0${(room > middle.length + 2 ? middle : '').padStart(Math.floor((room + middle.length) / 2)).padEnd(room)}${end}`;
  return [
    title.slice(0, columns).padEnd(columns),
    ...lines,
    `${' '.repeat(AXIS - 1)}└${'─'.repeat(width)}${' '.repeat(names)}`,
    `${' '.repeat(AXIS)}${scale}${' '.repeat(names)}`,
  ];
}

const MOST_LABELS = 5;

/**
 * What stands at the axis, by row from the bottom: a few powers of ten, each where it is. Where fewer than two of them lie in the
 * range, both ends.
 * @param low exponent of the lower end, `high` of the upper one
 * @param rowOf the row of a value, given by its exponent
 */
function axisLabels(low: number, high: number, rowOf: (exponent: number) => number): Map<number, string> {
  let step = 1;
  while (Math.floor(high / step) - Math.ceil(low / step) >= MOST_LABELS) step++;
  const labels = new Map<number, string>();
  for (let exponent = Math.ceil(low / step) * step; exponent <= high; exponent += step) {
    labels.set(rowOf(exponent), `1e${exponent}`);
  }
  if (labels.size < 2)
    for (const end of [low, high]) labels.set(rowOf(end), (10 ** end).toExponential(0).replace('+', ''));
  return labels;
}

/** The row itself, or the nearest one that names no other curve. */
function freeRow(row: number, height: number, taken: ReadonlyMap<number, number>): number {
  for (let distance = 0; distance < height; distance++) {
    for (const candidate of [row + distance, row - distance]) {
      if (candidate >= 0 && candidate < height && !taken.has(candidate)) return candidate;
    }
  }
  return row;
}

/** Plots beside each other, as many as there is room for. */
export function sideBySide(plots: readonly (readonly string[])[], perRow: number): string {
  let text = '';
  for (let first = 0; first < plots.length; first += perRow) {
    const row = plots.slice(first, first + perRow);
    for (let line = 0; line < row[0]!.length; line++) {
      text += `${row
        .map((lines) => lines[line]!)
        .join('  ')
        .trimEnd()}\n`;
    }
    text += '\n';
  }
  return text;
}
