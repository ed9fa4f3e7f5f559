/**
 * JSON records, one a line (the JSON Lines form), each valid by RFC 8259.
 *
 * A record is one item of a workshop's stock. All value types occur: strings (some with escapes), integers,
 * fractions, true, false, null, arrays, and objects nested up to three deep (`parts` of `parts`). What there is to
 * learn: matching brackets and quotation marks over long distances, the order of the keys, where a comma stands
 * and where it does not. `id` counts up, which no model of bounded memory learns for good: a look at how far it
 * gets is instructive.
 */

import { choose, integer, type Random, runWhenMain } from './command.ts';

interface Part {
  readonly name: string;
  readonly count: number;
  readonly parts?: readonly Part[];
}

const ITEMS = [
  'clock',
  'lamp',
  'kettle',
  'radio',
  'scale',
  'fan',
  'bell',
  'compass',
  'music box',
  'barometer',
];
const ADJECTIVES = [
  'small',
  'large',
  'old',
  'new',
  'red',
  'green',
  'copper',
  'wooden',
  '12" brass',
  'left\\right',
];
const PARTS = [
  'wheel',
  'spring',
  'screw',
  'plate',
  'pin',
  'lever',
  'hand',
  'case',
  'wire',
  'ring',
  'cap',
  'axle',
];
const CITIES = ['Tainan', 'Taipei', 'Hualien', 'Kaohsiung', 'Lyon', 'Porto', 'Leeds', 'Osaka'];
const TAGS = ['repair', 'sale', 'gift', 'rare', 'heavy', 'fragile', 'spare'];
const NOTES = [
  'needs oil',
  'runs slow',
  'one part\tmissing',
  'ask twice\nthen wait',
  'owner said "no hurry"',
];
const DEEPEST = 3;

/** Endless records without the line feed. */
export function* jsonLines(random: Random): Generator<string> {
  for (let id = 1; ; id++) {
    yield JSON.stringify({
      id,
      name: `${choose(random, ADJECTIVES)} ${choose(random, ITEMS)}`,
      price: integer(random, 100, 99_999) / 100,
      stock: integer(random, 0, 40),
      sold: random() < 0.5,
      maker: random() < 0.2 ? null : { city: choose(random, CITIES), year: integer(random, 1890, 2020) },
      tags: tags(random),
      parts: parts(random, 1),
      // A key that is absent, not null, in most records: JSON.stringify leaves out what is undefined.
      note: random() < 0.3 ? choose(random, NOTES) : undefined,
    });
  }
}

function tags(random: Random): string[] {
  return TAGS.filter(() => random() < 0.25);
}

function parts(random: Random, depth: number): Part[] {
  return Array.from({ length: integer(random, depth === 1 ? 1 : 0, 3) }, () => {
    const part = { name: choose(random, PARTS), count: integer(random, 1, 12) };
    return depth < DEEPEST && random() < 0.3 ? { ...part, parts: parts(random, depth + 1) } : part;
  });
}

await runWhenMain(import.meta.url, { name: 'json', pieces: jsonLines, end: '\n' });
