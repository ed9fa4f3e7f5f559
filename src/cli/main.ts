/** Starts the command line: runs the program, turns what it throws into a message and an exit status. */
import { CommanderError } from 'commander';
import { createProgram } from './program.ts';
import { interruption } from './signals.ts';
import { StdoutClosed } from './terminal/output.ts';

const program = await createProgram(process.argv.slice(2));
try {
  await program.parseAsync();
  process.exitCode = interruption.exitCode ?? process.exitCode ?? 0;
} catch (error) {
  const { signal, exitCode = 0 } = interruption;
  const printed = error instanceof CommanderError && error.exitCode === 0; // help, or the version
  const expected = printed || error instanceof StdoutClosed || (signal.aborted && error === signal.reason);
  if (expected) process.exitCode = exitCode;
  else {
    const { report } = await import('./errors.ts').catch(() => {
      throw error;
    });
    process.exitCode = report(error, program.opts().debug === true);
  }
}
// Nothing is left to do, but a terminal that was read, or a worker, may keep the event loop alive.
process.exit();
