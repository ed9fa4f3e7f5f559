/**
 * Whether all threads walk a list, or one alone. Threads that meet at barriers wait for the slowest of them; one that
 * another program keeps from its processor is back after milliseconds, a hundred times what a step of sampling takes.
 * Then one thread alone is faster, for as long as that program runs. Only trying tells. What it comes to changes no bits.
 */

/** A spell of one or of all is at least so many milliseconds of walking, and one walk. */
const SPELL = 20;

/** One thread goes on alone for so many times, at most, as long as the trial of all took that it was faster than. */
const LONGEST = 32;

/** The threads of one list. */
export class Crew {
  #together = true;
  /** Of this spell so far. */
  #milliseconds = 0;
  #walks = 0;
  /** Milliseconds of a walk in the last spell of all threads, and in that of one; not known at first. */
  #ofAll = Number.NaN;
  #ofOne = Number.NaN;
  /** Spells of all, one after the other, that were slower than one of one. */
  #slow = 0;
  /** Milliseconds that one thread is to go on alone; how many times a trial the next time. */
  #left = 0;
  #patience = 1;

  /** Whether all are to walk next. */
  get together(): boolean {
    return this.#together;
  }

  /** They have walked the list once, or one has. */
  walked(milliseconds: number): void {
    this.#milliseconds += milliseconds;
    this.#walks++;
    if (this.#milliseconds < SPELL) return;
    if (this.#together) this.#endTogether(this.#milliseconds);
    else this.#endAlone(this.#milliseconds);
    this.#milliseconds = 0;
    this.#walks = 0;
  }

  #endTogether(spell: number): void {
    const isFirst = Number.isNaN(this.#ofAll);
    this.#ofAll = spell / this.#walks;
    if (isFirst) {
      this.#together = false; // for comparison
    } else if (this.#ofAll <= this.#ofOne) {
      this.#slow = 0;
      this.#patience = 1;
    } else {
      // A spell may be a single long walk, and one that is a little slow says nothing of the next.
      this.#slow++;
      if (this.#slow === 2 || this.#ofAll > 2 * this.#ofOne) this.#goAlone(spell);
    }
  }

  #endAlone(spell: number): void {
    const isFirst = Number.isNaN(this.#ofOne);
    this.#ofOne = spell / this.#walks;
    this.#left -= spell;
    // The spell of all before it was a trial, too.
    if (isFirst && this.#ofAll > this.#ofOne) this.#goAlone(Math.max(SPELL, this.#ofAll));
    else this.#together = this.#left <= 0;
  }

  /** One alone was faster than all in a trial that took so long: the more often, the longer until the next one. */
  #goAlone(trial: number): void {
    this.#together = false;
    this.#slow = 0;
    this.#left = this.#patience * trial;
    this.#patience = Math.min(2 * this.#patience, LONGEST);
  }
}
