/** From errors to what the user sees and what scripts get: one or two lines, and an exit status. */
import { CommanderError } from 'commander';
import { CharloomError, type ErrorCode } from '../errors.ts';
import { printableLine } from './terminal/printable.ts';
import { styled } from './terminal/style.ts';

/** Exit statuses; the numbers from 64 up are those of sysexits.h. */
export const EXIT: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  BAD_DATA: 65,
  NO_INPUT: 66,
  UNAVAILABLE: 69,
  CANNOT_CREATE: 73,
  IO: 74,
  BUSY: 75,
  DIVERGED: 76,
};
/** A defect of charloom itself (EX_SOFTWARE). */
const EXIT_INTERNAL = 70;

/** Prints `error` on stderr, with its stack if `debug`, and returns the exit status. */
export function report(error: unknown, debug: boolean): number {
  // Commander has printed its own message already.
  if (error instanceof CommanderError) return EXIT.USAGE;
  const style = styled(process.stderr);
  const known = error instanceof CharloomError ? error : fromSystem(error);
  const message =
    known?.message ?? `internal error: ${error instanceof Error ? error.message : String(error)}`;
  const hint = known
    ? known.hint
    : 'this is a defect of charloom; run again with --debug and report what it says';
  process.stderr.write(`${style.red('error:')} ${printableLine(message)}\n`);
  if (hint) process.stderr.write(`${style.dim('hint:')} ${printableLine(hint)}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return known ? EXIT[known.code] : EXIT_INTERNAL;
}

/** Errors of the operating system that no layer has given a meaning. */
function fromSystem(error: unknown): CharloomError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  const { code, path } = error as NodeJS.ErrnoException;
  const what = `${path ? `${path}: ` : ''}${error.message}`;
  switch (code) {
    case 'ENOENT':
    case 'EISDIR':
      return new CharloomError('NO_INPUT', what);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EEXIST':
    case 'ENOTDIR':
      return new CharloomError('CANNOT_CREATE', what);
    default:
      return new CharloomError('IO', what);
  }
}
