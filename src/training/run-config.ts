/** What a run is, from its first step on: `config.json` of its folder. */
import { checkFields, choice, integer, type Origin } from '../fields.ts';
import { checkModelConfig, type ModelConfig } from '../model/config.ts';
import type { FileRecord } from '../text/source.ts';
import { isSplit } from '../text/split.ts';
import { UNITS, type Unit } from '../text/symbol-reader.ts';
import { checkTrainingConfig, type TrainingConfig } from './config.ts';

const FORMAT = 1;

/** How the text is read: see `loadCorpus`. */
export interface TextSettings {
  readonly unit: Unit;
  readonly minCount: number;
  /** Training/validation/test in percent, as given. */
  readonly split: string;
}

/** @throws CharloomError naming the first field that is not what it must be */
export function checkTextSettings(value: unknown, origin: Origin): TextSettings {
  return checkFields<TextSettings>(
    value,
    { unit: choice(UNITS), minCount: integer(1, 2 ** 31 - 1), split: isSplit },
    origin,
  );
}

/** What `config.json` holds. */
export interface RunConfig {
  readonly format: typeof FORMAT;
  /** Version of charloom, and when the run began (ISO 8601). */
  readonly charloom: string;
  readonly created: string;
  /** As asked for, and the engine that ran. */
  readonly device: string;
  readonly engine: string;
  readonly preset: string;
  readonly text: TextSettings;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
  readonly files: readonly FileRecord[];
  /** The trained model whose weights the run started from, if there was one. */
  readonly initFrom?: TrainedModel;
}

/** A checkpoint of another run, as it was then. */
export interface TrainedModel {
  /** Its folder. */
  readonly checkpoint: string;
  readonly step: number;
  /** Of its weights. */
  readonly sha256: string;
}

/**
 * @param path of the file, for messages
 * @throws CharloomError BAD_DATA naming the field that is wrong
 */
export function parseRunConfig(json: Record<string, unknown>, path: string): RunConfig {
  const origin = (part: string) =>
    ({ code: 'BAD_DATA', field: (name: string) => `${path}: ${part}${name}` }) as const;
  const isText = (value: unknown): string | undefined => (typeof value === 'string' ? undefined : 'a text');
  const isSize = integer(0, Number.MAX_SAFE_INTEGER);
  const top = checkFields<Omit<RunConfig, 'text' | 'model' | 'training' | 'initFrom'>>(
    json,
    {
      format: integer(FORMAT, FORMAT),
      charloom: isText,
      created: isText,
      device: isText,
      engine: isText,
      preset: isText,
      files: (value) => (Array.isArray(value) ? undefined : 'a list'),
    },
    origin(''),
  );
  return {
    ...top,
    text: checkTextSettings(json.text, origin('text.')),
    model: checkModelConfig(json.model, origin('model.')),
    training: checkTrainingConfig(json.training, origin('training.')),
    files: top.files.map((file, i) =>
      checkFields<FileRecord>(
        file,
        { name: isText, path: isText, bytes: isSize, sha256: isText },
        origin(`files[${i}].`),
      ),
    ),
    ...(json.initFrom !== undefined && {
      initFrom: checkFields<TrainedModel>(
        json.initFrom,
        { checkpoint: isText, step: isSize, sha256: isText },
        origin('initFrom.'),
      ),
    }),
  };
}
