/** Lets others have their turn: signals and timers in Node.js; input and painting in a browser, which has no `setImmediate`. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve);
  });
}
