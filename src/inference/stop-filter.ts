/** Ends a stream of text where a stop string begins, however the text is cut into pieces. */
export class StopFilter {
  readonly #stop: string;
  /** The end of the text so far that may be the beginning of the stop string. */
  #held = '';
  #found = false;

  /** @param stop what ends the text; it is not part of it. Empty: nothing does. */
  constructor(stop: string) {
    this.#stop = stop;
  }

  /** Whether the stop string has come. */
  get found(): boolean {
    return this.#found;
  }

  /** The text that is certain with this piece. */
  push(piece: string): string {
    if (this.#found) return '';
    if (this.#stop === '') return piece;
    const text = this.#held + piece;
    const at = text.indexOf(this.#stop);
    if (at >= 0) {
      this.#found = true;
      this.#held = '';
      return text.slice(0, at);
    }
    let keep = Math.min(text.length, this.#stop.length - 1);
    while (keep > 0 && !this.#stop.startsWith(text.slice(text.length - keep))) keep--;
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** What was held back, when no more text comes. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}
