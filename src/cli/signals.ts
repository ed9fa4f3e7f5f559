/**
 * Ctrl-C and termination. The first signal asks for an orderly end: training finishes its step and saves,
 * other work stops where it is. The second ends the process at once.
 */

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

class Interruption {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;

  constructor() {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        if (this.#exitCode !== undefined) process.exit(STATUS[name]);
        this.#exitCode = STATUS[name];
        this.#controller.abort();
      });
    }
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 130 or 143 once a signal has come. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }
}

/** The process has one: signals are its, not a command's. */
export const interruption = new Interruption();
