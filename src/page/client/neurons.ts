/** The page on cells: colours the text by the chosen one. */
import { type NeuronsData, STEPS } from '../neurons-data.ts';
import { ACTIVATION_MIDDLES, ACTIVATION_SCALE, activationLevel } from '../scale.ts';
import { type Block, ColoredText, type Spot } from './parts/colored-text.ts';
import { pageData } from './parts/data.ts';
import { Unpacked } from './parts/packed.ts';

const data = pageData<NeuronsData>();
let chosen = 0;
/** Where the cursor is, once it is somewhere. */
let spot: Spot | undefined;

const readout = document.getElementById('readout')!;
const select = document.getElementById('neuron') as HTMLSelectElement;
const element = document.getElementById('text')!;

/** Lengths of the symbols of each block, and activations in steps of each block and cell, once they are unpacked. */
const lengths = new Map<number, Promise<Uint16Array>>();
const steps = new Map<string, Promise<Int8Array>>();

function once<K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = map.get(key);
  if (known) return known;
  const made = make();
  map.set(key, made);
  return made;
}

const sizeOf = (block: number): number => (data.starts[block + 1] ?? data.length) - data.starts[block]!;

function stepsOf(block: number): Promise<Int8Array> {
  const neuron = chosen;
  return once(steps, `${neuron} ${block}`, async () => {
    const bytes = (await Unpacked.of(data.neurons[neuron]!.blocks[block]!)).bytes(sizeOf(block));
    return Int8Array.from(bytes);
  });
}

async function load(block: number): Promise<Block> {
  const own = await once(lengths, block, async () =>
    (await Unpacked.of(data.blocks[block]!)).words(sizeOf(block)),
  );
  const levels = data.neurons.length === 0 ? new Uint8Array(own.length).fill(GROUND) : await levelsOf(block);
  return { lengths: own, levels };
}

const GROUND = ACTIVATION_MIDDLES.indexOf(0);

async function levelsOf(block: number): Promise<Uint8Array> {
  return Uint8Array.from(await stepsOf(block), (step) => activationLevel(step / STEPS));
}

const text = new ColoredText({
  element,
  length: data.length,
  starts: data.starts,
  scale: ACTIVATION_SCALE,
  ground: GROUND,
  load,
  onMove: (moved) => {
    spot = moved;
    void show();
  },
});

/** Says what the cell at the cursor does. */
async function show(): Promise<void> {
  const shown = spot;
  if (!shown) return;
  const neuron = data.neurons[chosen];
  const step = neuron ? (await stepsOf(shown.block))[shown.index]! : 0;
  if (shown !== spot || neuron !== data.neurons[chosen]) return;
  const symbol = document.createElement('b');
  symbol.textContent = shown.name;
  const value = document.createElement('span');
  const line = document.createElement('p');
  line.className = 'symbol';
  line.append(symbol);
  if (neuron) {
    value.className = `level-${activationLevel(step / STEPS)}`;
    value.textContent = ` ${((neuron.extent * step) / STEPS).toFixed(2).replace('-', '−')} `;
    line.append(value, ` ${data.activation} of ${neuron.name}`);
  }
  readout.replaceChildren(line);
}

/** Colours the text by cell number `neuron` of the page. */
function choose(neuron: number): void {
  if (data.neurons.length === 0) return;
  chosen = (neuron + data.neurons.length) % data.neurons.length;
  select.value = `${chosen}`;
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-neuron]')) {
    button.setAttribute('aria-pressed', `${button.dataset.neuron === select.value}`);
  }
  const rows = [...document.querySelectorAll(`[data-neuron="${chosen}"]`)].map(
    (button) => button.closest('tr')!.querySelector('th')!.firstChild!.textContent!,
  );
  document.getElementById('tracks')!.textContent = rows.length > 0 ? `listed for ${rows.join(', ')}` : '';
  text.recolor();
  void show();
}

select.addEventListener('change', () => choose(Number(select.value)));
document.getElementById('other')!.addEventListener('click', () => choose(chosen + 1));
document.getElementById('previous')!.addEventListener('click', () => void text.moveTo(text.place - 1, true));
document.getElementById('next')!.addEventListener('click', () => void text.moveTo(text.place + 1, true));
document.getElementById('ranking')!.addEventListener('click', ({ target }) => {
  const neuron = (target as Element).closest<HTMLElement>('[data-neuron]')?.dataset.neuron;
  if (neuron === undefined) return;
  choose(Number(neuron));
  element.scrollIntoView({ block: 'start' });
});
element.addEventListener('keydown', ({ key, ctrlKey, metaKey, altKey }) => {
  if (ctrlKey || metaKey || altKey) return;
  if (key === 'n') choose(chosen + 1);
  if (key === 'p') choose(chosen - 1);
});
void text.moveTo(0, false);
choose(0);
