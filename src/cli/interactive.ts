/** `charloom sample --interactive`: a conversation of prompts and continuations. */
import { createInterface } from 'node:readline/promises';
import { Sampler } from '../inference/sampler.ts';
import { LENGTH_CHECK, SAMPLING_CHECKS, type SamplingOptions } from '../inference/sampling-options.ts';
import { startOf } from '../inference/start.ts';
import { StopFilter } from '../inference/stop-filter.ts';
import { Random } from '../random.ts';
import type { Ids } from '../text/ids.ts';
import { textForm } from './generated-text.ts';
import type { OpenModel } from './open-model.ts';
import { interruption } from './signals.ts';
import { note } from './terminal/output.ts';
import { isLive } from './terminal/style.ts';

const HELP = `The model goes on from each line you type, and remembers what came before.
  /reset            forget everything
  /temperature T    draw safer (below 1) or wilder (above 1)
  /length N         characters per answer
  /quit             end (also Ctrl-D); Ctrl-C stops an answer`;

/**
 * Reads lines from stdin until it ends, and prints how the model goes on from each.
 * @param prompt what the model has read before the first line
 */
export async function converse(
  { run, model, engine }: OpenModel,
  prompt: Ids,
  settings: SamplingOptions & { length: number; seed: number; stop: string; raw?: boolean },
): Promise<void> {
  const { seed, stop } = settings;
  const { vocabulary } = run;
  const form = textForm(vocabulary, settings);
  const sampler = new Sampler(engine, model, vocabulary.unknown);
  const random = new Random(seed);
  let options: SamplingOptions = settings;
  let { length } = settings;
  /** Typed or drawn, but not yet fed to the network, which reads the last symbol only when it draws. */
  let unread = Array.from(prompt);

  const live = isLive() && process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: live });
  /** While there is an answer: what stops it. */
  let answering: AbortController | undefined;
  // In raw mode Ctrl-C is a key press; it ends the answer, or, where there is none, the conversation.
  lines.on('SIGINT', () => {
    if (answering) answering.abort();
    else lines.close();
  });
  interruption.signal.addEventListener('abort', () => lines.close());
  if (live) {
    note(HELP);
    lines.setPrompt('> ');
    lines.prompt();
  }
  for await (const line of lines) {
    const [command, argument] = line.trim().split(/\s+/);
    const value = Number(argument);
    if (command === '/quit') return lines.close();
    if (command === '/reset') {
      sampler.reset();
      unread = [];
    } else if (command === '/temperature' || command === '/length') {
      const expected = (command === '/length' ? LENGTH_CHECK : SAMPLING_CHECKS.temperature)(value);
      if (expected) note(`${command} is ${argument ?? 'missing'}, must be ${expected}`);
      else if (command === '/length') length = value;
      else options = { ...options, temperature: value };
    } else if (command?.startsWith('/')) {
      note(HELP);
    } else {
      const { ids, unknownCount } = vocabulary.encode(line);
      if (unknownCount > 0) note(`(characters that the model does not know: ${unknownCount})`);
      for (const id of ids) unread.push(id);
      answering = new AbortController();
      await answer(AbortSignal.any([answering.signal, interruption.signal]));
      answering = undefined;
    }
    if (interruption.signal.aborted) break;
    if (live) lines.prompt();
  }
  if (live) note(''); // the line of the last prompt is not ended yet
  lines.close();

  async function answer(signal: AbortSignal): Promise<void> {
    const last = unread.pop() ?? startOf([], vocabulary, random)[0]!;
    if (await read(signal)) unread = [last];
    else {
      unread.push(last);
      return;
    }
    const decoder = form.decoder();
    const filter = new StopFilter(form.written(Buffer.from(stop)));
    for await (const [id] of sampler.sample([last], length, options, [random])) {
      unread = [id!];
      await form.show(filter.push(decoder.push(id!)));
      if (filter.found || signal.aborted) break;
      // Lets a key press through.
      await new Promise(setImmediate);
    }
    await form.show(`${filter.push(decoder.end())}${filter.end()}\n`);
  }

  /** Feeds the network what it has not read. @returns whether it came to the end; if not, the rest is still unread */
  async function read(signal: AbortSignal): Promise<boolean> {
    let symbols = 0;
    try {
      await sampler.feed(unread, {
        onProgress: (count) => {
          symbols = count;
        },
        signal,
      });
      return true;
    } catch (error) {
      if (!signal.aborted) throw error;
      unread = unread.slice(symbols);
      return false;
    }
  }
}
