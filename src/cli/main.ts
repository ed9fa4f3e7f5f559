/** Starts the command line: runs the program, turns what it throws into a message and an exit status. */
import type { Command } from 'commander';
import { interruption } from './signals.ts';
import { print, StdoutClosed } from './terminal/output.ts';
import { version } from './version.ts';

const args = process.argv.slice(2);
let program: Command | undefined;
try {
  // Scripts ask for the version; loading commander would take half of the time.
  if (args.length === 1 && /^(-V|--version)$/.test(args[0]!)) await print(`${version()}\n`);
  else {
    const { createProgram, understood } = await import('./program.ts');
    let help = '';
    program = await createProgram(args, (text) => {
      help += text;
    });
    await program.parseAsync(understood(args), { from: 'user' }).catch((error: unknown) => {
      // Commander ends with an error when there was help to show.
      if (!help) throw error;
      return print(help);
    });
  }
  process.exitCode = interruption.exitCode ?? process.exitCode ?? 0;
} catch (error) {
  const { signal, exitCode = 0 } = interruption;
  const expected = error instanceof StdoutClosed || (signal.aborted && error === signal.reason);
  if (expected) process.exitCode = exitCode;
  else {
    const { report } = await import('./errors.ts').catch(() => {
      throw error;
    });
    process.exitCode = report(error, program?.opts().debug === true);
  }
}
// Nothing is left to do, but a terminal that was read, or a worker, may keep the event loop alive.
process.exit();
