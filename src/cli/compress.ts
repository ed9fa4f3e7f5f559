/** `charloom compress`: a text in as many bits as the model finds it surprising. */
import { Command } from 'commander';
import { CharloomError } from '../errors.ts';
import { Compressor } from '../inference/compressor.ts';
import { readBytes } from '../text/source.ts';
import { examples } from './help.ts';
import { openModel } from './open-model.ts';
import { checkpointOption, threadsOption } from './options.ts';
import { type Output, openOutput, STDOUT } from './output-file.ts';
import { readText } from './read-text.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';
import { bytes as amount, count, pairs } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

/** What is compressed is in memory; and a larger text would take days. */
export const MOST_BYTES = 2 ** 31;

/** The only engine that gives the same bits on every machine. */
export const COMPRESSION_DEVICE = 'simd';

export interface CompressOptions {
  readonly output?: string;
  readonly checkpoint: string;
  readonly threads?: number;
  readonly json?: boolean;
}

/** Gives `compress` and `decompress` the options of `CompressOptions`. */
export function addCompressOptions(command: Command): Command {
  return command
    .option(
      '-o, --output <file>',
      "file to write; '-', and the default, is standard output, unless that is a terminal",
    )
    .addOption(checkpointOption())
    .addOption(threadsOption())
    .option('--json', 'print one JSON object');
}

export function compressCommand(): Command {
  const command = new Command('compress')
    .description('compress a file without loss: what the model predicts well takes little room')
    .argument('<model>', 'run folder or checkpoint folder; to decompress, the same one is needed')
    .argument('<file>', "any file; '-' is standard input");
  return addCompressOptions(command)
    .addHelpText(
      'before',
      examples(
        'charloom compress runs/book letter.txt -o letter.loom',
        'charloom decompress runs/book letter.loom -o letter.txt',
        'cat letter.txt | charloom compress runs/book - > letter.loom',
      ),
    )
    .addHelpText(
      'after',
      `\nIt computes on the engine ${COMPRESSION_DEVICE}, whose bits are the same on every machine, one character at a time.`,
    )
    .action(compress);
}

async function compress(path: string, file: string, options: CompressOptions): Promise<void> {
  const output = await openDestination(file, options);
  try {
    await compressTo(output, path, file, options);
  } finally {
    await output.discard();
  }
}

/**
 * Where bytes go.
 * @throws CharloomError USAGE if that would be a terminal, or among JSON; as `openOutput`
 */
export function openDestination(input: string, { output = STDOUT, json }: CompressOptions): Promise<Output> {
  if (output === STDOUT && (process.stdout.isTTY || json)) {
    throw new CharloomError(
      'USAGE',
      json ? '--json prints on standard output' : 'standard output is a terminal',
      'give a file with -o FILE',
    );
  }
  return openOutput(output, '--output', { stdout: true, inputs: [input] });
}

async function compressTo(
  output: Output,
  path: string,
  file: string,
  options: CompressOptions,
): Promise<void> {
  const { bytes, label } = await readText((onProgress) => readBytes(file, MOST_BYTES, onProgress));
  const { run, step, model, engine } = await openModel(path, { ...options, device: COMPRESSION_DEVICE });

  const start = performance.now();
  const compressed = await withBar(new ProgressBar('compressing', bytes.length, amount), (bar) =>
    new Compressor(engine, model, run.vocabulary).compress(bytes, step, {
      onProgress: (done) => bar.update(done),
      signal: interruption.signal,
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  await output.write(compressed.file);
  await output.finish();
  const compressedBytes = compressed.file.length;
  const ratio = bytes.length / compressedBytes;
  const { characters, unknownCharacters, crossEntropy } = compressed.coding ?? {};
  const bitsPerCharacter = characters ? (8 * compressedBytes) / characters : undefined;
  if (unknownCharacters) {
    note(
      `${unknownCharacters} of ${characters} characters are not in the model's vocabulary, and take two bytes or more each`,
    );
  }
  if (!compressed.coding) {
    note(`${printableLine(label)} is stored as it is: with this model it would become longer`);
  }
  if (options.json) {
    return printJson({
      file: options.output!,
      bytes: bytes.length,
      compressedBytes,
      ratio,
      stored: !compressed.coding,
      characters: characters ?? null,
      unknownCharacters: unknownCharacters ?? null,
      bitsPerCharacter: bitsPerCharacter ?? null,
      crossEntropy: crossEntropy ?? null,
      charactersPerSecond: characters === undefined ? null : characters / seconds,
      step,
      engine: engine.description.name,
    });
  }
  const share = bytes.length > 0 ? `, ${((100 * compressedBytes) / bytes.length).toFixed(1)}% of it` : '';
  const sizes = `${bytes.length} bytes to ${compressedBytes}${share}`;
  if ((options.output ?? STDOUT) === STDOUT) return note(sizes);
  return print(
    pairs([
      ['file', printableLine(options.output!)],
      ['size', sizes],
      ['bits per character', bitsPerCharacter?.toFixed(4) ?? '-'],
      ['claimed by the model', crossEntropy ? (crossEntropy / Math.LN2).toFixed(4) : '-'],
      [
        'speed',
        !characters ? '-' : `${count(characters / seconds)} characters/s on ${engine.description.name}`,
      ],
    ]),
  );
}
