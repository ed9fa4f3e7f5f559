/** Commands for devices that bind storage at multiples of some number of bytes only. */
import { CommandList } from './command-list.ts';
import { type Command, type View, volume } from './commands.ts';

/**
 * The same commands with every view that a dispatch binds at a multiple of `elements`; others are copied to
 * such a place first, or written there and copied back. Models of the usual sizes need none of it.
 */
export function align(commands: readonly Command[], elements: number): readonly Command[] {
  const list = new CommandList();
  for (const command of commands) {
    if (command.kind !== 'dispatch') {
      list.commands.push(command);
      continue;
    }
    const place = (view: View, slot: string): View =>
      view.offset % elements === 0
        ? view
        : { ...view, tensor: list.scratch(slot, volume(view.size)), offset: 0 };
    const inputs = command.inputs.map((view, i) => {
      const aligned = place(view, `aligned ${i}`);
      if (aligned !== view) list.copy(view, aligned);
      return aligned;
    });
    const output = place(command.output, 'aligned output');
    list.commands.push({ ...command, inputs, output });
    if (output !== command.output) list.copy(output, command.output);
  }
  return list.commands;
}
