/** Text files to ids: what a model is trained and evaluated on. */
import { CharloomError } from '../errors.ts';
import { countId, type Ids } from './ids.ts';
import { type FileRecord, findSource, type Source, STDIN } from './source.ts';
import { divide, SPLIT_NAMES, type Split, type SplitName } from './split.ts';
import { SymbolCollector, type Unit } from './symbols.ts';
import { Vocabulary } from './vocabulary.ts';

const PIECE_BYTES = 2 ** 20;

/** A text that was read: all files, one after the other. */
export interface EncodedText {
  readonly vocabulary: Vocabulary;
  readonly ids: Ids;
  readonly files: readonly FileRecord[];
  /** How many symbols of the text the vocabulary lacks. */
  readonly unknownCharacters: number;
}

/** A text divided for training. The three parts share the memory of `ids`. */
export interface Corpus extends Readonly<Record<SplitName, Ids>> {
  readonly vocabulary: Vocabulary;
  readonly ids: Ids;
  readonly files: readonly FileRecord[];
  /** How many symbols of each part the vocabulary lacks. */
  readonly unknownCharacters: Readonly<Record<SplitName, number>>;
}

export interface CorpusOptions {
  split: Split;
  /** Of a run that goes on; without it the training part decides: see `unit` and `minCount`. */
  vocabulary?: Vocabulary;
  /** What one symbol is. Default: character. */
  unit?: Unit;
  /** Symbols that occur less often in the training part become the unknown symbol. Default: 1. */
  minCount?: number;
  /** Bytes read at once. */
  pieceBytes?: number;
}

/**
 * Reads a corpus for training. The vocabulary is that of the training part alone, so that a symbol which
 * only the other parts have counts, honestly, as unknown.
 *
 * @param paths files, pipes, or `-` for standard input; concatenated in this order
 * @throws CharloomError NO_INPUT (missing, unreadable), BAD_DATA (not UTF-8, empty), USAGE (`-` twice)
 */
export async function loadCorpus(paths: readonly string[], options: CorpusOptions): Promise<Corpus> {
  const unit = options.vocabulary?.unit ?? options.unit ?? 'character';
  const { ids, symbols, files } = await collect(paths, unit, options.pieceBytes);
  let { vocabulary } = options;
  if (!vocabulary) {
    const { train } = divide(ids, options.split);
    if (train.length === 0) {
      throw new CharloomError(
        'BAD_DATA',
        `the training part (${options.split.train}%) of a text of ${ids.length} characters is empty`,
        'give more text, or a larger training share in --split',
      );
    }
    vocabulary = Vocabulary.fromCounts(unit, countSymbols(train, symbols), options.minCount ?? 1);
  }
  const translated = vocabulary.translate(ids, symbols);
  const parts = divide(translated.ids, options.split);
  const unknownCharacters = { train: 0, validation: 0, test: 0 };
  if (translated.unknownCount > 0) {
    for (const name of SPLIT_NAMES) unknownCharacters[name] = countId(parts[name], vocabulary.unknown);
  }
  return { vocabulary, ids: translated.ids, ...parts, files, unknownCharacters };
}

/**
 * Reads a text with the vocabulary of a model, undivided: for evaluation.
 * @throws CharloomError as `loadCorpus`
 */
export async function encodeFiles(
  paths: readonly string[],
  vocabulary: Vocabulary,
  options: { pieceBytes?: number } = {},
): Promise<EncodedText> {
  const { ids, symbols, files } = await collect(paths, vocabulary.unit, options.pieceBytes);
  const translated = vocabulary.translate(ids, symbols);
  return { vocabulary, ids: translated.ids, files, unknownCharacters: translated.unknownCount };
}

/** One pass over all files, in pieces: memory is the ids and one piece. */
async function collect(
  paths: readonly string[],
  unit: Unit,
  pieceBytes = PIECE_BYTES,
): Promise<{ ids: Ids; symbols: string[]; files: FileRecord[] }> {
  if (paths.filter((path) => path === STDIN).length > 1) {
    throw new CharloomError('USAGE', '- (standard input) was given twice', 'it can be read only once');
  }
  // All are looked for before the first is read: a misspelt last name is told at once.
  const sources: Source[] = [];
  for (const path of paths) sources.push(await findSource(path, pieceBytes));
  const expected = sources.reduce((total, source) => total + source.expectedBytes, 0);
  const collector = new SymbolCollector(unit, expected);
  const files: FileRecord[] = [];
  for (const source of sources) {
    collector.begin(source.label);
    files.push(await source.read((bytes) => collector.push(bytes)));
    collector.end();
  }
  if (collector.length === 0) throw empty(sources);
  return { ...collector.finish(), files };
}

/** How often each of `symbols` occurs; those that do not are left out. */
function countSymbols(ids: Ids, symbols: readonly string[]): Map<string, number> {
  const counts = new Float64Array(symbols.length);
  for (let i = 0; i < ids.length; i++) counts[ids[i]!]!++;
  const bySymbol = new Map<string, number>();
  for (const [id, symbol] of symbols.entries()) if (counts[id]! > 0) bySymbol.set(symbol, counts[id]!);
  return bySymbol;
}

function empty(sources: readonly Source[]): CharloomError {
  const labels = sources.map((source) => source.label).join(', ');
  return new CharloomError('BAD_DATA', `there is no text in ${labels}`);
}
