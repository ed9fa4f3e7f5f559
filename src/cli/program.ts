/** The command line: every subcommand, its help, and nothing of its work. */
import { Command } from 'commander';
import { examples } from './help.ts';
import { version } from './version.ts';

/** The subcommands, in the order in which help lists them. Each is loaded only when it is needed. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  train: async () => (await import('./train.ts')).trainCommand(),
  resume: async () => (await import('./resume.ts')).resumeCommand(),
  sample: async () => (await import('./sample.ts')).sampleCommand(),
  eval: async () => (await import('./eval.ts')).evalCommand(),
  surprise: async () => (await import('./surprise.ts')).surpriseCommand(),
  neurons: async () => (await import('./neurons.ts')).neuronsCommand(),
  gradients: async () => (await import('./gradients.ts')).gradientsCommand(),
  report: async () => (await import('./report.ts')).reportCommand(),
  play: async () => (await import('./play.ts')).playCommand(),
  export: async () => (await import('./export.ts')).exportCommand(),
  compress: async () => (await import('./compress.ts')).compressCommand(),
  decompress: async () => (await import('./decompress.ts')).decompressCommand(),
  info: async () => (await import('./info.ts')).infoCommand(),
  devices: async () => (await import('./devices.ts')).devicesCommand(),
  bench: async () => (await import('./bench.ts')).benchCommand(),
  corpus: async () => (await import('./corpus.ts')).corpusCommand(),
};

/**
 * What commander is to read: with `--help` or `help` before it, commander would not say that a command does not exist.
 * @returns the name alone, if the arguments name a command that there is not
 */
export function understood(args: readonly string[]): readonly string[] {
  const name = args[0] === 'help' ? args[1] : args[0];
  const isCommand =
    name === undefined || name.startsWith('-') || name === 'help' || Object.hasOwn(COMMANDS, name);
  return isCommand ? args : [name];
}

/** The subcommands that these arguments may be about: one, none, or, for help and for what is misspelt, all. */
function neededCommands(args: readonly string[]): string[] {
  const [first = ''] = args;
  if (Object.hasOwn(COMMANDS, first)) return [first];
  return first === '--version' || first === '-V' ? [] : Object.keys(COMMANDS);
}

/**
 * The program as far as `args`, those of the command line, need it; to be parsed by main.ts.
 * @param show is given help, which commander itself would print without a look at whether that works
 */
export async function createProgram(args: readonly string[], show: (text: string) => void): Promise<Command> {
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
  for (const name of neededCommands(args)) program.addCommand(await COMMANDS[name]!());
  prepare(program, 'charloom', show);
  return program;
}

/** Makes a command and its subcommands throw errors, for main.ts to report, and point to their own help. */
function prepare(command: Command, path: string, show: (text: string) => void): void {
  command
    .exitOverride()
    .showHelpAfterError(`(see '${path} --help')`)
    // A suggestion ("Did you mean …?") stays on the line of its error: an error has two lines at most.
    .configureOutput({
      writeOut: show,
      outputError: (text, write) => write(`${text.trim().replaceAll('\n', ' ')}\n`),
    });
  for (const sub of command.commands) prepare(sub, `${path} ${sub.name()}`, show);
}
