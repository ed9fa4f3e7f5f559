/** Options that several commands have. */
import { InvalidArgumentError, Option } from 'commander';
import { DEVICES } from '../engine/open.ts';

/** Which engine. What `auto` means is the command's. */
const deviceOption = (auto: string): Option =>
  new Option('--device <name>', `engine to run on; auto: ${auto}`).choices(DEVICES).default('auto');

export const trainingDeviceOption = (): Option =>
  deviceOption('a GPU in hardware if it is faster for this model, else simd');

export const inferenceDeviceOption = (): Option =>
  deviceOption('simd, since one text at a time does not fill a GPU');

/** How many threads the engine on the processor has. */
export const threadsOption = (): Option =>
  numberOption('--threads <n>', 'threads of the simd engine (default: as many as the machine has cores)');

/** Which checkpoint of a run. */
export const checkpointOption = (): Option =>
  new Option('--checkpoint <which>', 'best, latest, or the number of a step').default('best');

/** An option whose argument is a number; ranges are checked where it is used. */
export const numberOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((text) => {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('Not a number.');
    return value;
  });

/** learningRate → --learning-rate, as commander does it the other way round. */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
