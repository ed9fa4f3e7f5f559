/** `charloom play`: a model in the browser, served by this machine to itself. */
import { Command } from 'commander';
import { checkFields, integer } from '../fields.ts';
import { hasScreen, openBrowser } from './browser.ts';
import { examples } from './help.ts';
import { checkpointOption, numberOption, OPTION_ORIGIN } from './options.ts';
import { pageOf } from './play-model.ts';
import { serve } from './play-server.ts';
import { interruption } from './signals.ts';
import { note, print } from './terminal/output.ts';

interface PlayOptions {
  readonly port: number;
  readonly open?: boolean;
  readonly checkpoint: string;
}

export function playCommand(): Command {
  return new Command('play')
    .description('watch a model write in the browser: type, draw, see what it expects and what surprises it')
    .argument('<model>', 'run folder or checkpoint folder')
    .addOption(numberOption('--port <n>', 'port of 127.0.0.1 to serve on; 0: one that is free').default(0))
    .option('--open', 'open the browser (default: on a terminal, where there is a screen)')
    .option('--no-open', 'only print the address')
    .addOption(checkpointOption())
    .addHelpText(
      'before',
      examples(
        'charloom play runs/book',
        'charloom play runs/book --port 8000 --no-open',
        'charloom export runs/book --html book.html     the same page as a file',
      ),
    )
    .action(play);
}

async function play(path: string, options: PlayOptions): Promise<void> {
  const { port } = checkFields<Pick<PlayOptions, 'port'>>(
    options,
    { port: integer(0, 65535) },
    OPTION_ORIGIN,
  );
  const { html } = await pageOf(path, options.checkpoint);
  const server = await serve(html, port);
  try {
    await print(`${server.url}\n`);
    const { signal } = interruption;
    if (options.open ?? (process.stdout.isTTY && hasScreen())) {
      void openBrowser(server.url).then((problem) => {
        if (problem && !signal.aborted)
          note(`the browser could not be opened: ${problem}; open the address above yourself`);
      });
    }
    if (process.stdout.isTTY) note('Ctrl-C ends it');
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  } finally {
    await server.close();
  }
}
