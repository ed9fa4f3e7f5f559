import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { encodeFiles, loadCorpus } from '../../src/text/corpus.ts';
import { parseSplit } from '../../src/text/split.ts';
import { UNITS, type Unit } from '../../src/text/symbol-reader.ts';
import { SymbolText } from '../../src/text/symbol-text.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-symbols-'));
after(() => rmSync(folder, { recursive: true }));

const content = 'a漢\r\nb👨‍👩‍👧‍👦\n\nc';
const path = join(folder, 'text.txt');
writeFileSync(path, content);

async function textOf(unit: Unit, options = {}): Promise<SymbolText> {
  const vocabulary = Vocabulary.fromCounts(unit, new Map([['a', 1]]), 1);
  const { ids, symbols } = await encodeFiles([path], vocabulary, options);
  return new SymbolText(unit, ids, symbols);
}

describe('the symbols of a text', () => {
  for (const unit of UNITS) {
    it(`are as they were read by ${unit}, though the vocabulary lacks nearly all of them`, async () => {
      for (const options of [{}, { memoryBytes: 0, folder }]) {
        const text = await textOf(unit, options);
        assert.equal(text.text(0, text.length), content);
        assert.equal(text.read(0, 1)[0], 'a');
      }
    });
  }

  it('of a part are those of the part', async () => {
    const { validation, symbols } = await loadCorpus([path], { split: parseSplit('50/50/0') });
    const text = new SymbolText('character', validation, symbols);
    const all = [...content];
    assert.deepEqual(text.read(0, text.length), all.slice(Math.floor(all.length / 2)));
    assert.throws(() => text.read(0, text.length + 1), RangeError);
  });

  it('of bytes that are no text are U+FFFD', async () => {
    const text = await textOf('byte');
    assert.equal(text.text(1, 3), '\ufffd');
  });

  it('lie in lines that are counted from 1, in whatever order one asks', async () => {
    const text = await textOf('grapheme');
    // a 漢 CRLF b family LF LF c
    assert.deepEqual(text.lines([7, 0, 2, 3, 5, 6, 6]), [4, 1, 1, 2, 2, 3, 3]);
    assert.deepEqual(text.lines([]), []);
  });
});
