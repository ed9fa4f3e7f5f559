/**
 * The one error class of charloom. Every failure that a user can meet is a `CharloomError` with a stable
 * code; anything else that is thrown is a defect. The command line maps the code to an exit status
 * (`src/cli/errors.ts`).
 */
export type ErrorCode =
  | 'USAGE' // an option or argument is wrong
  | 'BAD_DATA' // a corpus, configuration or checkpoint is not what it should be
  | 'NO_INPUT' // an input file or run does not exist or cannot be read
  | 'UNAVAILABLE' // an engine cannot run on this machine
  | 'CANNOT_CREATE' // an output folder or file cannot be created
  | 'IO' // reading or writing failed (disk full, device error)
  | 'BUSY' // the run folder is in use by another process
  | 'DIVERGED'; // the loss or the weights are no longer finite

/** A failure that a user can meet: what happened (`message`), of which kind (`code`), what to do (`hint`). */
export class CharloomError extends Error {
  override readonly name = 'CharloomError';
  readonly code: ErrorCode;
  /** What the user can do about it: one line, or empty. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint = '', options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** A path as a shell takes it, for hints that say what to type. */
export function shellWord(path: string): string {
  return /^[\w@%+=:,./\p{L}\p{N}-]+$/u.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
