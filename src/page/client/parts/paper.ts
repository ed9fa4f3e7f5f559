/**
 * The text on the page, each character coloured. It keeps the last ones only, some thousands: browsers become slow where a
 * page has more coloured characters than anybody looks at.
 */
import { visible } from '../../glyphs.ts';
import type { View } from './writer.ts';

/** Characters of a line after which it is broken all the same: a long paragraph takes long to lay out. */
const LONGEST_LINE = 2000;
/** Characters that are put on the page in one go, between two frames. */
const PER_FRAME = 4000;

/** A piece of text that is coloured as one: a character, as a rule. */
export interface Piece {
  readonly text: string;
  /** Whether it was given to the network, and not written by it. */
  readonly given: boolean;
  /** Whether it is not in the vocabulary. */
  readonly unknown: boolean;
  readonly bits: number | undefined;
  readonly activations: Int8Array;
}

/** The name of a piece's colour. */
export type Colouring = (piece: Piece) => string;

interface Line {
  readonly element: HTMLElement;
  length: number;
}

export class Paper implements View {
  readonly #element: HTMLElement;
  readonly most: number;
  readonly #onChange: () => void;
  #colouring: Colouring;
  #pieces: Piece[] = [];
  /** The elements of those pieces, from the first one on, that are on the page, and the lines that they are in. */
  #spans: HTMLElement[] = [];
  #lines: Line[] = [];
  #endsLine = true;
  #dropped = 0;

  /**
   * @param most about so many pieces are kept
   * @param onChange is told when there is something to be rendered
   */
  constructor(element: HTMLElement, most: number, colouring: Colouring, onChange: () => void) {
    this.#element = element;
    this.most = most;
    this.#colouring = colouring;
    this.#onChange = onChange;
  }

  /** Empties it. */
  clear(): void {
    this.#pieces = [];
    this.#dropped = 0;
    this.#wipe();
    this.#onChange();
  }

  /** Pieces that are no longer kept, or never were. */
  get dropped(): number {
    return this.#dropped;
  }

  add(piece: Piece): void {
    this.#pieces.push(piece);
    // Far behind, as where the page is in the background: what nobody will see is not put there.
    if (this.#pieces.length - this.#spans.length > 2 * this.most) {
      this.#wipe();
      this.#drop(this.#pieces.length - this.most);
    }
    this.#onChange();
  }

  /** Drops what there is, and a piece that comes after it. */
  skip(): void {
    if (this.#pieces.length > 0) this.#wipe();
    this.#drop(this.#pieces.length);
    this.#dropped++;
    this.#onChange();
  }

  /** Colours all of it anew. */
  recolour(colouring: Colouring): void {
    this.#colouring = colouring;
    for (const [i, span] of this.#spans.entries()) span.className = this.#look(this.#pieces[i]!);
  }

  /** Puts on the page what was added. @returns whether there is more */
  render(): boolean {
    const end = Math.min(this.#pieces.length, this.#spans.length + PER_FRAME);
    if (end === this.#spans.length) return false;
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    const atEnd = scrollHeight - scrollTop - clientHeight < 40;
    while (this.#spans.length < end) this.#append(this.#pieces[this.#spans.length]!);
    while (this.#lines.length > 1 && this.#spans.length - this.#lines[0]!.length >= this.most) {
      const { element, length } = this.#lines.shift()!;
      element.remove();
      this.#spans.splice(0, length);
      this.#drop(length);
    }
    if (atEnd) this.#element.scrollTop = this.#element.scrollHeight;
    return this.#spans.length < this.#pieces.length;
  }

  #append(piece: Piece): void {
    const line =
      this.#endsLine || this.#lines.at(-1)!.length >= LONGEST_LINE ? this.#newLine() : this.#lines.at(-1)!;
    this.#endsLine = piece.text === '\n' || piece.text === '\r\n';
    const span = document.createElement('span');
    span.className = this.#look(piece);
    // What ends a line is seen by its style alone, so that it is not in what is selected and copied.
    if (!this.#endsLine) span.textContent = visible(piece.text, '\t\n');
    if (piece.unknown) span.title = 'not in the vocabulary of the network';
    line.element.append(span);
    line.length++;
    this.#spans.push(span);
  }

  #look(piece: Piece): string {
    const ends = piece.text === '\n' || piece.text === '\r\n';
    return [this.#colouring(piece), piece.given && 'given', piece.unknown && 'unknown', ends && 'break']
      .filter(Boolean)
      .join(' ');
  }

  #newLine(): Line {
    const element = document.createElement('div');
    element.dir = 'auto';
    this.#element.append(element);
    const line = { element, length: 0 };
    this.#lines.push(line);
    return line;
  }

  #drop(count: number): void {
    this.#pieces.splice(0, count);
    this.#dropped += count;
  }

  #wipe(): void {
    this.#element.replaceChildren();
    this.#spans = [];
    this.#lines = [];
    this.#endsLine = true;
  }
}
