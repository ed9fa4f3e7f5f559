/** A text that somebody typed, as the characters that are shown and the ids that the network reads. */
import { symbolsOf } from '../../../text/symbol-reader.ts';
import type { Vocabulary } from '../../../text/vocabulary.ts';

export interface GivenCharacter {
  readonly text: string;
  /** One, or, where the symbols are bytes, one for each of its bytes. */
  readonly ids: readonly number[];
}

const encoder = new TextEncoder();

/** The characters of a text, one after the other; as `Vocabulary.encode`, without a byte order mark. */
export function* charactersOf(text: string, vocabulary: Vocabulary): Generator<GivenCharacter> {
  if (vocabulary.unit !== 'byte') {
    for (const symbol of symbolsOf(vocabulary.unit, encoder.encode(text), 'the text')) {
      yield { text: symbol, ids: [vocabulary.idOf(symbol)] };
    }
    return;
  }
  for (const character of text) {
    const ids = Array.from(encoder.encode(character), (byte) => vocabulary.idOf(String.fromCharCode(byte)));
    yield { text: character, ids };
  }
}
