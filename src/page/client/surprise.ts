/** The page on surprise: shows what the symbol at the cursor cost, and what the model would have guessed. */
import { BITS_SCALE, bitsLevel } from '../scale.ts';
import { bitsOf, isUnknown, LAST_RANK, type SurpriseData } from '../surprise-data.ts';
import { type Block, ColoredText, type Spot } from './parts/colored-text.ts';
import { pageData } from './parts/data.ts';
import { Unpacked } from './parts/packed.ts';

interface SurpriseBlock extends Block {
  readonly bits: Uint16Array;
  readonly ranks: Uint16Array;
  readonly guesses: readonly Uint16Array[];
  readonly probabilities: readonly Uint8Array[];
}

const data = pageData<SurpriseData>();
const blocks = new Map<number, Promise<SurpriseBlock>>();

function load(block: number): Promise<SurpriseBlock> {
  let loaded = blocks.get(block);
  if (!loaded) {
    loaded = unpack(block);
    blocks.set(block, loaded);
  }
  return loaded;
}

async function unpack(block: number): Promise<SurpriseBlock> {
  const n = (data.starts[block + 1] ?? data.length) - data.starts[block]!;
  const unpacked = await Unpacked.of(data.blocks[block]!);
  const lengths = unpacked.words(n);
  const bits = unpacked.words(n);
  const ranks = unpacked.words(n);
  const each = { length: data.guesses };
  const guesses = Array.from(each, () => unpacked.words(n));
  const probabilities = Array.from(each, () => unpacked.bytes(n));
  const levels = Uint8Array.from(bits, (kept) => levelOf(bitsOf(kept)));
  return { lengths, levels, bits, ranks, guesses, probabilities };
}

const levelOf = (bits: number | null): number => (bits === null ? 0 : bitsLevel(bits));

const readout = document.getElementById('readout')!;
const text = new ColoredText({
  element: document.getElementById('text')!,
  length: data.length,
  starts: data.starts,
  scale: BITS_SCALE,
  ground: 0,
  load,
  onMove: (spot) => void show(spot),
});

async function show({ place, block, index, name }: Spot): Promise<void> {
  const { bits, ranks, guesses, probabilities } = await load(block);
  if (place !== text.place) return;
  const cost = bitsOf(bits[index]!);
  const title = element('p', 'symbol', element('b', '', name));
  if (cost === null) {
    title.append(' nothing comes before it: it is not predicted');
    readout.replaceChildren(title);
    return;
  }
  const rank = ranks[index]!;
  // That of a guess is the finer one.
  const listed = probabilities[rank - 1]?.[index];
  const probability = listed === undefined ? 2 ** -cost : listed / 255;
  title.append(
    element('span', `level-${bitsLevel(cost)}`, ` ${cost.toFixed(2)} bits `),
    element('span', 'quiet', ` p = ${percent(probability)}, guess ${rank < LAST_RANK ? rank : 'far down'}`),
  );
  const list = element('ol', 'guesses');
  for (const [k, ids] of guesses.entries()) {
    const share = probabilities[k]![index]! / 255;
    if (share === 0) break;
    const item = element('li', k + 1 === rank ? 'came' : '');
    item.append(
      element('span', 'name', data.names[ids[index]!]!),
      bar(share),
      element('span', 'share', percent(share)),
    );
    list.append(item);
  }
  readout.replaceChildren(
    title,
    ...(isUnknown(bits[index]!)
      ? [element('p', 'quiet', 'not in the vocabulary of the model: the cost of any unknown character')]
      : []),
    list,
  );
}

function percent(probability: number): string {
  if (probability < 0.005) return '<1%';
  return `${Math.round(100 * probability)}%`;
}

function element(name: string, className: string, content: string | Node = ''): HTMLElement {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(content);
  return created;
}

const SVG = 'http://www.w3.org/2000/svg';

function bar(share: number): SVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 100 8');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const rect = document.createElementNS(SVG, 'rect');
  rect.setAttribute('width', `${100 * share}`);
  rect.setAttribute('height', '8');
  svg.append(rect);
  return svg;
}

/** The costliest passages in the order of the text. */
const passages = [...data.passages].sort((a, b) => a - b);

function goToPassage(direction: 1 | -1): void {
  const next =
    direction > 0
      ? (passages.find((start) => start > text.place) ?? passages[0])
      : (passages.findLast((start) => start < text.place) ?? passages.at(-1));
  if (next !== undefined) void text.moveTo(next, true);
}

function followAddress(): boolean {
  const place = /^#at=(\d+)$/.exec(location.hash)?.[1];
  if (place === undefined) return false;
  document.getElementById('text')!.focus({ preventScroll: true });
  void text.moveTo(Number(place), true);
  return true;
}

document.getElementById('text')!.addEventListener('keydown', ({ key, ctrlKey, metaKey, altKey }) => {
  if (ctrlKey || metaKey || altKey) return;
  if (key === 'n') goToPassage(1);
  if (key === 'p') goToPassage(-1);
});
document.getElementById('previous')!.addEventListener('click', () => void text.moveTo(text.place - 1, true));
document.getElementById('next')!.addEventListener('click', () => void text.moveTo(text.place + 1, true));
document.getElementById('costly')!.addEventListener('click', () => goToPassage(1));
// Also when the address stays as it is: one may have gone elsewhere meanwhile.
document.querySelector('.passages')!.addEventListener('click', (event) => {
  const link = (event.target as Element).closest('a');
  if (link && link.hash === location.hash) followAddress();
});
addEventListener('hashchange', followAddress);
if (!followAddress()) void text.moveTo(1, false);
