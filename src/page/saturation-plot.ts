/** Gates as points: how often each is nearly shut and nearly open (the saturation plots of Karpathy, Johnson & Li 2015). */
import type { GateSaturation } from '../analysis/gates.ts';
import { type Html, html } from './html.ts';

/** Of the square in which the points are, and around it, in units of the drawing. */
const SIDE = 200;
const LEFT = 44;
const TOP = 8;
const BOTTOM = 36;

/** One gate of one layer. A point lies below the diagonal: no gate is both. */
export function saturationPlot({ layer, gate, left, right }: GateSaturation): Html {
  const x = (fraction: number): string => (LEFT + SIDE * fraction).toFixed(1);
  const y = (fraction: number): string => (TOP + SIDE * (1 - fraction)).toFixed(1);
  const ticks = [0, 0.5, 1];
  return html`<figure class="plot">
<svg viewBox="0 0 ${LEFT + SIDE + 12} ${TOP + SIDE + BOTTOM}" role="img" aria-label="Layer ${layer}, ${gate} gate: fractions of time of ${left.length} cells">
<path class="frame" d="M${x(0)} ${y(1)}V${y(0)}H${x(1)}"/>
<path class="diagonal" d="M${x(0)} ${y(1)}L${x(1)} ${y(0)}"/>
${ticks.map(
  (tick) =>
    html`<text x="${x(tick)}" y="${TOP + SIDE + 15}" text-anchor="middle">${tick}</text><text x="${LEFT - 6}" y="${y(tick)}" dy="0.35em" text-anchor="end">${tick}</text>`,
)}
<text x="${x(0.5)}" y="${TOP + SIDE + 31}" text-anchor="middle">left-saturated</text>
<text transform="translate(11 ${y(0.5)}) rotate(-90)" text-anchor="middle">right-saturated</text>
${left.map(
  (fraction, i) =>
    html`<circle cx="${x(fraction)}" cy="${y(right[i]!)}" r="3.5"><title>${layer}:${i}</title></circle>`,
)}
</svg>
<figcaption>layer ${layer}, ${gate} gate</figcaption>
</figure>`;
}
