/** `charloom sample`: text in the manner of a model, shown as it is drawn. */
import { randomInt } from 'node:crypto';
import { Command } from 'commander';
import { CharloomError } from '../errors.ts';
import { checkFields, integer } from '../fields.ts';
import { Sampler } from '../inference/sampler.ts';
import {
  LENGTH_CHECK,
  SAMPLING_CHECKS,
  SAMPLING_DEFAULTS,
  type SamplingOptions,
} from '../inference/sampling-options.ts';
import { startOf } from '../inference/start.ts';
import { MAX_SEED, Random } from '../random.ts';
import type { Ids } from '../text/ids.ts';
import { readBytes } from '../text/source.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import { GeneratedText, type TextForm, textForm } from './generated-text.ts';
import { examples } from './help.ts';
import { openModel } from './open-model.ts';
import { addModelOptions, type ModelOptions, numberOption, OPTION_ORIGIN } from './options.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';
import { count } from './terminal/format.ts';
import { note, printJson } from './terminal/output.ts';
import { isLive, styled } from './terminal/style.ts';

/** Texts drawn side by side; more are drawn in several rounds. */
const MAX_STREAMS = 64;
/** Drawn characters are written out at least this often. */
const FLUSH_MILLISECONDS = 30;
/** A longer prompt would take hours to read. */
const MOST_PROMPT_BYTES = 2 ** 28;

interface SampleOptions extends SamplingOptions {
  readonly length: number;
  readonly count: number;
  readonly seed: number;
}

interface CommandOptions extends SampleOptions, ModelOptions {
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly stop: string;
  readonly interactive?: boolean;
  readonly raw?: boolean;
  readonly json?: boolean;
}

export function sampleCommand(): Command {
  const command = new Command('sample')
    .description('write text in the manner of a model')
    .argument('<model>', 'run folder or checkpoint folder')
    .option('--prompt <text>', 'text to continue')
    .option('--prompt-file <file>', "file with the text to continue; '-' is standard input")
    .addOption(numberOption('--length <n>', 'characters to draw').default(500))
    .addOption(
      numberOption('--temperature <t>', 'below 1 safer, above 1 wilder, 0 = always the likeliest').default(
        SAMPLING_DEFAULTS.temperature,
      ),
    )
    .addOption(
      numberOption('--top-k <k>', 'draw from the k likeliest characters; 0 = all').default(
        SAMPLING_DEFAULTS.topK,
      ),
    )
    .addOption(
      numberOption(
        '--top-p <p>',
        'draw from the likeliest characters that reach p together; 1 = all',
      ).default(SAMPLING_DEFAULTS.topP),
    )
    .addOption(
      numberOption('--min-p <p>', 'leave out what is less than p times as likely as the likeliest').default(
        SAMPLING_DEFAULTS.minP,
      ),
    )
    .option('--stop <string>', 'end where this string comes (it is not printed)', '')
    .addOption(numberOption('--count <n>', 'texts to draw').default(1))
    .addOption(numberOption('--seed <n>', 'same seed, same text (default: a new one each time)'))
    .option('--interactive', 'type prompts, read how the model goes on');
  addModelOptions(command);
  return command
    .option('--raw', 'do not escape control characters on a terminal; bytes of a model of bytes as they are')
    .option('--json', 'print one JSON object per text')
    .addHelpText(
      'before',
      examples(
        'charloom sample runs/book --prompt "The "',
        'charloom sample runs/book --temperature 0.5 --top-p 0.95 --length 2000 --seed 7',
        'charloom sample runs/book --interactive',
      ),
    )
    .action(sample);
}

async function sample(path: string, options: CommandOptions): Promise<void> {
  const checked = checkFields<SampleOptions>(
    { ...options, seed: options.seed ?? randomInt(MAX_SEED) },
    {
      ...SAMPLING_CHECKS,
      length: LENGTH_CHECK,
      count: integer(1, 1e6),
      seed: integer(0, MAX_SEED),
    },
    OPTION_ORIGIN,
  );
  if (options.interactive && (options.json || checked.count > 1)) {
    throw new CharloomError(
      'USAGE',
      '--interactive draws one text at a time, for people',
      'leave --json and --count out',
    );
  }
  const opened = await openModel(path, options);
  const { vocabulary } = opened.run;
  const { bytes, ids } = await readPrompt(options, vocabulary);
  if (options.interactive) {
    const { converse } = await import('./interactive.ts');
    return converse(opened, ids, { ...options, ...checked });
  }
  const form = textForm(vocabulary, options);
  const drawing: Drawing = {
    vocabulary,
    form,
    prompt: { ids, text: form.written(bytes) },
    options: checked,
    stop: form.written(Buffer.from(options.stop)),
    json: options.json === true,
  };
  let drawn = 0;
  let sampler: Sampler | undefined;
  const start = performance.now();
  for (let first = 0; first < checked.count && !interruption.signal.aborted; first += MAX_STREAMS) {
    const streams = Math.min(MAX_STREAMS, checked.count - first);
    // What a sampler has of its engine's memory, it keeps: the same one for all rounds but a smaller last one.
    if (sampler?.streams === streams) sampler.reset();
    else sampler = new Sampler(opened.engine, opened.model, vocabulary.unknown, streams);
    drawn += await drawTexts(sampler, first, drawing);
  }
  const charactersPerSecond = drawn / ((performance.now() - start) / 1000);
  if (!options.json && isLive()) {
    note(styled(process.stderr).dim(`seed ${checked.seed}, ${count(charactersPerSecond)} characters/s`));
  }
}

/** What all texts of a command have in common. */
interface Drawing {
  readonly vocabulary: Vocabulary;
  readonly form: TextForm;
  readonly prompt: { readonly ids: Ids; readonly text: string };
  readonly options: SampleOptions;
  readonly stop: string;
  readonly json: boolean;
}

/** Draws a text in each stream, from number `first` on; returns the characters drawn. */
async function drawTexts(
  sampler: Sampler,
  first: number,
  { vocabulary, form, prompt, options, stop, json }: Drawing,
): Promise<number> {
  const seeds = Array.from(
    { length: sampler.streams },
    (_, i) => (options.seed + first + i) % (MAX_SEED + 1),
  );
  const generators = seeds.map((seed) => new Random(seed));
  const texts = seeds.map(() => new GeneratedText(form.decoder(), stop));
  // One text is shown while it grows, several one after the other.
  const live = options.count === 1 && !json;
  const { show, end } = form;

  const start = performance.now();
  const starts = generators.map((random) => startOf(prompt.ids, vocabulary, random));
  const fed = starts[0]!.slice(0, -1);
  await withBar(new ProgressBar('reading the prompt', fed.length), (bar) =>
    sampler.feed(fed, { onProgress: (symbols) => bar.update(symbols), signal: interruption.signal }),
  );
  if (live) await show(prompt.text);
  let shown = 0;
  let flushed = Number.NEGATIVE_INFINITY; // the first character at once
  for await (const ids of sampler.sample(
    starts.map((ids) => ids.at(-1)!),
    options.length,
    options,
    generators,
  )) {
    texts.forEach((text, b) => {
      text.push(ids[b]!);
    });
    const { length } = texts[0]!.text;
    if (live && length > shown && performance.now() - flushed > FLUSH_MILLISECONDS) {
      await show(texts[0]!.text.slice(shown));
      shown = length;
      flushed = performance.now();
    }
    if (interruption.signal.aborted || texts.every((text) => text.finished)) break;
  }
  const seconds = (performance.now() - start) / 1000;
  for (const text of texts) text.end();
  const characters = texts.reduce((sum, text) => sum + text.characters, 0);
  if (live) {
    await show(`${texts[0]!.text.slice(shown)}${end}`);
  } else {
    for (const [b, { text, characters: own }] of texts.entries()) {
      if (json) {
        const charactersPerSecond = characters / seconds;
        await printJson({ text, prompt: prompt.text, characters: own, seed: seeds[b], charactersPerSecond });
      } else {
        await show(`${first + b > 0 ? '\n---\n' : ''}${prompt.text}${text}${end}`);
      }
    }
  }
  return characters;
}

/** The prompt as UTF-8, or as the bytes that it is, and as ids of the vocabulary. */
async function readPrompt(
  { prompt = '', promptFile }: CommandOptions,
  vocabulary: Vocabulary,
): Promise<{ bytes: Uint8Array; ids: Ids }> {
  let bytes: Uint8Array = Buffer.from(prompt);
  if (promptFile !== undefined) {
    if (prompt !== '') {
      throw new CharloomError('USAGE', '--prompt and --prompt-file were both given', 'give one of them');
    }
    bytes = (await readBytes(promptFile, MOST_PROMPT_BYTES)).bytes;
  }
  const { ids, unknownCount } = vocabulary.encode(bytes, promptFile ?? 'the prompt');
  if (unknownCount > 0) {
    note(
      `of the prompt, ${unknownCount} ${unknownCount === 1 ? 'character is' : 'characters are'} not in the model's vocabulary: read as the unknown symbol`,
    );
  }
  return { bytes, ids };
}
