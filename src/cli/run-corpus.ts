/** The text that a run was trained on, read again. */
import { resolve } from 'node:path';
import { CharloomError } from '../errors.ts';
import { type Corpus, loadCorpus, type ReadOptions } from '../text/corpus.ts';
import { type FileRecord, STDIN } from '../text/source.ts';
import { parseSplit } from '../text/split.ts';
import type { Run } from '../training/run.ts';

/**
 * Reads the run's text with the run's vocabulary and split, and makes sure that it is the same text.
 *
 * @param paths where the files are now; none: where they were
 * @param hint what can be done where they are no more
 * @throws CharloomError NO_INPUT if they are not there, BAD_DATA if they have changed; as `loadCorpus`
 */
export async function readRunCorpus(
  run: Run,
  paths: readonly string[],
  hint: string,
  options: ReadOptions,
): Promise<Corpus> {
  const { files, text } = run.config;
  if (paths.length === 0 && files.some(({ path }) => path === STDIN)) {
    throw new CharloomError(
      'NO_INPUT',
      'the text of this run came from standard input and is not kept',
      hint,
    );
  }
  let corpus: Corpus;
  try {
    corpus = await loadCorpus(paths.length > 0 ? paths : files.map(({ path }) => path), {
      ...options,
      split: parseSplit(text.split),
      vocabulary: run.vocabulary,
    });
  } catch (error) {
    if (error instanceof CharloomError && error.code === 'NO_INPUT') {
      throw new CharloomError('NO_INPUT', `the text of this run: ${error.message}`, hint);
    }
    throw error;
  }
  try {
    requireSame(corpus.files, files);
  } catch (error) {
    corpus.close();
    throw error;
  }
  return corpus;
}

/** @throws CharloomError BAD_DATA unless `read` is what the run was trained on */
function requireSame(read: readonly FileRecord[], trained: readonly FileRecord[]): void {
  if (read.length !== trained.length) {
    throw new CharloomError(
      'BAD_DATA',
      `this run was trained on ${trained.length} files, ${read.length} were given`,
      `give all of them, in this order: ${trained.map(({ name }) => name).join(' ')}`,
    );
  }
  for (const [i, { path, sha256 }] of read.entries()) {
    const was = trained[i]!;
    if (sha256 === was.sha256) continue;
    throw new CharloomError(
      'BAD_DATA',
      `${path} is not the text this run was trained on`,
      `it had ${was.bytes} bytes and the sha256 ${was.sha256}`,
    );
  }
}

/** Where the texts of a run were when it last read them: nothing that is made of a model may replace them. */
export const textsOf = ({ config }: Run): string[] => config.files.map(({ path }) => path);

/**
 * The records of files with absolute paths: a run may be resumed from another folder.
 * @param known the same files as they were recorded before: of what came from standard input now, the path stays
 */
export function whereTheyAre(
  files: readonly FileRecord[],
  known: readonly FileRecord[] = files,
): FileRecord[] {
  return files.map((file, i) => (file.path === STDIN ? known[i]! : { ...file, path: resolve(file.path) }));
}
