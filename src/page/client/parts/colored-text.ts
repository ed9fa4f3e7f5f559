/**
 * A long text in which every symbol has a colour, and a cursor marks one: moved by pointing, tapping, and keys. The text stays
 * plain text (which can be searched, copied and read aloud): colours are custom highlights (CSS Custom Highlight API level 1),
 * made where one looks.
 */
import type { Scale } from '../../scale.ts';
import { adoptColours } from './colours.ts';

/** What is known of the n symbols of a block of text. */
export interface Block {
  /** [n]: UTF-16 units of each, as it is shown. */
  readonly lengths: Uint16Array;
  /** [n] */
  readonly levels: Uint8Array;
}

/** A symbol of the text, and where it is. */
export interface Spot {
  readonly place: number;
  readonly block: number;
  /** Its place in its block. */
  readonly index: number;
  /** What is shown of it, without a line break; a blank by its name. */
  readonly name: string;
}

export interface ColoredTextOptions {
  /** Holds one element per block, each with one text node. */
  readonly element: HTMLElement;
  /** Symbols of the text. */
  readonly length: number;
  /** First symbol of each block. */
  readonly starts: readonly number[];
  readonly scale: Scale;
  /** The level that needs no colour: that of the ground. */
  readonly ground: number;
  /** Is asked for the same block more than once. */
  load(block: number): Promise<Block>;
  /** Is told where the cursor is. */
  onMove(spot: Spot): void;
}

/** Space that is kept around the cursor when it moves by keys, in pixels. */
const MARGIN = 48;

export class ColoredText {
  readonly #options: ColoredTextOptions;
  readonly #blocks: readonly HTMLElement[];
  readonly #highlights: readonly Highlight[];
  readonly #cursor = new Highlight();
  /** Of blocks near what one sees: the ranges that colour them, as far as they are made. */
  readonly #near = new Map<number, [Highlight, StaticRange][]>();
  #place = 0;
  /** Counts moves: of two that wait for their blocks the later one counts. */
  #moves = 0;

  constructor(options: ColoredTextOptions) {
    this.#options = options;
    this.#blocks = [...options.element.children] as HTMLElement[];
    adoptColours(options.scale, (level) => `::highlight(level-${level}), .level-${level}`);
    this.#highlights = options.scale.light.map((_, level) => {
      const highlight = new Highlight();
      CSS.highlights.set(`level-${level}`, highlight);
      return highlight;
    });
    this.#cursor.priority = 1;
    CSS.highlights.set('cursor', this.#cursor);
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const block = this.#blocks.indexOf(target as HTMLElement);
          if (isIntersecting) void this.#color(block);
          else this.#forget(block);
        }
      },
      { rootMargin: '50%' },
    );
    for (const block of this.#blocks) observer.observe(block);
    this.#listen();
  }

  /** Where the cursor is. */
  get place(): number {
    return this.#place;
  }

  /** Puts the cursor on a symbol; `reveal` scrolls to it. */
  async moveTo(place: number, reveal: boolean): Promise<void> {
    const { length, onMove } = this.#options;
    this.#place = Math.max(0, Math.min(length - 1, place));
    const move = ++this.#moves;
    const block = this.#blockOf(this.#place);
    const { lengths } = await this.#options.load(block);
    if (move !== this.#moves) return;
    this.#cursor.clear();
    this.#cursor.add(this.#range(block, lengths, this.#place));
    if (reveal) this.#reveal(block, lengths);
    const shown = this.#textOf(block, lengths, this.#place).replace('\n', '');
    const name = shown === ' ' ? 'space' : shown.trim() || shown;
    onMove({ place: this.#place, block, index: this.#place - this.#options.starts[block]!, name });
  }

  /** Colours anew, after the levels have changed. */
  recolor(): void {
    for (const block of [...this.#near.keys()]) {
      this.#forget(block);
      void this.#color(block);
    }
  }

  async #color(block: number): Promise<void> {
    if (this.#near.has(block)) return;
    const ranges: [Highlight, StaticRange][] = [];
    this.#near.set(block, ranges);
    const { lengths, levels } = await this.#options.load(block);
    // Meanwhile it may have been forgotten, and begun anew.
    if (this.#near.get(block) !== ranges) return;
    const node = this.#blocks[block]!.firstChild!;
    let start = 0;
    for (let i = 0; i < levels.length; ) {
      const level = levels[i]!;
      let end = start;
      for (; i < levels.length && levels[i] === level; i++) end += lengths[i]!;
      if (level !== this.#options.ground) {
        const highlight = this.#highlights[level]!;
        const range = rangeOf(node, start, end);
        highlight.add(range);
        ranges.push([highlight, range]);
      }
      start = end;
    }
  }

  #forget(block: number): void {
    for (const [highlight, range] of this.#near.get(block) ?? []) highlight.delete(range);
    this.#near.delete(block);
  }

  #blockOf(place: number): number {
    const { starts } = this.#options;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** UTF-16 offsets in its block at which the symbol starts and ends. */
  #offsets(block: number, lengths: Uint16Array, place: number): readonly [number, number] {
    const index = place - this.#options.starts[block]!;
    let start = 0;
    for (let i = 0; i < index; i++) start += lengths[i]!;
    return [start, start + lengths[index]!];
  }

  #range(block: number, lengths: Uint16Array, place: number): StaticRange {
    return rangeOf(this.#blocks[block]!.firstChild!, ...this.#offsets(block, lengths, place));
  }

  #textOf(block: number, lengths: Uint16Array, place: number): string {
    return this.#blocks[block]!.textContent!.slice(...this.#offsets(block, lengths, place));
  }

  /** The box of a symbol in the window. */
  #box(block: number, lengths: Uint16Array, place: number): DOMRect {
    const node = this.#blocks[block]!.firstChild!;
    const [start, end] = this.#offsets(block, lengths, place);
    const range = document.createRange();
    range.setStart(node, start);
    // A line break has a box on the next line.
    range.setEnd(node, end > start + 1 && node.textContent![end - 1] === '\n' ? end - 1 : end);
    return range.getBoundingClientRect();
  }

  #reveal(block: number, lengths: Uint16Array): void {
    const bottom = this.#bottom();
    let box = this.#box(block, lengths, this.#place);
    if (box.height === 0) {
      // A block out of sight has no layout yet.
      this.#blocks[block]!.scrollIntoView({ block: 'center' });
      box = this.#box(block, lengths, this.#place);
    }
    const above = box.top - MARGIN;
    const below = box.bottom + MARGIN - bottom;
    if (above < -bottom || below > bottom) scrollBy({ top: (box.top + box.bottom - bottom) / 2 });
    else if (above < 0) scrollBy({ top: above });
    else if (below > 0) scrollBy({ top: below });
  }

  /** Where the window ends, or the read-out that lies over it on a small screen begins. */
  #bottom(): number {
    const aside = document.querySelector('aside');
    if (!aside || getComputedStyle(aside).bottom === 'auto') return innerHeight;
    return Math.min(innerHeight, aside.getBoundingClientRect().top);
  }

  /** The symbol at a point of the window, or undefined if there is none. */
  async #at(x: number, y: number): Promise<number | undefined> {
    const caret = document.caretPositionFromPoint(x, y);
    const element = caret?.offsetNode.parentElement;
    const block = element ? this.#blocks.indexOf(element) : -1;
    if (block < 0) return undefined;
    const { lengths } = await this.#options.load(block);
    let place = this.#options.starts[block]!;
    let end = 0;
    // A caret stands between two symbols: the one after it, or the one before it, is under the point.
    for (const length of lengths) {
      end += length;
      if (end >= caret!.offset) {
        const box = this.#box(block, lengths, place);
        if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) return place;
        if (end > caret!.offset) return undefined;
      }
      place++;
    }
    return undefined;
  }

  #listen(): void {
    const { element } = this.#options;
    let last = '';
    const point = async ({ clientX, clientY }: MouseEvent): Promise<void> => {
      // Scrolling under a pointer that rests is no pointing.
      if (last === `${clientX} ${clientY}`) return;
      last = `${clientX} ${clientY}`;
      const place = await this.#at(clientX, clientY);
      if (place !== undefined && place !== this.#place) await this.moveTo(place, false);
    };
    element.addEventListener('pointermove', (event) => void point(event));
    element.addEventListener('click', (event) => {
      last = '';
      void point(event);
    });
    element.addEventListener('keydown', (event) => {
      if (event.altKey || event.metaKey) return;
      const far = event.ctrlKey;
      switch (event.key) {
        case 'ArrowLeft':
          void this.moveTo(this.#place - 1, true);
          break;
        case 'ArrowRight':
          void this.moveTo(this.#place + 1, true);
          break;
        case 'ArrowUp':
          void this.#line(-1);
          break;
        case 'ArrowDown':
          void this.#line(1);
          break;
        case 'Home':
          if (!far) return;
          void this.moveTo(0, true);
          break;
        case 'End':
          if (!far) return;
          void this.moveTo(this.#options.length - 1, true);
          break;
        default:
          return;
      }
      event.preventDefault();
    });
  }

  /** Moves the cursor to the line above or below, as it is broken on the screen. */
  async #line(direction: 1 | -1): Promise<void> {
    const block = this.#blockOf(this.#place);
    const { lengths } = await this.#options.load(block);
    this.#reveal(block, lengths);
    const from = this.#box(block, lengths, this.#place);
    const { length } = this.#options;
    // Symbol by symbol: what is not on the screen cannot be pointed at.
    let best: number | undefined;
    let distance = Number.POSITIVE_INFINITY;
    let line: number | undefined;
    for (let place = this.#place + direction; place >= 0 && place < length; place += direction) {
      const own = this.#blockOf(place);
      const box = this.#box(own, (await this.#options.load(own)).lengths, place);
      const middle = (box.top + box.bottom) / 2;
      if (middle > from.top && middle < from.bottom) continue;
      line ??= middle;
      if (middle < line - box.height / 2 || middle > line + box.height / 2) break;
      const apart = Math.abs(box.left - from.left);
      if (apart < distance) [best, distance] = [place, apart];
    }
    if (best !== undefined) await this.moveTo(best, true);
  }
}

function rangeOf(node: Node, start: number, end: number): StaticRange {
  return new StaticRange({ startContainer: node, startOffset: start, endContainer: node, endOffset: end });
}
