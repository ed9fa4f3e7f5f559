/** A text that does not fit into memory is the same text, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import { Batches } from '../../src/text/batches.ts';
import { type Corpus, type CorpusOptions, encodeFiles, loadCorpus } from '../../src/text/corpus.ts';
import { BLOCK, IdStore } from '../../src/text/id-store.ts';
import { parseSplit, SPLIT_NAMES } from '../../src/text/split.ts';
import { idsIn } from './ids-in.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-store-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: string | Uint8Array): string {
  const path = join(folder, `${files++}.txt`);
  writeFileSync(path, content);
  return path;
}

/** A text of `length` symbols, drawn from more and more of `symbols`: the last are seen only near its end. */
function drawn(symbols: readonly string[], length: number): string {
  const random = new Random(7);
  const text = Array.from({ length }, (_, i) => {
    return symbols[random.integer(Math.ceil(((i + 1) / length) * symbols.length))];
  });
  return text.join('');
}

const range = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => String.fromCodePoint(first + i));

/** Every text has several blocks, the last one not full. */
const texts: [name: string, text: string, options: Partial<CorpusOptions>][] = [
  ['ASCII', drawn(range(32, 95), 3 * BLOCK + 17), {}],
  ['Chinese', drawn(range(0x4e00, 200), 2 * BLOCK + 1), {}],
  ['exactly whole blocks', drawn(range(32, 95), 2 * BLOCK), {}],
  ['graphemes', drawn(['e\u0301', 'a', '👨‍👩‍👧‍👦', '\r\n', '漢', '🇩🇪 '], 2 * BLOCK), { unit: 'grapheme' }],
  ['bytes', drawn(range(0x4e00, 200), BLOCK), { unit: 'byte' }],
  ['more than 256 symbols', drawn(range(0x4e00, 3000), 3 * BLOCK + 5), {}],
  ['more than 65536 symbols', drawn(range(0x20000, 70_000), 6 * BLOCK + 3), {}],
  ['rare symbols', drawn(range(0x4e00, 3000), 3 * BLOCK), { minCount: 60 }],
  ['an uneven split', drawn(range(32, 95), 3 * BLOCK + 17), { split: parseSplit('33.3/33.3/33.4') }],
];

/** What a corpus is to those who use it. */
function contentOf({ vocabulary, files: records, unknownCharacters, ...corpus }: Corpus) {
  const batches = new Batches(corpus.train, 3, 1000);
  const windows = Array.from({ length: batches.windowsPerEpoch + 2 }, () => {
    const inputs = new Int32Array(3000);
    const targets = new Int32Array(3000);
    return { ...batches.next(inputs, targets), inputs, targets };
  });
  const parts = Object.fromEntries(SPLIT_NAMES.map((name) => [name, idsIn(corpus[name])]));
  return {
    vocabulary: vocabulary.toJSON(),
    records,
    unknownCharacters,
    windows,
    ids: idsIn(corpus.ids),
    parts,
  };
}

describe('a text that does not fit into memory', () => {
  for (const [name, text, options] of texts) {
    it(`when it is kept on disk, all or half of it, then it is the same: ${name}`, async () => {
      const path = file(text);
      const read = async (memoryBytes: number) => {
        const corpus = await loadCorpus([path], {
          split: parseSplit('90/5/5'),
          ...options,
          folder,
          memoryBytes,
        });
        const content = contentOf(corpus);
        corpus.close();
        return content;
      };
      const expected = await read(Number.POSITIVE_INFINITY);
      assert.ok(expected.ids.length >= 2 * BLOCK);
      for (const memoryBytes of [0, 1.5 * BLOCK]) assert.deepEqual(await read(memoryBytes), expected);
    });
  }

  it('when any range is read, across blocks too, then it is that of the text', async () => {
    const symbols = range(0x20000, 70_000);
    const corpus = await loadCorpus([file(drawn(symbols, 6 * BLOCK))], {
      split: parseSplit('100/0/0'),
      memoryBytes: BLOCK,
    });
    const expected = idsIn(corpus.ids);
    const random = new Random(1);
    for (let i = 0; i < 300; i++) {
      const start = random.integer(expected.length);
      const out = new Int32Array(random.integer(Math.min(expected.length - start, 3 * BLOCK)));
      corpus.ids.read(start, out);
      assert.deepEqual([...out], expected.slice(start, start + out.length));
    }
    corpus.close();
  });

  it('when it is evaluated then its ids and unknown symbols are the same', async () => {
    const { vocabulary } = await loadCorpus([file('abc')], { split: parseSplit('100/0/0') });
    const path = file(drawn(['a', 'b', 'c', 'x', 'é'], 2 * BLOCK));
    const inMemory = await encodeFiles([path], vocabulary);
    const onDisk = await encodeFiles([path], vocabulary, { memoryBytes: 0, folder });
    assert.deepEqual(idsIn(onDisk.ids), idsIn(inMemory.ids));
    assert.ok(onDisk.unknownCharacters > 0);
    assert.equal(onDisk.unknownCharacters, inMemory.unknownCharacters);
    onDisk.close();
  });

  it('when reading it fails then the error is as ever, and its file is closed', {
    skip: process.platform !== 'linux',
  }, async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    const read = (content: Buffer) =>
      loadCorpus([file(content)], { split: parseSplit('90/5/5'), minCount: 2 ** 30, memoryBytes: 0, folder });
    await assert.rejects(
      read(Buffer.concat([Buffer.alloc(2 * BLOCK, 'a'), Buffer.of(0xff)])),
      /not valid UTF-8/,
    );
    await assert.rejects(read(Buffer.alloc(2 * BLOCK, 'a')), /no symbol of the training text/);
    assert.equal(open(), before);
  });
});

describe('IdStore: what cannot be written', () => {
  it('when the folder of the temporary file does not exist then the error names it', () => {
    const missing = join(folder, 'missing');
    const store = new IdStore({ memoryBytes: 0, folder: missing });
    assert.throws(
      () => store.append(new Int32Array(BLOCK), 1),
      (error) =>
        error instanceof CharloomError &&
        error.code === 'CANNOT_CREATE' &&
        error.message === `cannot create a temporary file in ${missing}: its folder does not exist`,
    );
  });

  for (const [input, needed] of [
    ['a file', 'about 1000000'],
    ['-', 'more than 589824'],
  ] as const) {
    it(`when the disk is full then the error tells where, and how much is needed (${input})`, {
      skip: process.platform === 'win32',
    }, () => {
      const source = (path: string) =>
        JSON.stringify(new URL(`../../src/text/${path}`, import.meta.url).href);
      const text = 'a'.repeat(1_000_000);
      const path = input === '-' ? input : file(text);
      const program = `
        import { loadCorpus } from ${source('corpus.ts')};
        const options = { split: { train: 90, validation: 5, test: 5 }, memoryBytes: 0, folder: process.argv[1] };
        await loadCorpus([process.argv[2]], options).catch(({ code, message, hint }) =>
          console.log(JSON.stringify({ code, message, hint })));`;
      const target = mkdtempSync(join(folder, 'full-'));
      // No file of this process may have more than 1024 blocks of 512 bytes, or 512 of 1024.
      const { stdout, stderr } = spawnSync(
        'sh',
        [
          ...['-c', 'ulimit -f 1024; [ "$(ulimit -f)" = 1024 ] && exec "$@"', 'sh'],
          ...[process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program, target, path],
        ],
        { encoding: 'utf8', input: text, env: { ...process.env, TSX_DISABLE_CACHE: '1' } },
      );
      const { code, message, hint } = JSON.parse(stdout || stderr);
      assert.equal(code, 'IO');
      assert.equal(
        message,
        `writing the ids of the text to a temporary file in ${target} failed: the file is larger than the system allows`,
      );
      assert.match(hint, new RegExp(`^it needs ${needed} bytes there, \\d+ were written$`));
      assert.deepEqual(readdirSync(target), []);
    });
  }
});
