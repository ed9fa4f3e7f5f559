/** Validation loss against time, as a picture: an SVG that is legible on light and on dark pages. */

export interface LossPoint {
  /** Since the program was started. */
  readonly seconds: number;
  /** Nats per character. */
  readonly crossEntropy: number;
}

export interface LossCurve {
  /** Curves of one name have one colour and one label. */
  readonly name: string;
  readonly points: readonly LossPoint[];
}

/** nanoGPT's recipe for a CPU: validation loss and minutes, as its README gives them. */
const NANOGPT = { label: 'nanoGPT, recipe for a CPU (published)', seconds: 180, crossEntropy: 1.88 };

const WIDTH = 720;
const HEIGHT = 380;
const MARGIN = { left: 56, right: 24, top: 20, bottom: 46 };
/** The losses that are shown; what was higher in the first seconds is cut off. */
const HIGHEST = 2;
const STEP = 0.1;

/** @returns the text of an SVG file */
export function drawLossCurves(curves: readonly LossCurve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const last = Math.max(NANOGPT.seconds, ...all.map(({ seconds }) => seconds));
  // What is a few seconds more than a minute ends at that minute.
  const minutes = Math.ceil(last / 60 - 0.4);
  const least = Math.min(NANOGPT.crossEntropy, ...all.map(({ crossEntropy }) => crossEntropy));
  const lowest = Math.floor(least / STEP) * STEP;
  const x = (seconds: number): number =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * Math.min(seconds, minutes * 60)) / (minutes * 60);
  const y = (loss: number): number =>
    MARGIN.top + ((HEIGHT - MARGIN.top - MARGIN.bottom) * (HIGHEST - loss)) / (HIGHEST - lowest);
  const at = ({ seconds, crossEntropy }: LossPoint): string =>
    `${x(seconds).toFixed(1)},${y(crossEntropy).toFixed(1)}`;

  const losses = Array.from(
    { length: Math.round((HIGHEST - lowest) / STEP) + 1 },
    (_, i) => lowest + i * STEP,
  );
  const grid = losses.map(
    (
      loss,
    ) => `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(loss)}" y2="${y(loss)}"/>
  <text x="${MARGIN.left - 8}" y="${y(loss) + 4}" text-anchor="end">${loss.toFixed(1)}</text>`,
  );
  const times = Array.from(
    { length: minutes + 1 },
    (_, i) => `<text x="${x(60 * i)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${i}</text>`,
  );
  const names = [...new Set(curves.map(({ name }) => name))];
  const lines = curves.map(({ name, points }) => {
    const shown = points.filter(({ crossEntropy }) => crossEntropy <= HIGHEST);
    return `<polyline class="curve c${names.indexOf(name)}" points="${shown.map(at).join(' ')}"/>`;
  });
  const labels = names.map((name, i) => {
    const row = MARGIN.top + 16 + 20 * i;
    return `<line class="curve c${i}" x1="${WIDTH - 300}" x2="${WIDTH - 276}" y1="${row}" y2="${row}"/>
  <text x="${WIDTH - 268}" y="${row + 4}">${name}</text>`;
  });
  const row = MARGIN.top + 16 + 20 * names.length;
  const published = `<circle class="point" cx="${x(NANOGPT.seconds)}" cy="${y(NANOGPT.crossEntropy)}" r="5"/>
  <circle class="point" cx="${WIDTH - 288}" cy="${row}" r="5"/>
  <text x="${WIDTH - 268}" y="${row + 4}">${NANOGPT.label}</text>`;

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title">
  <title id="title">Validation loss in nats per character against minutes of training</title>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .grid { stroke: #24292f; stroke-opacity: 0.15; }
    .curve { fill: none; stroke-width: 2; }
    .c0 { stroke: #0b6bcb; }
    .c1 { stroke: #b3541e; stroke-dasharray: 6 3; }
    .point { fill: #7a3e9d; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .grid { stroke: #e6edf3; }
      .c0 { stroke: #58a6ff; }
      .c1 { stroke: #f0883e; }
      .point { fill: #c297e0; }
    }
  </style>
  ${[...grid, ...times, ...lines, ...labels].join('\n  ')}
  ${published}
  <text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">minutes of training, start included</text>
  <text x="16" y="${(MARGIN.top + HEIGHT - MARGIN.bottom) / 2}" text-anchor="middle" transform="rotate(-90 16 ${(MARGIN.top + HEIGHT - MARGIN.bottom) / 2})">validation loss, nats per character</text>
</svg>
`;
}
