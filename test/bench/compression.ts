/**
 * How small a model makes a text that it has not seen, beside compressors of files: `make compression ARGS=TEXT`, or
 * `node --import tsx test/bench/compression.ts TEXT` after `make build`, with
 *
 *     --held-out 200000  bytes at the end of the text that are compressed; the model is trained on what is before them
 *     --minutes 10       of training
 *     --model RUN        trained before, on that very part of the text (--keep makes one), instead of training
 *     --keep RUN         where the trained model is kept
 *     -- ...             options of `charloom train`; without them --device native --seed 1 --split 95/5/0
 *
 * The other compressors come from the system; those that are not there are left out. Given the text before, too, they show
 * what is known of it without any learning. What comes out of every file is compared with what went in.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'held-out': { type: 'string', default: '200000' },
    minutes: { type: 'string', default: '10' },
    model: { type: 'string' },
    keep: { type: 'string' },
  },
});
const [source, ...options] = positionals;
if (source === undefined) {
  process.stderr.write(
    'usage: compression.ts TEXT [--held-out BYTES] [--minutes N] [--model RUN] [--keep RUN] [-- OPTIONS]\n',
  );
  process.exit(2);
}

const COMPRESSORS = [
  { program: 'gzip', level: '-9', extension: 'gz' },
  { program: 'zstd', level: '-19', extension: 'zst' },
  { program: 'xz', level: '-9', extension: 'xz' },
  { program: 'bzip2', level: '-9', extension: 'bz2' },
] as const;

const folder = mkdtempSync(path.join(tmpdir(), 'charloom-compression-'));
const inFolder = (name: string): string => path.join(folder, name);
try {
  const text = readFileSync(source);
  let border = Math.max(0, text.length - Number(values['held-out']));
  while ((text[border]! & 0xc0) === 0x80) border++; // within a character
  const [before, held] = [text.subarray(0, border), text.subarray(border)];
  writeFileSync(inFolder('before'), before);
  writeFileSync(inFolder('held'), held);
  const run = values.model ?? train();
  report(run, before, held);
} finally {
  rmSync(folder, { recursive: true });
}

function train(): string {
  const run = values.keep ?? inFolder('run');
  const chosen = options.length > 0 ? options : ['--device', 'native', '--seed', '1', '--split', '95/5/0'];
  const args = ['train', inFolder('before'), '--minutes', values.minutes, ...chosen, '--out', run];
  execFileSync(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  return run;
}

/** The one object that a command prints with --json. */
function figures(...args: string[]): Record<string, number> {
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  return JSON.parse(execFileSync(process.execPath, [MAIN, ...args, '--json'], { stdio, encoding: 'utf8' }));
}

function report(run: string, before: Buffer, held: Buffer): void {
  const evaluation = figures('eval', run, inFolder('held'));
  const compressed = figures('compress', run, inFolder('held'), '-o', inFolder('loom'));
  const restored = figures('decompress', run, inFolder('loom'), '-o', inFolder('restored'));
  if (!readFileSync(inFolder('restored')).equals(held)) throw new Error('the text did not come back');
  const characters = compressed.characters!;

  const row = (name: string, bytes: number): void =>
    console.log(`| ${name} | ${bytes} | ${((8 * bytes) / characters).toFixed(3)} |`);
  console.log(`The last ${held.length} bytes (${characters} characters), after ${before.length} others:\n`);
  console.log('| | bytes | bits per character |\n| --- | --- | --- |');
  row('the text', held.length);
  for (const { program, level, extension } of COMPRESSORS) {
    const bytes = packedLength(program, level, extension, held);
    if (bytes !== undefined) row(`\`${program} ${level}\``, bytes);
  }
  const patched = packedLength('zstd', '-19', 'zst', held, `--patch-from=${inFolder('before')}`);
  if (patched !== undefined) row('`zstd -19`, given the text before (`--patch-from`)', patched);
  const [alone, together] = [before, Buffer.concat([before, held])].map((bytes) =>
    packedLength('xz', '-9', 'xz', bytes),
  );
  if (alone !== undefined && together !== undefined) {
    row('`xz -9`, what the text adds to the text before', together - alone);
  }
  const own = compressed.compressedBytes!;
  row(`**charloom**, model trained on the text before (step ${compressed.step})`, own);

  const bits = evaluation.bitsPerCharacter!;
  const header = own - (bits * (characters - 1)) / 8;
  const model = statSync(path.join(run, 'checkpoints', `${compressed.step}`, 'model.safetensors')).size;
  console.log(
    `\n\`eval\` says ${bits.toFixed(4)} bits per character: ${Math.round((bits * (characters - 1)) / 8)} bytes; the file has ${header.toFixed(1)} more, header included.`,
  );
  console.log(
    `The model itself has ${model} bytes, which are not counted: both ends must have it. With them it is ${own + model} bytes.`,
  );
  console.log(
    `Characters per second: ${Math.round(compressed.charactersPerSecond!)} compressing, ${Math.round(restored.charactersPerSecond!)} decompressing, ${Math.round(evaluation.charactersPerSecond!)} evaluating.`,
  );
}

/** How many bytes a program makes of `input`; undefined if it is not installed. It must give `input` back. */
function packedLength(
  program: string,
  level: string,
  extension: string,
  input: Buffer,
  ...flags: readonly string[]
): number | undefined {
  const output = (args: readonly string[], file: string, bytes: Buffer): Buffer | undefined => {
    writeFileSync(inFolder(file), bytes);
    const all = [...flags, ...args, '-c', inFolder(file)];
    const { error, status, stdout, stderr } = spawnSync(program, all, { maxBuffer: 2 ** 30 });
    if (error && 'code' in error && error.code === 'ENOENT') return undefined;
    if (error ?? status !== 0) throw error ?? new Error(`${program} ${all.join(' ')}: ${stderr}`);
    return stdout;
  };
  const packed = output([level], 'input', input);
  if (!packed) return undefined;
  if (!output(['-d'], `input.${extension}`, packed)?.equals(input)) {
    throw new Error(`${program} lost something`);
  }
  return packed.length;
}
