/** The page on what the cells of a network track. */
import type { GateSaturation } from '../analysis/gates.ts';
import {
  type FeatureScore,
  type Neuron,
  type NeuronStudy,
  nameOfNeuron,
  TOO_RARE,
} from '../analysis/neurons.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import { type Html, html } from './html.ts';
import { type NeuronsData, STEPS } from './neurons-data.ts';
import { renderPage } from './page.ts';
import { saturationPlot } from './saturation-plot.ts';
import { ACTIVATION_MIDDLES } from './scale.ts';
import { packed, textBlocks, textElement } from './text-blocks.ts';

export interface NeuronsPage {
  /** Which model read which text, in words. */
  readonly model: string;
  readonly source: string;
  /** What is shown of a cell, see `ACTIVATION_NAMES`. */
  readonly activation: string;
  readonly study: NeuronStudy;
  /** The text that is shown: the beginning of what was read. */
  readonly text: SymbolText;
  /** The cells that can be shown, the first of them at first. */
  readonly neurons: readonly Neuron[];
  /** Their activations over that text. */
  readonly activations: readonly Float32Array[];
}

/** The document. @throws CharloomError as `renderPage`; IO if the text is on a disk that fails */
export function neuronsPage(page: NeuronsPage): string {
  const { model, source, activation, study, text, neurons, activations } = page;
  const blocks = [...textBlocks(text)];
  const data: NeuronsData = {
    activation,
    length: text.length,
    starts: blocks.map(({ start }) => start),
    blocks: blocks.map(({ lengths }) => packed([lengths])),
    neurons: neurons.map((neuron, k) => {
      const values = activations[k]!;
      const extent = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      const steps = Int8Array.from(values, (value) => Math.round((STEPS * value) / extent));
      return {
        name: nameOfNeuron(neuron),
        extent,
        blocks: blocks.map(({ start, end }) => packed([steps.subarray(start, end)])),
      };
    }),
  };
  const places = new Map(neurons.map((neuron, k) => [nameOfNeuron(neuron), k]));
  const part = text.length < study.symbols ? `The first ${text.length} of ${study.symbols} characters. ` : '';
  const body = html`
<header>
<h1>What the cells track</h1>
<p class="quiet">${model}, reading ${source}</p>
</header>
<noscript><p>Colours need JavaScript.</p></noscript>
<h2>Features and their cells</h2>
<p>A cell is written as layer:index. Its figure is Pearson’s correlation between ${activation} and the feature on the second half of the text; which cells are listed was decided on the first half. Choose one to see it in the text.</p>
<div class="scroll">${ranking(study.features, places)}</div>
${gates(study.gates)}
<div class="columns">
<main>
<h2>The text, coloured by a cell</h2>
<p class="quiet">${part}The colour of a character is the cell’s activation after reading it.</p>
${textElement(blocks, 'The text, coloured by the activation of the chosen cell')}
</main>
<aside>
<p><label>Cell <select id="neuron">${neurons.map((neuron, k) => html`<option value="${k}">${nameOfNeuron(neuron)}</option>`)}</select></label> <button type="button" id="other">next cell</button></p>
<p id="tracks" class="quiet"></p>
<section class="readout" aria-live="polite" aria-atomic="true" id="readout"></section>
<p class="moves"><button type="button" id="previous">← back</button> <button type="button" id="next">on →</button></p>
<p class="legend" aria-label="Colours: activation">${ACTIVATION_MIDDLES.map((middle, level) => html`<span class="level-${level}">${signOf(middle)}</span>`)}</p>
<p class="quiet" id="keys">Point at a character, tap it, or focus the text and use the arrow keys; n and p go to the next and the previous cell.</p>
</aside>
</div>`;
  return renderPage({
    title: `What the cells of ${model} track, in ${source}`,
    client: 'neurons',
    data,
    body,
  });
}

const signed = (r: number): string => `${r < 0 ? '−' : '+'}${Math.abs(r).toFixed(2)}`;

function signOf(middle: number): string {
  if (middle === 0) return '0';
  if (Math.abs(middle) === ACTIVATION_MIDDLES.at(-1)) return middle < 0 ? '−1' : '+1';
  return middle < 0 ? '−' : '+';
}

function ranking(features: readonly FeatureScore[], places: ReadonlyMap<string, number>): Html {
  const cell = (neuron: FeatureScore['neurons'][number]): Html => {
    const name = nameOfNeuron(neuron);
    const place = places.get(name);
    return place === undefined
      ? html`${name}`
      : html`<button type="button" data-neuron="${place}">${name}</button>`;
  };
  const row = ({ feature, neurons }: FeatureScore): Html =>
    html`<tr><th scope="row">${feature.name}<br><span class="quiet">${feature.meaning}</span></th>${neurons
      .slice(0, 3)
      .map((neuron) => html`<td>${cell(neuron)} ${signed(neuron.heldOut)}</td>`)}</tr>`;
  const found = features.filter(({ neurons }) => neurons.length > 0);
  const rare = features.filter(({ neurons }) => neurons.length === 0).map(({ feature }) => feature.name);
  return html`<table id="ranking"><thead><tr><th scope="col">feature</th><th scope="col">best cell</th><th scope="col">second</th><th scope="col">third</th></tr></thead><tbody>${found.map(row)}</tbody></table>
${rare.length > 0 ? html`<p class="quiet">Left out: ${TOO_RARE}: ${rare.join(', ')}.</p>` : undefined}`;
}

function gates(saturation: readonly GateSaturation[]): Html | undefined {
  if (saturation.length === 0) return undefined;
  return html`<h2>Gates</h2>
<p>Each point is a cell: the fraction of time at which its gate is left-saturated (below 0.1) and right-saturated (above 0.9), as in the saturation plots of Karpathy, Johnson & Li 2015, “Visualizing and Understanding Recurrent Networks”. A forget gate (LSTM) or update gate (GRU) far to the top keeps what the cell holds nearly always; far to the right, the cell is nearly feed-forward.</p>
<div class="plots">${saturation.map(saturationPlot)}</div>`;
}
