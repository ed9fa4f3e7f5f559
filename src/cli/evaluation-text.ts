/** The text that a command evaluates a model on: files, or a part of the text that the run was trained on. */
import { Option } from 'commander';
import { CharloomError } from '../errors.ts';
import type { Evaluation } from '../inference/evaluator.ts';
import { encodeFiles } from '../text/corpus.ts';
import { countIds, type IdSequence } from '../text/id-sequence.ts';
import type { Run } from '../training/run.ts';
import { readText } from './read-text.ts';
import { readRunCorpus } from './run-corpus.ts';
import { note } from './terminal/output.ts';

export interface EvaluationText {
  /** 2 at least. */
  readonly ids: IdSequence;
  /** See `ReadText` of text/corpus.ts. */
  readonly symbols: readonly string[];
  readonly unknownCharacters: number;
  /** The training part of the run's text, if this is another part of it. */
  readonly training?: IdSequence;
  /** Which text it is, in words. */
  readonly source: string;
  /** The text cannot be read any more. */
  readonly close: () => void;
}

export type SplitOption = 'validation' | 'test';

/** The part that is read when no file is given. */
export const splitOption = (): Option =>
  new Option('--split <part>', "part of the run's own text (default: validation)").choices([
    'validation',
    'test',
  ]);

/** @throws CharloomError USAGE if both a split and files are given */
export function requireOneText(files: readonly string[], split: SplitOption | undefined): void {
  if (!split || files.length === 0) return;
  throw new CharloomError(
    'USAGE',
    "--split is a part of the run's own text",
    'give --split or files, not both',
  );
}

/**
 * Reads `files`, or without any the part `split` of the run's own text.
 * @param limit symbols of it, from the first on, to be evaluated: `source` says so
 * @throws CharloomError BAD_DATA if there are fewer than 2 symbols; as `encodeFiles`
 *   and `readRunCorpus`
 */
export async function readEvaluationText(
  run: Run,
  files: readonly string[],
  split: SplitOption | undefined,
  limit = Number.POSITIVE_INFINITY,
): Promise<EvaluationText> {
  const text = files.length > 0 ? await readFiles(run, files) : await readPart(run, split ?? 'validation');
  if (text.ids.length < 2) {
    text.close();
    throw new CharloomError(
      'BAD_DATA',
      `${text.source}: ${text.ids.length} characters, an evaluation needs at least 2`,
      files.length === 0 ? 'this run was trained without such a part: see --split of train' : '',
    );
  }
  if (limit >= text.ids.length) return text;
  const ids = text.ids.part(0, limit);
  const unknownCharacters = countIds(ids, run.vocabulary.size)[run.vocabulary.unknown]!;
  return {
    ...text,
    ids,
    unknownCharacters,
    source: `the first ${limit} characters of ${files.length === 0 ? 'the ' : ''}${text.source}`,
  };
}

async function readFiles({ vocabulary }: Run, files: readonly string[]): Promise<EvaluationText> {
  const text = await readText((onProgress) => encodeFiles(files, vocabulary, { onProgress }));
  return { ...text, source: files.join(' ') };
}

async function readPart(run: Run, split: SplitOption): Promise<EvaluationText> {
  const hint = 'give the text to evaluate as a file';
  const { symbols, close, ...corpus } = await readText((onProgress) =>
    readRunCorpus(run, [], hint, { onProgress }),
  );
  return {
    ids: corpus[split],
    training: corpus.train,
    symbols,
    unknownCharacters: corpus.unknownCharacters[split],
    source: `${split} part of ${run.config.files.map(({ name }) => name).join(' ')}`,
    close,
  };
}

/** Tells people of the characters that the model does not know, if there are any. */
export function noteUnknown({ ids, unknownCharacters }: EvaluationText): void {
  if (unknownCharacters === 0) return;
  note(
    `${unknownCharacters} of ${ids.length} characters are not in the model's vocabulary and count as the unknown symbol`,
  );
}

/** @throws CharloomError DIVERGED if the model says nothing */
export function requireFinite({ crossEntropy }: Evaluation): void {
  if (Number.isFinite(crossEntropy)) return;
  throw new CharloomError(
    'DIVERGED',
    `the cross-entropy is ${crossEntropy}: the training of this model has diverged`,
  );
}
