/** The command line: every subcommand, its help, and nothing of its work. */
import { Command } from 'commander';
import { benchCommand } from './bench.ts';
import { corpusCommand } from './corpus.ts';
import { devicesCommand } from './devices.ts';
import { evalCommand } from './eval.ts';
import { examples } from './help.ts';
import { infoCommand } from './info.ts';
import { resumeCommand } from './resume.ts';
import { sampleCommand } from './sample.ts';
import { trainCommand } from './train.ts';
import { version } from './version.ts';

/** The whole program, to be parsed by main.ts. */
export function createProgram(): Command {
  const program = new Command('charloom')
    .description(
      'Train character-level RNN, LSTM and GRU networks on text, sample from them, measure perplexity.',
    )
    .version(version())
    .option('--debug', 'show the stack of an error')
    .addHelpText(
      'before',
      examples(
        'charloom train book.txt                            train, save to runs/book',
        'charloom sample runs/book --prompt "The "          write text in its manner',
        'charloom eval runs/book other.txt                  cross-entropy, bits per character, perplexity',
      ),
    );
  const commands = [
    trainCommand(),
    resumeCommand(),
    sampleCommand(),
    evalCommand(),
    infoCommand(),
    devicesCommand(),
    benchCommand(),
    corpusCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  throwErrors(program, 'charloom');
  return program;
}

/** Makes a command and its subcommands throw errors, for main.ts to report, and point to their own help. */
function throwErrors(command: Command, path: string): void {
  command
    .exitOverride()
    .showHelpAfterError(`(see '${path} --help')`)
    // A suggestion ("Did you mean …?") stays on the line of its error: an error has two lines at most.
    .configureOutput({ outputError: (text, write) => write(`${text.trim().replaceAll('\n', ' ')}\n`) });
  for (const sub of command.commands) throwErrors(sub, `${path} ${sub.name()}`);
}
