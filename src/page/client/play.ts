/** The page on which a network writes: its buttons, and what happens when. */
import { CharloomError } from '../../errors.ts';
import { Distribution } from '../../inference/distribution.ts';
import type { PlayData } from '../play-data.ts';
import { ACTIVATION_SCALE, BITS_SCALE } from '../scale.ts';
import { Bars } from './parts/bars.ts';
import { copy } from './parts/clipboard.ts';
import { adoptColours } from './parts/colours.ts';
import { pageData } from './parts/data.ts';
import { type Network, openNetwork } from './parts/network.ts';
import { Pace } from './parts/pace.ts';
import { type Colouring, Paper } from './parts/paper.ts';
import { activationColour, surpriseColour } from './parts/scale.ts';
import { element, Settings } from './parts/settings.ts';
import { type Tally, Writer } from './parts/writer.ts';

/** Characters of the text that have their colours, and bytes that the activations of all of them may take. */
const MOST_COLOURED = 10_000;
const MOST_ACTIVATION_BYTES = 2 ** 26;
/** Milliseconds without a key press after which the network reads what was typed. */
const TYPING_PAUSE = 120;
/** Milliseconds from one painting of the text to the next, at least. */
const PAINT_INTERVAL = 40;

const prompt = element<HTMLTextAreaElement>('prompt');
const writeButton = element<HTMLButtonElement>('write');
const againButton = element<HTMLButtonElement>('again');
const copyButton = element<HTMLButtonElement>('copy');

function say(text: string): void {
  element('status').textContent = text;
}

function complain(error: unknown): void {
  const { message } = error as Error;
  const hint = error instanceof CharloomError && error.hint ? ` (${error.hint})` : '';
  element('problem').textContent = `${message}${hint}.`;
  element('problem').hidden = false;
}

function run(network: Network): void {
  const { config, vocabulary } = network;
  const settings = new Settings();
  const pace = new Pace();
  const bars = new Bars(element('bars'), element('rest'), vocabulary);
  const distribution = new Distribution(vocabulary.size, vocabulary.unknown);
  const most = Math.min(MOST_COLOURED, Math.ceil(MOST_ACTIVATION_BYTES / (config.layers * config.hidden)));

  const colouring = (): Colouring => {
    if (settings.colours === 'surprise') return ({ bits, unknown }) => (unknown ? '' : surpriseColour(bits));
    if (settings.colours === 'none') return () => '';
    const unit = settings.layer.value * config.hidden + settings.neuron.value;
    return ({ activations }) => activationColour(activations[unit]! / 127);
  };
  const paper = new Paper(element('paper'), most, colouring(), show);
  const writer = new Writer(network, paper);

  // ---- what is seen ----

  let shownSoon = false;
  let lastShown = Number.NEGATIVE_INFINITY;
  /** Shows how things are, soon. Painting takes longer than computing: a fast text is not to wait for it. */
  function show(): void {
    if (shownSoon) return;
    shownSoon = true;
    const rest = PAINT_INTERVAL - (performance.now() - lastShown);
    setTimeout(() => requestAnimationFrame(paint), Math.max(0, rest));
  }

  function paint(): void {
    shownSoon = false;
    lastShown = performance.now();
    if (paper.render()) show();
    element('figures').textContent = figures();
    element('dropped').hidden = paper.dropped === 0;
    element('dropped').textContent =
      `The first ${count(paper.dropped)} characters are not shown here. “Copy text” has them.`;
    bars.show(expected());
    const { given, written } = writer;
    copyButton.disabled = given.characters + written.characters === 0;
    againButton.disabled = written.characters === 0;
  }

  function figures(): string {
    const { given, written, unknown } = writer;
    return [
      ...(doing !== 'nothing' && !writer.has(prompt.value)
        ? [`reading: ${count(given.characters)} of ${count(prompt.value.length)} characters`]
        : [tally(given, 'given')]),
      ...(unknown > 0 ? [`${count(unknown)} of them unknown to the network`] : []),
      ...(written.characters > 0 ? [tally(written, 'written')] : []),
    ].join(' · ');
  }

  function expected(): Float64Array | undefined {
    if (!network.logits) return undefined;
    distribution.set(network.logits, settings.sampling);
    return distribution.probabilities;
  }

  // ---- what is done, one thing at a time ----

  let doing: 'nothing' | 'reading' | 'writing' = 'nothing';
  let current = new AbortController();
  let last: Promise<void> = Promise.resolve();

  function begin(what: 'reading' | 'writing', work: (signal: AbortSignal) => Promise<void>): void {
    clearTimeout(typing);
    current.abort();
    current = new AbortController();
    const { signal } = current;
    doing = what;
    element('problem').hidden = true;
    label();
    last = last.then(async () => {
      try {
        if (!signal.aborted) await work(signal);
      } catch (error) {
        complain(error);
      }
      show();
      if (signal !== current.signal) return;
      doing = 'nothing';
      label();
    });
  }

  function stop(): void {
    current.abort();
    say('Stopped.');
  }

  function label(): void {
    const writing = doing === 'writing';
    writeButton.textContent = writing
      ? 'Stop'
      : writer.written.characters > 0 && writer.has(prompt.value)
        ? 'Continue'
        : 'Write';
    writeButton.classList.toggle('stop', writing);
  }

  const read = (signal: AbortSignal): Promise<void> => writer.give(prompt.value, pace, signal);

  async function write(signal: AbortSignal): Promise<void> {
    if (!writer.has(prompt.value)) await read(signal);
    if (signal.aborted) return;
    say('Writing.');
    const before = writer.written.characters;
    const { seed, length } = settings;
    await writer.write(
      length.value,
      seed.value,
      () => {
        pace.perSecond = settings.pace;
        return settings.sampling;
      },
      pace,
      signal,
    );
    say(
      `${signal.aborted ? 'Stopped' : 'Done'} after ${count(writer.written.characters - before)} characters.`,
    );
  }

  // ---- what is pressed and typed ----

  let typing: ReturnType<typeof setTimeout> | undefined;
  const startOrStop = (): void => {
    if (doing === 'writing') stop();
    else begin('writing', write);
  };
  writeButton.addEventListener('click', startOrStop);
  againButton.addEventListener('click', () => {
    if (element<HTMLInputElement>('fresh').checked) settings.drawSeed();
    begin('writing', async (signal) => {
      writer.clear();
      await write(signal);
    });
  });
  copyButton.addEventListener('click', () => {
    copy(writer.text).then(() => say('Copied.'), complain);
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) startOrStop();
    else if (event.key === 'Escape' && doing === 'writing') stop();
    else return;
    event.preventDefault();
  });

  prompt.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      if (!writer.has(prompt.value)) begin('reading', read);
    }, TYPING_PAUSE);
  });
  element('settings').addEventListener('input', show);
  element('colours').addEventListener('input', () => {
    for (const name of ['surprise', 'neuron']) element(`${name}-legend`).hidden = settings.colours !== name;
    element('which').hidden = settings.colours !== 'neuron';
    paper.recolour(colouring());
  });

  begin('reading', read);
  writeButton.disabled = false;
}

const count = (value: number): string => value.toLocaleString('en');

function tally({ characters, bitsPerCharacter }: Tally, done: string): string {
  const bits = bitsPerCharacter === undefined ? '' : `, ${bitsPerCharacter.toFixed(2)} bits each`;
  return `${count(characters)} ${characters === 1 ? 'character' : 'characters'} ${done}${bits}`;
}

adoptColours(BITS_SCALE, (level) => `.bits-${level}`);
adoptColours(ACTIVATION_SCALE, (level) => `.activation-${level}`);
openNetwork(pageData<PlayData>()).then((network) => {
  run(network);
  say('');
}, complain);
