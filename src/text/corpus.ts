/** Text files to ids: what a model is trained and evaluated on. */
import { CharloomError } from '../errors.ts';
import { countIds, type IdSequence } from './id-sequence.ts';
import type { IdStoreOptions } from './id-store.ts';
import { type FileRecord, findSource, isStdin, type Source } from './source.ts';
import { divide, SPLIT_NAMES, type Split, type SplitName } from './split.ts';
import type { Unit } from './symbol-reader.ts';
import { SymbolCollector } from './symbols.ts';
import { Vocabulary } from './vocabulary.ts';

const PIECE_BYTES = 2 ** 20;

/** A text that was read: all files, one after the other. */
interface ReadText {
  readonly vocabulary: Vocabulary;
  readonly ids: IdSequence;
  /** What the text really says, also where the vocabulary lacks it: the symbol of each id of `ids.unmapped()`. */
  readonly symbols: readonly string[];
  readonly files: readonly FileRecord[];
  /** Removes the temporary file of a text that is too large for memory: its ids cannot be read any more. */
  readonly close: () => void;
}

/** A text for evaluation, undivided. */
export interface EncodedText extends ReadText {
  /** How many symbols of the text the vocabulary lacks. */
  readonly unknownCharacters: number;
}

/** A text divided for training. The three parts share the storage of `ids`. */
export interface Corpus extends ReadText, Readonly<Record<SplitName, IdSequence>> {
  /** How many symbols of each part the vocabulary lacks. */
  readonly unknownCharacters: Readonly<Record<SplitName, number>>;
}

/** How a text is read, and where its ids are kept. */
export interface ReadOptions extends IdStoreOptions {
  /** Bytes read at once. */
  pieceBytes?: number;
  /**
   * Is told, often, how many bytes of how many have been read. The total is undefined where only reading tells.
   */
  onProgress?: (bytes: number, total: number | undefined) => void;
}

export interface CorpusOptions extends ReadOptions {
  split: Split;
  /** Of a run that goes on; without it the training part decides: see `unit` and `minCount`. */
  vocabulary?: Vocabulary;
  /** Of the model that a new run starts from: the training part only adds to it. */
  base?: Vocabulary | undefined;
  /** What one symbol is. Default: character. */
  unit?: Unit;
  /** Symbols that occur less often in the training part become the unknown symbol. Default: 1. */
  minCount?: number;
}

/**
 * Reads a corpus for training. The vocabulary is that of the training part alone, or what the training part adds to `base`, so
 * that a symbol which only the other parts have counts, honestly, as unknown.
 *
 * @param paths files, pipes, or `-` for standard input; concatenated in this order
 * @throws CharloomError NO_INPUT (missing, unreadable), BAD_DATA (not UTF-8, empty), USAGE (`-` twice);
 *   CANNOT_CREATE, IO (disk full) if the ids do not fit into memory, nor on the disk
 */
export async function loadCorpus(paths: readonly string[], options: CorpusOptions): Promise<Corpus> {
  const unit = (options.vocabulary ?? options.base)?.unit ?? options.unit ?? 'character';
  const collected = await collect(paths, unit, options);
  try {
    return divideCorpus(collected, unit, options);
  } catch (error) {
    collected.close();
    throw error;
  }
}

function divideCorpus(
  { ids: collected, symbols, files, close }: CollectedText,
  unit: Unit,
  { split, minCount = 1, base, ...options }: CorpusOptions,
): Corpus {
  let { vocabulary } = options;
  if (!vocabulary) {
    const { train } = divide(collected, split);
    if (train.length === 0) {
      throw new CharloomError(
        'BAD_DATA',
        `${files.map(({ path }) => path).join(' ')}: the training part (${split.train}%) of a text of ${collected.length} characters is empty`,
        'give more text, or a larger training share in --split',
      );
    }
    const counts = countSymbols(train, symbols);
    vocabulary = base?.extended(counts, minCount) ?? Vocabulary.fromCounts(unit, counts, minCount);
  }
  const table = vocabulary.idsOf(symbols);
  const ids = collected.mapped(table);
  const parts = divide(ids, split);
  const unknownCharacters = { train: 0, validation: 0, test: 0 };
  for (const name of SPLIT_NAMES) unknownCharacters[name] = countUnknown(parts[name], vocabulary, table);
  return { vocabulary, ids, symbols, ...parts, files, unknownCharacters, close };
}

/**
 * Reads a text with the vocabulary of a model, undivided: for evaluation.
 * @throws CharloomError as `loadCorpus`
 */
export async function encodeFiles(
  paths: readonly string[],
  vocabulary: Vocabulary,
  options: ReadOptions = {},
): Promise<EncodedText> {
  const { ids: collected, symbols, files, close } = await collect(paths, vocabulary.unit, options);
  const table = vocabulary.idsOf(symbols);
  const ids = collected.mapped(table);
  const unknownCharacters = countUnknown(ids, vocabulary, table);
  return { vocabulary, ids, symbols, files, unknownCharacters, close };
}

/** A text before its vocabulary is known: its ids are indices into `symbols`, in order of first appearance. */
type CollectedText = Pick<ReadText, 'ids' | 'symbols' | 'files' | 'close'>;

/** One pass over all files, in pieces. */
async function collect(
  paths: readonly string[],
  unit: Unit,
  { pieceBytes = PIECE_BYTES, onProgress, ...store }: ReadOptions,
): Promise<CollectedText> {
  if (paths.filter(isStdin).length > 1) {
    throw new CharloomError('USAGE', '- (standard input) was given twice', 'it can be read only once');
  }
  // All are looked for before the first is read, so that a misspelt path, even the last one, is reported at once.
  const sources: Source[] = [];
  for (const path of paths) sources.push(await findSource(path, pieceBytes));
  const known = sources.every((source) => source.expectedBytes > 0);
  const total = known ? sources.reduce((sum, source) => sum + source.expectedBytes, 0) : undefined;
  const collector = new SymbolCollector(unit, { ...store, expectedBytes: total });
  const files: FileRecord[] = [];
  let bytesRead = 0;
  try {
    for (const source of sources) {
      collector.begin(source.label);
      const record = await source.read((bytes) => {
        collector.push(bytes);
        bytesRead += bytes.length;
        onProgress?.(bytesRead, total);
      });
      collector.end();
      files.push(record);
    }
    if (collector.length === 0) throw empty(sources);
    return { ...collector.finish(), files, close: () => collector.close() };
  } catch (error) {
    collector.close();
    throw error;
  }
}

/** How often each of `symbols` occurs; those that do not are left out. */
function countSymbols(ids: IdSequence, symbols: readonly string[]): Map<string, number> {
  const bySymbol = new Map<string, number>();
  for (const [id, count] of countIds(ids, symbols.length).entries()) {
    if (count > 0) bySymbol.set(symbols[id]!, count);
  }
  return bySymbol;
}

/** @param table the ids that `ids` can have; if the unknown symbol's is not among them, nothing needs counting (the usual case) */
function countUnknown(ids: IdSequence, { unknown, size }: Vocabulary, table: Uint32Array): number {
  return table.includes(unknown) ? countIds(ids, size)[unknown]! : 0;
}

function empty(sources: readonly Source[]): CharloomError {
  const labels = sources.map((source) => source.label).join(', ');
  return new CharloomError('BAD_DATA', `there is no text in ${labels}`);
}
