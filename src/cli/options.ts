/** Options that several commands have. */
import { InvalidArgumentError, Option } from 'commander';
import { DEVICES } from '../engine/open.ts';

/** Which engine. */
export const deviceOption = (): Option =>
  new Option('--device <name>', 'engine to run on').choices(DEVICES).default('auto');

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
