/** Failures of system calls on files, as errors that a user can do something about. */
import { CharloomError } from './errors.ts';

const NO_INPUT = new Map([
  ['ENOENT', 'it does not exist'],
  ['ENOTDIR', 'a part of its path is not a folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EISDIR', 'it is a folder'],
  ['ELOOP', 'too many symbolic links'],
  ['ENAMETOOLONG', 'its name is too long'],
  ['ERR_INVALID_ARG_VALUE', 'no file can have this name'], // of a NUL, which only a damaged config.json gives
]);

const CANNOT_CREATE = new Map([
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENOENT', 'its folder does not exist'],
  ['ENOTDIR', 'a part of its path is not a folder'],
  ['EISDIR', 'it is a folder'],
  ['EEXIST', 'it already exists'],
  ['ENOTEMPTY', 'a folder that is not empty has this name'],
  ['ENAMETOOLONG', 'its name is too long'],
  ['ELOOP', 'too many symbolic links'],
]);

const WRITING_FAILED = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EFBIG', 'the file is larger than the system allows'],
  ['EIO', 'device error'],
  ['EPIPE', 'nobody reads it any more'],
]);

/**
 * What went wrong in reading: a `CharloomError` NO_INPUT or IO that names the file.
 * @param label what the message calls the file
 * @returns what is no error of the system as it is
 */
export function asReadError(error: unknown, label: string): unknown {
  if (!isSystemError(error)) return error;
  const reason = NO_INPUT.get(error.code);
  if (reason) return new CharloomError('NO_INPUT', `cannot read ${label}: ${reason}`, '', { cause: error });
  return new CharloomError('IO', `reading ${label} failed: ${error.message}`, '', { cause: error });
}

/** What went wrong in writing: CANNOT_CREATE or IO; otherwise as `asReadError`. */
export function asWriteError(error: unknown, label: string): unknown {
  if (!isSystemError(error)) return error;
  const reason = CANNOT_CREATE.get(error.code);
  if (reason) {
    return new CharloomError('CANNOT_CREATE', `cannot create ${label}: ${reason}`, '', { cause: error });
  }
  return new CharloomError('IO', `writing ${label} failed: ${whyWritingFailed(error)}`, '', { cause: error });
}

/** Why a system call could not write to a file that is open. */
export function whyWritingFailed(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return WRITING_FAILED.get(code) ?? message;
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return !(error instanceof CharloomError) && error instanceof Error && 'code' in error;
}
