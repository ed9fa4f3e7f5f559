/** Options that several commands have. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { WEIGHT_TYPES, type WeightType } from '../engine/engine.ts';
import { DEVICES } from '../engine/open.ts';
import type { Origin } from '../fields.ts';

/** Which engine. What `auto` means is the command's. */
const deviceOption = (auto: string): Option =>
  new Option('--device <name>', `engine to run on; auto: ${auto}`).choices(DEVICES).default('auto');

export const trainingDeviceOption = (): Option =>
  deviceOption('native (with a C compiler), else simd, or a GPU in hardware if it is faster for this model');

export const inferenceDeviceOption = (): Option =>
  deviceOption('simd, whose results are the same on every machine');

/** How many threads the engine on the processor has. */
export const threadsOption = (): Option =>
  numberOption(
    '--threads <n>',
    'threads of the native and simd engines (default: as many as the machine has cores)',
  );

/** How the weights are kept while they are only read. */
const weightsOption = (): Option =>
  new Option(
    '--weights <type>',
    'bf16: weights rounded to half their digits, which --device native reads in half the time',
  )
    .choices(WEIGHT_TYPES)
    .default('f32');

/** Which checkpoint of a run. */
export const checkpointOption = (): Option =>
  new Option('--checkpoint <which>', 'best, latest, or the number of a step').default('best');

/** Which model, and how it computes; see `openModel`. */
export interface ModelOptions {
  readonly checkpoint: string;
  readonly device: string;
  readonly threads?: number;
  readonly weights: WeightType;
}

/** Gives a command that reads a model the options of `ModelOptions`. */
export function addModelOptions(command: Command): void {
  for (const option of [checkpointOption, inferenceDeviceOption, threadsOption, weightsOption]) {
    command.addOption(option());
  }
}

/** An option whose argument is a number; ranges are checked where it is used. */
export const numberOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((text) => {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) {
      // Where the number may be left out, what follows is taken for it all the same.
      const hint = flags.endsWith(']') ? ' Give files before this option.' : '';
      throw new InvalidArgumentError(`Not a number.${hint}`);
    }
    return value;
  });

/** learningRate → --learning-rate, as commander does it the other way round. */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Of settings that were given as options, for `checkFields`. */
export const OPTION_ORIGIN: Origin = { code: 'USAGE', field: flagOf };
