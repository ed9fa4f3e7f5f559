/** Taking turns with everything else that the process has to do while an engine computes. */

/** Milliseconds after which signals and timers get their turn. */
const LONGEST = 25;

/** Lets others have their turn: signals and timers in Node.js; input and painting in a browser, which has no `setImmediate`. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve);
  });
}

/** When others had their turn last: an engine has one for all that it runs, however short each replay is. */
export class Breath {
  #last = performance.now();

  /** To be called between pieces of work, and awaited if there is something to await: then it was time. */
  take(): Promise<void> | undefined {
    if (performance.now() - this.#last <= LONGEST) return undefined;
    return breathe().then(() => {
      this.#last = performance.now();
    });
  }
}
