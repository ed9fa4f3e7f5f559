/** Failures of system calls as errors of charloom. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError, type ErrorCode } from '../src/errors.ts';
import { asReadError, asWriteError } from '../src/system-errors.ts';

const kinds = [
  {
    convert: asWriteError,
    name: 'asWriteError',
    cases: {
      EACCES: ['CANNOT_CREATE', 'cannot create runs/x: permission denied'],
      EPERM: ['CANNOT_CREATE', 'cannot create runs/x: permission denied'],
      EROFS: ['CANNOT_CREATE', 'cannot create runs/x: the file system is read-only'],
      ENOENT: ['CANNOT_CREATE', 'cannot create runs/x: its folder does not exist'],
      ENOTDIR: ['CANNOT_CREATE', 'cannot create runs/x: a part of its path is not a folder'],
      EISDIR: ['CANNOT_CREATE', 'cannot create runs/x: it is a folder'],
      ENOSPC: ['IO', 'writing runs/x failed: the disk is full'],
      EDQUOT: ['IO', 'writing runs/x failed: the disk quota is used up'],
      EIO: ['IO', 'writing runs/x failed: device error'],
      EPIPE: ['IO', 'writing runs/x failed: nobody reads it any more'],
      EFBIG: ['IO', 'writing runs/x failed: the file is larger than the system allows'],
      EMFILE: ['IO', 'writing runs/x failed: EMFILE: no'],
    },
  },
  {
    convert: asReadError,
    name: 'asReadError',
    cases: {
      ENOENT: ['NO_INPUT', 'cannot read runs/x: it does not exist'],
      EACCES: ['NO_INPUT', 'cannot read runs/x: permission denied'],
      EISDIR: ['NO_INPUT', 'cannot read runs/x: it is a folder'],
      ERR_INVALID_ARG_VALUE: ['NO_INPUT', 'cannot read runs/x: no file can have this name'],
      EIO: ['IO', 'reading runs/x failed: EIO: no'],
    },
  },
] as const;

for (const { convert, name, cases } of kinds) {
  describe(name, () => {
    for (const [system, [ours, message]] of Object.entries(cases) as [string, [ErrorCode, string]][]) {
      it(`when the system says ${system} then it is ${ours}, with the reason and the cause`, () => {
        const cause = Object.assign(new Error(`${system}: no`), { code: system });
        const error = convert(cause, 'runs/x');
        assert.ok(error instanceof CharloomError);
        assert.deepEqual([error.code, error.message, error.cause], [ours, message, cause]);
      });
    }

    it('when the error is no error of the system then it stays as it is', () => {
      for (const error of [new TypeError('x'), new CharloomError('BUSY', 'x'), 'text', undefined]) {
        assert.equal(convert(error, 'x'), error);
      }
    });
  });
}
