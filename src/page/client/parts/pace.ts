/** How fast a text is written, and that the browser has its turn meanwhile. */

/** Milliseconds of work after which the browser is let paint and listen. */
const BREATH = 12;

export class Pace {
  /** Characters a second; infinite: as many as can be. */
  perSecond = Number.POSITIVE_INFINITY;
  #due = 0;
  #lastBreath = performance.now();

  /** Lets the browser have its turn, if it is time. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#lastBreath < BREATH) return;
    await turn();
    this.#lastBreath = performance.now();
  }

  /** Waits until it is time for the next character, or until `signal` is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    // Who was late does not hurry to make up for it.
    this.#due = Math.max(now, this.#due);
    const wait = Math.min(this.#due - now, 1000 / this.perSecond);
    if (wait < 4) await this.breathe();
    else {
      await sleep(wait, signal);
      this.#lastBreath = performance.now();
    }
    this.#due += 1000 / this.perSecond;
  }
}

const { port1, port2 } = new MessageChannel();

/** Resolves when the browser has had its turn. Timers would take four milliseconds more, and in the background a second. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}
