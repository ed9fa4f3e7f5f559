/**
 * Strings of the embedded Reber grammar, one a line.
 *
 * A benchmark for what a recurrent network remembers: S. E. Fahlman, The recurrent cascade-correlation
 * architecture, NIPS 3, 1991; S. Hochreiter and J. Schmidhuber, Long short-term memory, Neural Computation 9(8),
 * 1997, section 5.1 and figures 3 and 4. The inner grammar is A. S. Reber's (Implicit learning of artificial
 * grammars, 1967). Where two symbols are possible, each has probability 1/2.
 *
 *     B T <inner string> T E     or     B P <inner string> P E
 *
 * The second symbol comes back as the last but one, after an inner string of 5 symbols or more: a model has to
 * carry it over all of them. The inner string tells nothing about it.
 *
 * With the line feed counted, a string has 13 characters and 7 free choices on average, so no model of the text
 * can need less than 7/13 = 0.538 bits (0.373 nats) per character; one that forgets the second symbol needs
 * 1 bit more per string.
 */

import { type Random, runWhenMain } from './command.ts';

/** The symbol that opens an embedded string and comes back as its last but one. */
type Outer = 'T' | 'P';

/** The inner grammar: for each state the legal symbols, each with the state after it. */
const INNER: readonly Readonly<Record<string, number>>[] = [
  /* 0 */ { B: 1 },
  /* 1 */ { T: 2, P: 3 },
  /* 2 */ { S: 2, X: 4 },
  /* 3 */ { T: 3, V: 5 },
  /* 4 */ { X: 3, S: 6 },
  /* 5 */ { P: 4, V: 6 },
  /* 6 */ { E: 7 },
  /* 7 */ {},
];
const INNER_END = 7;
const OUTER: readonly Outer[] = ['T', 'P'];

/** Where in an embedded string one is. */
type State =
  | { readonly at: 'start' | 'opened' | 'ended' }
  | { readonly at: 'inner'; readonly outer: Outer; readonly state: number }
  | { readonly at: 'closing'; readonly outer: Outer };

/** The legal symbols in a state, each with the state that it leads to. */
function transitions(state: State): ReadonlyMap<string, State> {
  switch (state.at) {
    case 'start':
      return new Map([['B', { at: 'opened' }]]);
    case 'opened':
      return new Map(OUTER.map((outer) => [outer, { at: 'inner', outer, state: 0 }]));
    case 'inner':
      if (state.state === INNER_END) return new Map([[state.outer, { at: 'closing', outer: state.outer }]]);
      return new Map(
        Object.entries(INNER[state.state] ?? {}).map(([symbol, next]) => [
          symbol,
          { at: 'inner', outer: state.outer, state: next },
        ]),
      );
    case 'closing':
      return new Map([['E', { at: 'ended' }]]);
    case 'ended':
      return new Map([['\n', { at: 'start' }]]);
  }
}

/** Endless embedded Reber strings without the line feed. */
export function* reberStrings(random: Random): Generator<string> {
  while (true) {
    let text = '';
    let state: State = { at: 'start' };
    while (state.at !== 'ended') {
      const legal: readonly [string, State][] = [...transitions(state)];
      // One random number for each free choice, none where there is only one way.
      const step: [string, State] | undefined = legal.length === 2 && random() >= 0.5 ? legal[1] : legal[0];
      if (step === undefined) throw new Error(`no way on after '${text}'`);
      text += step[0];
      state = step[1];
    }
    yield text;
  }
}

/**
 * The symbols that may follow `prefix`: the beginning of an embedded Reber string, or several lines of which the
 * last is one. After a complete string that is a line feed; after a line feed, B. The set is empty if the prefix
 * itself is not legal.
 */
export function legalNext(prefix: string): Set<string> {
  let state: State = { at: 'start' };
  for (const symbol of prefix) {
    const next = transitions(state).get(symbol);
    if (next === undefined) return new Set();
    state = next;
  }
  return new Set(transitions(state).keys());
}

/** Whether `text` is one whole embedded Reber string, without the line feed. */
export function isEmbeddedReber(text: string): boolean {
  return !text.includes('\n') && legalNext(text).has('\n');
}

await runWhenMain(import.meta.url, { name: 'reber', pieces: reberStrings, end: '\n' });
