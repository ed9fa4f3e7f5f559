/**
 * Ctrl-C, termination, and a terminal that is closed. The first signal asks for an orderly end: training finishes its step and
 * saves, other work stops where it is. The second ends the process at once.
 */
import { isatty } from 'node:tty';

const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

class Interruption {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;

  constructor() {
    const detached = isDetached(); // of a terminal that is gone, nobody can tell any more that it was one
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        if (name === 'SIGHUP' && detached) return;
        // A terminal that is closed may be told of twice, by the system and by the shell.
        if (this.#exitCode !== undefined && name === 'SIGHUP') return;
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

  /** 130, 143 or 129 once a signal has come. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }
}

/**
 * Whether the process has no terminal that it could lose: it was started with `nohup`, or by a service. Node.js forgets that
 * `nohup` had it ignore SIGHUP; then the signal is not meant for it.
 */
function isDetached(): boolean {
  return ![0, 1, 2].some((descriptor) => isatty(descriptor));
}

/** The process has one: signals are its, not a command's. */
export const interruption = new Interruption();
