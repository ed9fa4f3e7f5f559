/** `charloom decompress`: the file that `compress` was given, or none. */
import { Command } from 'commander';
import { Compressor } from '../inference/compressor.ts';
import { readBytes } from '../text/source.ts';
import {
  addCompressOptions,
  COMPRESSION_DEVICE,
  type CompressOptions,
  MOST_BYTES,
  openDestination,
} from './compress.ts';
import { examples } from './help.ts';
import { openModel } from './open-model.ts';
import { type Output, STDOUT } from './output-file.ts';
import { readText } from './read-text.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';
import { count, pairs } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

export function decompressCommand(): Command {
  const command = new Command('decompress')
    .description('restore a file that was compressed with the same model')
    .argument('<model>', 'run folder or checkpoint folder')
    .argument('<file>', "what 'charloom compress' wrote; '-' is standard input");
  return addCompressOptions(command)
    .addHelpText(
      'before',
      examples(
        'charloom decompress runs/book letter.loom -o letter.txt',
        'charloom decompress runs/book letter.loom --checkpoint 2700 | less',
      ),
    )
    .addHelpText('after', '\nNothing is written before all of it is known to be what was compressed.')
    .action(decompress);
}

async function decompress(path: string, file: string, options: CompressOptions): Promise<void> {
  const output = await openDestination(file, options);
  try {
    await decompressTo(output, path, file, options);
  } finally {
    await output.discard();
  }
}

async function decompressTo(
  output: Output,
  path: string,
  file: string,
  options: CompressOptions,
): Promise<void> {
  const input = await readText((onProgress) => readBytes(file, MOST_BYTES, onProgress));
  const { run, step, model, engine } = await openModel(path, { ...options, device: COMPRESSION_DEVICE });

  const start = performance.now();
  const { bytes, characters } = await withBar(new ProgressBar('decompressing', undefined), (bar) =>
    new Compressor(engine, model, run.vocabulary).decompress(input.bytes, input.label, {
      onProgress: (done, total) => bar.update(done, total),
      signal: interruption.signal,
    }),
  );
  const charactersPerSecond = characters && characters / ((performance.now() - start) / 1000);
  await output.write(bytes);
  await output.finish();
  const compressedBytes = input.bytes.length;
  if (options.json) {
    return printJson({
      file: options.output!,
      bytes: bytes.length,
      compressedBytes,
      ratio: bytes.length / compressedBytes,
      characters: characters ?? null,
      charactersPerSecond: charactersPerSecond ?? null,
      step,
      engine: engine.description.name,
    });
  }
  const sizes = `${compressedBytes} bytes to ${bytes.length}`;
  if ((options.output ?? STDOUT) === STDOUT) return note(sizes);
  const speed = charactersPerSecond
    ? `${count(charactersPerSecond)} characters/s on ${engine.description.name}`
    : '-';
  return print(
    pairs([
      ['file', printableLine(options.output!)],
      ['size', sizes],
      ['speed', speed],
    ]),
  );
}
