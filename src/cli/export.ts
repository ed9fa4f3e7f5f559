/** `charloom export`: a model as a file that others can use. */
import { Command } from 'commander';
import { CharloomError, shellWord } from '../errors.ts';
import { examples } from './help.ts';
import { checkpointOption } from './options.ts';
import { writeOutput } from './output-file.ts';
import { pageOf } from './play-model.ts';
import { textsOf } from './run-corpus.ts';
import { bytes } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

interface ExportOptions {
  readonly html?: string;
  readonly checkpoint: string;
  readonly json?: boolean;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('save a model as a web page on which it writes, in one file that needs nothing else')
    .argument('<model>', 'run folder or checkpoint folder')
    .option('--html <file>', 'where the page goes; a file of this name is replaced')
    .addOption(checkpointOption())
    .option('--json', 'print one JSON object')
    .addHelpText('before', examples('charloom export runs/book --html book.html'))
    .action(exportModel);
}

async function exportModel(path: string, { html: file, checkpoint, json }: ExportOptions): Promise<void> {
  if (!file) {
    throw new CharloomError(
      'USAGE',
      'export as what? There is one form: --html FILE, a web page with the model in it',
      `charloom export ${shellWord(path)} --html model.html`,
    );
  }
  const page = await pageOf(path, checkpoint);
  await writeOutput(file, '--html', page.html, { inputs: textsOf(page.run) });
  if (json) return printJson({ path: file, bytes: page.bytes, step: page.step });
  return print(`${printableLine(file)}: ${bytes(page.bytes)}, step ${page.step}; open it in a browser\n`);
}
