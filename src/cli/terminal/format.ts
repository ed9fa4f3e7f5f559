/** Numbers, durations and tables for people. */

/** 1234567 → "1.23M", 240000 → "240k", 512 → "512": three digits at most. */
export function count(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    const scaled = Number((value / size).toPrecision(3));
    if (scaled >= 1) return `${scaled}${unit}`;
  }
  return `${Math.round(value)}`;
}

/** Seconds → "42s", "3m 20s", "2h 05m"; "-" when unknown. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${String(s % 60).padStart(2, '0')}s`;
  return `${Math.floor(s / 3600)}h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
}

/** 1115394 → "1.1 MB". */
export function bytes(value: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${value} B`;
}

/**
 * How far a work is: "412.0 MB of 1.0 GB", "150.0 MB/s", "4s left", as far as it can be told.
 * @param total undefined where it is not known
 * @param seconds that it has taken so far
 * @param amount how an amount is written
 */
export function progress(
  done: number,
  total: number | undefined,
  seconds: number,
  amount: (value: number) => string,
): string[] {
  const speed = done / seconds;
  return [
    `${amount(done)}${total === undefined ? '' : ` of ${amount(total)}`}`,
    `${amount(Math.round(speed))}/s`,
    ...(total === undefined ? [] : [`${duration((total - done) / speed)} left`]),
  ];
}

/** From the lowest to the highest. */
export const BARS = '▁▂▃▄▅▆▇█';

/** The values as a line of bars, at most `width` of them (means of neighbours), scaled to their own range. */
export function sparkline(values: readonly number[], width: number): string {
  if (values.length === 0) return '';
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / columns),
      Math.floor(((i + 1) * values.length) / columns),
    );
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
  const low = Math.min(...means);
  const range = Math.max(...means) - low || 1;
  return means.map((mean) => BARS[Math.round(((mean - low) / range) * (BARS.length - 1))]).join('');
}

/** Rows of label and value, the values aligned. */
export function pairs(rows: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}\n`).join('');
}

/** A table with a header; columns padded to their widest cell, the last one ragged. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
