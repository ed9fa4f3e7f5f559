/** The page on which a network writes: its model lies in it, and computes in the browser. */
import { SAMPLING_DEFAULTS } from '../inference/sampling-options.ts';
import { cellLabel, type ModelConfig } from '../model/config.ts';
import { ParameterLayout } from '../model/parameters.ts';
import { crc32 } from '../text/crc32.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import { visible } from './glyphs.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './page.ts';
import type { PlayData } from './play-data.ts';
import { ACTIVATION_SCALE, BITS_SCALE, BITS_STEPS, type Scale } from './scale.ts';

/** A model, and what there is to say about it. */
export interface PlayModel {
  readonly config: ModelConfig;
  readonly vocabulary: Vocabulary;
  /** All weights, flat; see `ParameterLayout`. */
  readonly weights: ArrayLike<number>;
  /** What it is called: the name of its run. */
  readonly name: string;
  /** The names of the texts that it was trained on. */
  readonly texts: readonly string[];
  /** The step of its checkpoint. */
  readonly step: number;
  /** Bits per character of the validation part of its text; undefined if that was not measured at this step. */
  readonly bitsPerCharacter: number | undefined;
}

/** The document. @throws CharloomError UNAVAILABLE if the pages have not been built */
export function playPage(model: PlayModel): string {
  // What the engine computes with, whatever the checkpoint was saved in.
  const weights = Float32Array.from(model.weights);
  const bytes = Buffer.from(weights.buffer);
  const data: PlayData = {
    model: model.config,
    vocabulary: model.vocabulary.toJSON(),
    weights: bytes.toString('base64'),
    checksum: crc32(bytes),
  };
  const name = visible(model.name);
  return renderPage({
    title: `${name}: a network that writes`,
    client: 'play',
    data,
    body: body(model, name),
  });
}

function body(model: PlayModel, name: string): Html {
  return html`<link rel="icon" href="data:,">
<header>
  <h1>${name}</h1>
  <p>This network has read ${listed(model.texts)}, one ${model.vocabulary.unit} at a time. Give it a beginning, or none, and press
  Write: it guesses what comes next, writes it down, reads it, and guesses again.</p>
  <p class="quiet facts">${facts(model)}</p>
  <noscript><p class="problem">This page computes in the browser, and needs JavaScript.</p></noscript>
</header>
<main>
  <section class="writing" aria-label="Text">
    <label class="heading" for="prompt">Beginning</label>
    <textarea id="prompt" rows="2" spellcheck="false" autocomplete="off" autocapitalize="off"
      placeholder="A few words to go on from"></textarea>
    <div class="buttons">
      <button type="button" id="write" class="primary" disabled>Write</button>
      <button type="button" id="again" disabled>Start over</button>
      <button type="button" id="copy" disabled>Copy text</button>
      <span id="status" class="quiet" role="status">Loading the network.</span>
    </div>
    <p id="problem" class="problem" role="alert" hidden></p>
    <p id="dropped" class="quiet small" hidden></p>
    <div id="paper" class="text" role="region" aria-label="Written text" tabindex="0"></div>
    <p id="figures" class="quiet small"></p>
    ${colours(model.config)}
  </section>
  <aside>
    <section aria-labelledby="next">
      <h2 id="next">What comes next</h2>
      <ol id="bars" class="bars"></ol>
      <p id="rest" class="quiet small"></p>
    </section>
    ${settings(model.vocabulary.size)}
  </aside>
</main>`;
}

/** How the text is coloured. */
function colours({ layers, hidden }: ModelConfig): Html {
  const choice = (value: string, label: string, checked = false): Html =>
    html`<label><input type="radio" name="colours" value="${value}"${checked ? html` checked` : ''}> ${label}</label>`;
  const swatches = (name: string, { light }: Scale): Html =>
    html`<span class="swatches" aria-hidden="true">${light.map((_, level) => html`<i class="${name}-${level}"></i>`)}</span>`;
  return html`<fieldset id="colours">
  <legend>Colours</legend>
  ${choice('surprise', 'surprise', true)} ${choice('neuron', 'one neuron')} ${choice('none', 'none')}
  <span id="which" hidden>
    <label>layer <input type="number" id="layer" min="0" max="${layers - 1}" value="0"></label>
    <label>neuron <input type="number" id="neuron" min="0" max="${hidden - 1}" value="0"></label>
  </span>
  <p id="surprise-legend" class="quiet small">Expected ${swatches('bits', BITS_SCALE)} a surprise: 0 to ${BITS_STEPS.at(-1)!} bits and
  more. A character of n bits had a chance of 1 in 2<sup>n</sup>.</p>
  <p id="neuron-legend" class="quiet small" hidden>−1 ${swatches('activation', ACTIVATION_SCALE)} +1: what this neuron
  says after each character.</p>
</fieldset>`;
}

/** How the text is drawn. The values at first are those of `charloom sample`. */
function settings(symbols: number): Html {
  const slider = (
    id: string,
    label: string,
    range: readonly [number, number, number, number],
    help: string,
  ): Html => html`
  <label for="${id}">${label}</label><output id="${id}-value" for="${id}"></output>
  <input type="range" id="${id}" min="${range[0]}" max="${range[1]}" step="${range[2]}" value="${range[3]}" aria-describedby="${id}-help">
  <p id="${id}-help" class="help quiet small">${help}</p>`;
  const field = (id: string, label: string, max: number, value: number, min = 0): Html =>
    html`<label for="${id}">${label}</label><input type="number" id="${id}" min="${min}" max="${max}" value="${value}">`;
  return html`<section id="settings" aria-labelledby="how">
  <h2 id="how">How it writes</h2>
  ${slider('temperature', 'Temperature', [0, 2, 0.05, SAMPLING_DEFAULTS.temperature], 'Lower is safer, higher is wilder; at 0 always the likeliest.')}
  ${slider('top-p', 'Top-p', [0.05, 1, 0.05, SAMPLING_DEFAULTS.topP], 'Only the likeliest that reach this share together.')}
  ${slider('pace', 'Speed', [0, 6, 1, 3], 'Characters a second, for people to watch.')}
  <div class="fields">
    ${field('length', 'Length', 1_000_000, 500, 1)}
    ${field('seed', 'Seed', 2 ** 32 - 1, 0)}
  </div>
  <p class="help quiet small">With the same seed, beginning and settings it writes the same text, here and as <code>charloom sample</code>.</p>
  <label class="check"><input type="checkbox" id="fresh" checked> another seed when it starts over</label>
  <details>
    <summary>More</summary>
    <div class="more">
    ${slider('min-p', 'Min-p', [0, 0.5, 0.01, SAMPLING_DEFAULTS.minP], 'Nothing less than this share of the likeliest.')}
    <div class="fields">${field('top-k', 'Top-k (0: all)', symbols, SAMPLING_DEFAULTS.topK)}</div>
    <p class="help quiet small">Ctrl+Enter writes and stops, Escape stops.</p>
    </div>
  </details>
</section>`;
}

function facts({ config, step, bitsPerCharacter, vocabulary }: PlayModel): string {
  return [
    `${cellLabel(config)}, ${config.layers} x ${config.hidden}`,
    `${new ParameterLayout(config).count.toLocaleString('en')} parameters`,
    `${(vocabulary.size - 1).toLocaleString('en')} different ${vocabulary.unit}s`,
    `after step ${step.toLocaleString('en')}`,
    bitsPerCharacter === undefined
      ? 'not measured on text that it had not seen'
      : `${bitsPerCharacter.toFixed(2)} bits per ${vocabulary.unit} on text that it had not seen`,
    'it runs in this page and sends nothing anywhere',
  ].join(' · ');
}

/** "a.txt, b.txt and 3 more texts" */
function listed(texts: readonly string[]): Html {
  const shown = texts.slice(0, 3).map((text) => html`<b>${visible(text)}</b>`);
  const more = texts.length - shown.length;
  return html`${shown.map((text, i) => html`${i > 0 ? ', ' : ''}${text}`)}${more > 0 ? ` and ${more} more texts` : ''}`;
}
