/** `charloom devices`: which engines can run here, and why others cannot. */
import { Command } from 'commander';
import { listEngines } from '../engine/open.ts';
import { examples } from './help.ts';
import { table } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';

export function devicesCommand(): Command {
  return new Command('devices')
    .description('list the engines that can run the model, and why others cannot')
    .option('--json', 'print one JSON object')
    .addHelpText('before', examples('charloom devices', 'charloom devices --json'))
    .action(async ({ json }: { json?: boolean }) => {
      const engines = await listEngines();
      if (json) return printJson({ engines });
      const rows = engines.map(({ name, available, detail }) => [name, available ? 'yes' : 'no', detail]);
      return print(table([['DEVICE', 'AVAILABLE', 'DETAIL'], ...rows]));
    });
}
