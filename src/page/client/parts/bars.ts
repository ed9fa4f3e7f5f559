/** The likeliest next characters, as bars. */

import type { Vocabulary } from '../../../text/vocabulary.ts';
import { nameOf } from '../../glyphs.ts';

const ROWS = 10;

interface Row {
  readonly element: HTMLElement;
  readonly symbol: HTMLElement;
  readonly bar: HTMLElement;
  readonly percent: HTMLElement;
}

export class Bars {
  readonly #rows: readonly Row[];
  readonly #rest: HTMLElement;
  readonly #vocabulary: Vocabulary;

  /** @param list an ordered list, empty; `rest` is told what is left */
  constructor(list: HTMLElement, rest: HTMLElement, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#rest = rest;
    this.#rows = Array.from({ length: Math.min(ROWS, vocabulary.size - 1) }, () => {
      const element = document.createElement('li');
      const [symbol, track, percent] = ['symbol', 'track', 'percent'].map((name) => {
        const part = document.createElement('span');
        part.className = name;
        element.append(part);
        return part;
      });
      const bar = document.createElement('span');
      track!.append(bar);
      list.append(element);
      return { element, symbol: symbol!, bar, percent: percent! };
    });
  }

  /** @param probabilities [V]; undefined where nothing was read yet */
  show(probabilities: Float64Array | undefined): void {
    const ids = probabilities ? greatest(probabilities, this.#rows.length) : [];
    for (const [i, row] of this.#rows.entries()) {
      const id = ids[i];
      const p = id === undefined ? 0 : probabilities![id]!;
      // The row keeps its place, so that nothing below it moves.
      row.element.classList.toggle('none', p === 0);
      const name = p === 0 ? ' ' : nameOf(this.#vocabulary.symbols[id!]!, this.#vocabulary.unit);
      row.symbol.textContent = name;
      row.symbol.classList.toggle('long', /^[\x20-\x7e]{2,}$/.test(name));
      row.bar.style.transform = `scaleX(${p.toFixed(4)})`;
      row.percent.textContent = p === 0 ? '' : percent(p);
    }
    this.#rest.textContent = probabilities ? others(probabilities, ids) : 'Nothing was read yet.';
  }
}

function percent(p: number): string {
  if (p >= 0.9995) return p === 1 ? '100%' : '> 99.9%';
  return p < 0.001 ? '< 0.1%' : `${(100 * p).toFixed(1)}%`;
}

function others(probabilities: Float64Array, shown: readonly number[]): string {
  const excluded = new Set(shown);
  let possible = 0;
  let sum = 0;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0 || excluded.has(id)) continue;
    possible++;
    sum += probabilities[id]!;
  }
  if (possible === 0) return 'Nothing else can come.';
  return `${possible === 1 ? 'One other' : `${possible.toLocaleString('en')} others together`}: ${percent(sum)}`;
}

/** The indices of the greatest values, in descending order; of equal ones those that come first. */
function greatest(values: Float64Array, count: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (found.length === count && values[i]! <= values[found[count - 1]!]!) continue;
    let place = found.length;
    while (place > 0 && values[found[place - 1]!]! < values[i]!) place--;
    found.splice(place, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}
