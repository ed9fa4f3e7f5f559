/** The shapes of models whose speed is measured: presets, or written as layers, width and batch. */
import { CharloomError } from '../errors.ts';
import type { Origin } from '../fields.ts';
import { type CellName, checkModelConfig, type ModelConfig } from '../model/config.ts';
import { checkTrainingConfig, type TrainingConfig } from '../training/config.ts';
import { PRESETS } from '../training/presets.ts';

/** V: about that of a text in English. */
const VOCABULARY = 65;

/** Measured unless others are named. */
export const DEFAULT_SHAPES = ['tiny', 'char-rnn', 'default', '2x512@64x64'] as const;

export interface BenchShape {
  /** As given. */
  readonly name: string;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
}

/**
 * The name of a preset, or LAYERSxHIDDEN[@BATCHxLENGTH] with the other settings of the preset `default`; `cell` replaces
 * the preset's.
 * @throws CharloomError USAGE if `text` is neither, or a size is out of range
 */
export function parseShape(text: string, cell?: CellName): BenchShape {
  const preset = Object.hasOwn(PRESETS, text) ? PRESETS[text]!.settings : undefined;
  const sizes = /^(\d+)x(\d+)(?:@(\d+)x(\d+))?$/.exec(text)?.slice(1);
  if (!preset && !sizes) {
    throw new CharloomError(
      'USAGE',
      `--shape ${text}: expected a preset or LAYERSxHIDDEN@BATCHxLENGTH`,
      `presets are ${Object.keys(PRESETS).join(', ')}; a shape is written like 2x512@64x64, or 2x512`,
    );
  }
  let settings = preset ?? PRESETS.default!.settings;
  if (sizes) {
    const { batchSize: B, sequenceLength: T } = settings;
    const [layers, hidden, batchSize = B, sequenceLength = T] = sizes.map((size) => size && Number(size));
    settings = { ...settings, ...({ layers, hidden, batchSize, sequenceLength } as object) };
  }
  const origin: Origin = { code: 'USAGE', field: (name) => `--shape ${text}: ${name}` };
  return {
    name: text,
    model: checkModelConfig({ ...settings, cell: cell ?? settings.cell, vocabulary: VOCABULARY }, origin),
    training: checkTrainingConfig(settings, origin),
  };
}
