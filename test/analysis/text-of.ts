/** Texts for analyses, without files. */
import { IdSequence } from '../../src/text/id-sequence.ts';
import type { Unit } from '../../src/text/symbol-reader.ts';
import { SymbolText } from '../../src/text/symbol-text.ts';

/** The symbols as a text that was read. */
export function textOf(symbols: Iterable<string>, unit: Unit = 'character'): SymbolText {
  const all = [...symbols];
  const distinct = [...new Set(all)];
  return new SymbolText(
    unit,
    IdSequence.of(Uint32Array.from(all, (symbol) => distinct.indexOf(symbol))),
    distinct,
  );
}
