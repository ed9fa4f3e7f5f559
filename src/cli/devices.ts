/** `charloom devices`: which engines can run here, and why others cannot. */
import { Command } from 'commander';
import type { AdapterDescription } from '../engine/engine.ts';
import { listEngines } from '../engine/open.ts';
import { examples } from './help.ts';
import { bytes, table } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';
import { waiting } from './terminal/wait.ts';

export function devicesCommand(): Command {
  return new Command('devices')
    .description('list the engines that can run the model, and why others cannot')
    .option('--json', 'print one JSON object')
    .addHelpText('before', examples('charloom devices', 'charloom devices --json'))
    .action(async ({ json }: { json?: boolean }) => {
      const engines = await listEngines({ show: waiting });
      if (json) return printJson({ engines });
      const rows = engines.flatMap(({ name, available, detail, adapter }) => [
        [name, available ? 'yes' : 'no', detail],
        ...(adapter ? aboutAdapter(adapter).map((line) => ['', '', line]) : []),
      ]);
      return print(table([['DEVICE', 'AVAILABLE', 'DETAIL'], ...rows]));
    });
}

/** Two lines: what it is, and how large things may be there. */
export const aboutAdapter = (adapter: AdapterDescription): string[] => [
  `${adapter.hardware ? 'hardware' : 'software, no GPU'}; ${adapter.backend}, driver ${adapter.driver}`,
  `buffers of at most ${bytes(adapter.maxBufferBytes)}, ${bytes(adapter.maxBindingBytes)} of one in a kernel`,
];
