import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';
import { encodeFiles, loadCorpus } from '../../src/text/corpus.ts';
import { parseSplit } from '../../src/text/split.ts';
import { UNITS } from '../../src/text/symbol-reader.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import { idsIn } from './ids-in.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-corpus-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: string | Uint8Array, name = `${files++}.txt`): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const split = parseSplit('90/5/5');
const whole = parseSplit('100/0/0');
const code = (expected: ErrorCode, message: RegExp) => (error: unknown) =>
  error instanceof CharloomError && error.code === expected && message.test(error.message);

const mixed = 'naïve 漢字。\r\n😀👨‍👩‍👧‍👦 e\u0301\u0323 🇩🇪🇫🇷 हिन्दी \u1112\u1161\u11ab가 مَر\r\n\n';

describe('loadCorpus: reading', () => {
  for (const unit of UNITS) {
    it(`when a text is read by ${unit} in pieces of any size then the result is the same`, async () => {
      const path = file(mixed.repeat(2));
      const expected = await loadCorpus([path], { unit, split: whole });
      const bytes = Buffer.byteLength(mixed) * 2;
      for (const pieceBytes of [1, 2, 3, 4, 5, 7, 16, bytes - 1, bytes, bytes + 1]) {
        const corpus = await loadCorpus([path], { unit, split: whole, pieceBytes });
        assert.deepEqual(idsIn(corpus.ids), idsIn(expected.ids));
        assert.deepEqual(corpus.vocabulary.symbols, expected.vocabulary.symbols);
        assert.deepEqual(corpus.files, expected.files);
      }
      assert.equal(expected.vocabulary.decode(idsIn(expected.ids)), mixed.repeat(2));
    });
  }

  it('when lines end in CR LF then they are two characters but one grapheme', async () => {
    const path = file('a\r\nb\r\n');
    const characters = await loadCorpus([path], { split: whole });
    assert.deepEqual(characters.vocabulary.symbols, ['\n', '\r', 'a', 'b', '']);
    const graphemes = await loadCorpus([path], { split: whole, unit: 'grapheme', pieceBytes: 1 });
    assert.deepEqual(graphemes.vocabulary.symbols, ['\r\n', 'a', 'b', '']);
    assert.deepEqual(idsIn(graphemes.ids), [1, 0, 2, 0]);
  });

  it('when several files are given then they are concatenated in this order, each without its byte order mark', async () => {
    const paths = [file('\ufeffba'), file(''), file('\ufeffc\ufeff'), file('b')];
    const corpus = await loadCorpus(paths, { split: whole, pieceBytes: 2 });
    assert.equal(corpus.vocabulary.decode(idsIn(corpus.ids)), 'bac\ufeffb');
    assert.deepEqual(corpus.vocabulary.symbols, ['a', 'b', 'c', '\ufeff', '']);
  });

  it('when the unit is byte then the bytes are taken as they are', async () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0xff, 0x00, 0x61, 0xff);
    const corpus = await loadCorpus([file(bytes)], { split: whole, unit: 'byte' });
    assert.deepEqual(corpus.vocabulary.symbols, ['\0', 'a', '\xbb', '\xbf', '\xef', '\xff', '']);
    assert.deepEqual(idsIn(corpus.ids), [4, 2, 3, 5, 0, 1, 5]);
  });

  it('when files are read then their names, sizes and hashes are recorded', async () => {
    const path = file('hällo\n', 'named.txt');
    const { files: records } = await loadCorpus([path, path], { split: whole, pieceBytes: 3 });
    const sha256 = createHash('sha256').update('hällo\n').digest('hex');
    const record = { name: 'named.txt', path, bytes: 7, sha256 };
    assert.deepEqual(records, [record, record]);
  });

  it('when there are ever more distinct symbols then ids widen without loss', async () => {
    const symbols = Array.from({ length: 70_000 }, (_, i) => String.fromCodePoint(0x10000 + i));
    for (const n of [255, 256, 257, 70_000]) {
      const text = symbols.slice(0, n).join('') + symbols.slice(0, n).reverse().join('');
      const corpus = await loadCorpus([file(text)], { split: whole, pieceBytes: 1000 });
      assert.equal(corpus.vocabulary.decode(idsIn(corpus.ids)), text);
    }
  });

  it('when a text is read then progress is told to its end, the total only where it is known', async () => {
    const path = file('abc'.repeat(10));
    const told: [number, number | undefined][] = [];
    await loadCorpus([path, path], {
      split: whole,
      pieceBytes: 20,
      onProgress: (...state) => told.push(state),
    });
    assert.deepEqual(told, [
      [20, 60],
      [30, 60],
      [50, 60],
      [60, 60],
    ]);
  });
});

describe('loadCorpus: vocabulary and split', () => {
  it('when a symbol is seen only after the training part then it counts as unknown there', async () => {
    const text = `${'ab'.repeat(45)}xaybbzzabb`;
    const corpus = await loadCorpus([file(text)], { split });
    assert.deepEqual(corpus.vocabulary.symbols, ['a', 'b', '']);
    assert.deepEqual([corpus.train.length, corpus.validation.length, corpus.test.length], [90, 5, 5]);
    assert.deepEqual(corpus.unknownCharacters, { train: 0, validation: 2, test: 2 });
    assert.deepEqual(idsIn(corpus.validation), [2, 0, 2, 1, 1]);
  });

  it('when symbols are rare then --min-count makes them unknown, also in the training part', async () => {
    const corpus = await loadCorpus([file('aaabbc')], { split: whole, minCount: 2 });
    assert.deepEqual(corpus.vocabulary.symbols, ['a', 'b', '']);
    assert.deepEqual(idsIn(corpus.ids), [0, 0, 0, 1, 1, 2]);
    assert.deepEqual(corpus.unknownCharacters, { train: 1, validation: 0, test: 0 });
  });

  it('when boundaries fall into the text then they are counted in symbols, not bytes', async () => {
    const corpus = await loadCorpus([file(`${'漢'.repeat(18)}ab`)], { split });
    assert.deepEqual([...idsIn(corpus.validation), ...idsIn(corpus.test)], [1, 1]);
    assert.equal(corpus.train.length, 18);
  });

  it('when a saved vocabulary is given then the ids are the saved ones, whatever the files hold', async () => {
    const path = file('abcd'.repeat(25));
    const saved = Vocabulary.parse(JSON.parse('{"unit":"character","symbols":["d","","b","a"],"unknown":1}'));
    const corpus = await loadCorpus([path], { split, vocabulary: saved, unit: 'byte', minCount: 99 });
    assert.equal(corpus.vocabulary, saved);
    assert.deepEqual(idsIn(corpus.ids.part(0, 4)), [3, 2, 1, 0]);
    assert.deepEqual(corpus.unknownCharacters, { train: 22, validation: 2, test: 1 });
  });

  it('when a vocabulary is the base then the training part adds to it, and the others do not', async () => {
    const base = Vocabulary.parse(JSON.parse('{"unit":"character","symbols":["d","","b","a"],"unknown":1}'));
    const text = `${'abcéc'.repeat(17)}éz${'f'.repeat(13)}`; // 85 + 2 + 13 symbols
    const options = { base, split: parseSplit('87/13/0'), unit: 'byte' } as const;
    const corpus = await loadCorpus([file(text)], options);
    assert.deepEqual(corpus.vocabulary.symbols, ['d', '', 'b', 'a', 'c', 'z', 'é']);
    assert.deepEqual(idsIn(corpus.ids.part(0, 5)), [3, 2, 4, 6, 4]);
    assert.deepEqual(corpus.unknownCharacters, { train: 0, validation: 13, test: 0 });
    const common = await loadCorpus([file(text)], { ...options, minCount: 2 });
    assert.deepEqual(common.vocabulary.symbols, ['d', '', 'b', 'a', 'c', 'é']);
    assert.equal(common.unknownCharacters.train, 1);
  });

  it('when the training part is empty then the error says so', async () => {
    await assert.rejects(
      loadCorpus([file('a')], { split: parseSplit('50/25/25') }),
      code('BAD_DATA', /training part \(50%\) of a text of 1 /),
    );
  });
});

describe('encodeFiles', () => {
  it('when a text is read with a vocabulary then it is whole, and unknown symbols are counted', async () => {
    const { vocabulary } = await loadCorpus([file('abc')], { split: whole });
    const text = await encodeFiles([file('cab'), file('xyzé')], vocabulary, { pieceBytes: 2 });
    assert.deepEqual(idsIn(text.ids), [2, 0, 1, 3, 3, 3, 3]);
    assert.equal(text.unknownCharacters, 4);
    assert.equal(text.files.length, 2);
  });
});

describe('loadCorpus: what cannot be read', () => {
  it('when a file is missing then the error names it, before anything else is read', async () => {
    const invalid = file(Uint8Array.of(0xff));
    const missing = join(folder, 'missing.txt');
    await assert.rejects(
      loadCorpus([invalid, missing], { split }),
      code('NO_INPUT', /missing\.txt: it does not exist/),
    );
    await assert.rejects(
      loadCorpus([join(invalid, 'x')], { split }),
      code('NO_INPUT', /a part of its path is not a folder/),
    );
  });

  it('when no file can have the name then it is missing input', async () => {
    await assert.rejects(loadCorpus(['a\0b'], { split }), code('NO_INPUT', /no file can have this name/));
  });

  it('when a folder is given then the error says that it is one', async () => {
    const path = join(folder, 'texts');
    mkdirSync(path);
    await assert.rejects(loadCorpus([path], { split }), code('NO_INPUT', /texts: it is a folder/));
  });

  it('when there is no text then it is bad data', async () => {
    const paths = [file(''), file('\ufeff')];
    await assert.rejects(
      loadCorpus([paths[0]!], { split }),
      code('BAD_DATA', /there is no text in .*\.txt$/),
    );
    await assert.rejects(loadCorpus(paths, { split }), code('BAD_DATA', /\.txt, .*\.txt$/));
  });

  it('when a file is not UTF-8 then the error names it and the offset in it, not in the whole', async () => {
    const good = file('漢'.repeat(100));
    const bad = file(Buffer.concat([Buffer.from('aé'), Buffer.of(0xe6, 0xbc), Buffer.from('b')]));
    const cut = file(Buffer.of(0x61, 0xf0, 0x9f));
    for (const pieceBytes of [1, 2, 3, 1000]) {
      for (const unit of ['character', 'grapheme'] as const) {
        const read = (paths: string[]) => loadCorpus(paths, { split, unit, pieceBytes });
        await assert.rejects(
          read([good, bad]),
          code('BAD_DATA', /\d\.txt is not valid UTF-8.* byte offset 3 /),
        );
        await assert.rejects(
          read([cut, good]),
          code('BAD_DATA', /\d\.txt is not valid UTF-8.* byte offset 1 /),
        );
      }
    }
  });

  it('when reading fails midway then it is an I/O error that names the file', {
    skip: process.platform !== 'linux',
  }, async () => {
    // A process may not read its own memory map at address 0.
    await assert.rejects(
      loadCorpus(['/proc/self/mem'], { split }),
      code('IO', /reading \/proc\/self\/mem failed/),
    );
  });
});

describe('loadCorpus: pipes', () => {
  const program = (memoryBytes?: number) => `
    import { loadCorpus } from ${JSON.stringify(new URL('../../src/text/corpus.ts', import.meta.url).href)};
    const paths = process.argv.slice(1);
    const split = { train: 100, validation: 0, test: 0 };
        try {
      const corpus = await loadCorpus(paths, { split, memoryBytes: ${memoryBytes} });
      const ids = new Int32Array(corpus.ids.length);
      corpus.ids.read(0, ids);
      console.log(JSON.stringify({ text: corpus.vocabulary.decode(ids), files: corpus.files }));
    } catch (error) {
      console.log(error.code + ': ' + error.message);
    }`;
  const argsOf = (memoryBytes?: number) => [
    ...['--import', 'tsx', '--input-type=module'],
    ...['--eval', program(memoryBytes)],
  ];
  const args = argsOf();
  const read = (input: string | Uint8Array, ...paths: string[]) =>
    execFileSync(process.execPath, [...args, ...paths], { input })
      .toString()
      .trim();

  it('when - is given then standard input is read, also between files', () => {
    const text = '漢字 😀 '.repeat(20_000);
    const path = file('!');
    const result = JSON.parse(read(`\ufeff${text}`, path, '-', path));
    assert.equal(result.text, `!${text}!`);
    const bytes = Buffer.byteLength(text) + 3;
    assert.deepEqual(
      [result.files[1].name, result.files[1].path, result.files[1].bytes],
      ['stdin', '-', bytes],
    );
  });

  it('when standard input has more ids than memory is to hold then the text is the same', () => {
    const text = 'to be or not 漢字 '.repeat(20_000);
    const result = execFileSync(process.execPath, [...argsOf(100_000), '-'], { input: text });
    assert.equal(JSON.parse(result.toString()).text, text);
  });

  it('when standard input is empty, invalid or given twice then the error says so', () => {
    assert.equal(read('', '-'), 'BAD_DATA: there is no text in standard input');
    assert.match(
      read(Uint8Array.of(0x61, 0xff), '-'),
      /^BAD_DATA: standard input is not valid UTF-8.*offset 1 /,
    );
    assert.match(read('a', '-', '-'), /^USAGE: .*twice/);
  });

  it('when a named pipe is given then it is read once', { skip: process.platform === 'win32' }, () => {
    const pipe = join(folder, 'pipe');
    const result = spawnSync(
      'sh',
      [
        '-c',
        'mkfifo "$0" && { printf "piped text" > "$0" & } && exec "$@" "$0"',
        pipe,
        process.execPath,
        ...args,
      ],
      { encoding: 'utf8' },
    );
    assert.equal(JSON.parse(result.stdout).text, 'piped text', result.stderr);
  });
});
