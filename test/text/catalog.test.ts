import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';
import { bestBitsPerCharacter, findEntry, readCatalog } from '../../src/text/catalog.ts';
import { makeEntry } from './download-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-catalog-'));
after(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'catalog.json');
function read(content: unknown) {
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readCatalog(path);
}

const fails = (work: () => unknown, code: ErrorCode, message: RegExp, hint = /^/) =>
  assert.rejects(
    async () => work(),
    (error) => {
      assert.ok(error instanceof CharloomError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.hint, hint);
      return true;
    },
  );

const good = makeEntry('https://example.org/little.txt', Buffer.from('abc'));

describe('the catalogue that comes with charloom', () => {
  it('is found and read without a path', async () => {
    const names = (await readCatalog()).map(({ name }) => name);
    assert.ok(names.includes('tinyshakespeare') && names.includes('enwik8'), names.join());
  });
});

describe('readCatalog', () => {
  it('when a catalogue is well-formed then its entries are as they were written', async () => {
    const published = [
      { model: 'A', bitsPerCharacter: 1.5, split: 'test', reference: 'R' },
      { model: 'B', crossEntropy: 1, split: 'test', reference: 'R' },
    ];
    const entries = [good, { ...good, name: 'other', published, bytes: null, sha256: null, licence: null }];
    assert.deepEqual(await read(entries), entries);
  });

  it('when it has no entries then that is a catalogue', async () => assert.deepEqual(await read([]), []));

  it('when the file does not exist then it says so', async () => {
    await fails(
      () => readCatalog(join(folder, 'none.json')),
      'NO_INPUT',
      /cannot read .*none\.json: it does not exist/,
    );
  });

  it('when it is not JSON or not a list then it says so', async () => {
    await fails(() => read('[{'), 'BAD_DATA', /catalog\.json is not JSON/);
    await fails(() => read({ corpora: [] }), 'BAD_DATA', /is not a list/);
  });

  const wrong: readonly (readonly [what: string, change: object, message: RegExp])[] = [
    ['a name with a path', { name: '../x' }, /corpus 2: name is "\.\.\/x", must be small letters/],
    ['an empty title', { title: ' ' }, /corpus 2: title is " "/],
    ['a title with a terminal sequence', { title: 'a\x1b[2J' }, /title is/],
    ['an address that is a file', { url: 'file:///etc/hosts' }, /url is "file:.*http:\/\/ or https:/],
    ['an address with a line feed', { url: 'http://a/\n' }, /url is/],
    ['no address', { url: undefined }, /url is missing/],
    ['another kind of download', { download: 'yes' }, /download is "yes", must be one of automatic, manual/],
    ['a size that is text', { bytes: '3' }, /bytes is "3", must be an integer.*, or null/],
    ['a size of 0', { bytes: 0 }, /bytes is 0/],
    ['a checksum in capitals', { sha256: 'A'.repeat(64) }, /sha256 is .*64 hexadecimal digits/],
    ['a checksum that is missing', { sha256: undefined }, /sha256 is missing/],
    ['a format that is not known', { format: 'rar' }, /format is "rar"/],
    ['a member of a text', { member: 'x' }, /\(little\): a text has no member/],
    ['a zip file without its member', { format: 'zip' }, /\(little\): the member .* is missing/],
    ['an automatic tar file', { format: 'tar.gz', member: 'x' }, /tar\.gz can only be manual/],
    ['a field that is not known', { sha265: 'x' }, /corpus 2: there is no field 'sha265'/],
    ['results that are no list', { published: {} }, /published is {}, must be a list/],
    [
      'a result without a figure',
      { published: [{ model: 'A', split: 'test', reference: 'R' }] },
      /result 1 must have/,
    ],
    ['a result that is null', { published: [null] }, /result 1 must have exactly one of bitsPer/],
    [
      'a result with a figure of 0',
      { published: [{ model: 'A', split: 'test', reference: 'R', crossEntropy: 0 }] },
      /result 1: crossEntropy is 0, must be a number above 0/,
    ],
  ];
  for (const [what, change, message] of wrong) {
    it(`when an entry has ${what} then it is refused, and which entry it is is said`, async () => {
      const entry = { ...good, ...change };
      await fails(() => read([{ ...good, name: 'first' }, entry]), 'BAD_DATA', message);
    });
  }

  it('when an entry is no object then it is refused', async () => {
    for (const entry of [null, 3, 'x', []])
      await fails(() => read([entry]), 'BAD_DATA', /corpus 1: name is missing/);
  });

  it('when a name occurs twice then it is refused', async () => {
    await fails(() => read([good, good]), 'BAD_DATA', /two corpora 'little'/);
  });
});

describe('findEntry', () => {
  const catalog = ['text8', 'enwik8', 'wikitext-2-raw', 'names'].map((name) => ({ ...good, name }));

  it('when the name is there then it is that corpus', async () => {
    assert.equal(findEntry(catalog, 'enwik8').name, 'enwik8');
  });

  for (const [name, near] of [
    ['txet8', 'text8'],
    ['Names', 'names'],
    ['enwiki8', 'enwik8'],
    ['wikitext', 'wikitext-2-raw'],
  ] as const) {
    it(`when it is ${name} then it asks whether ${near} was meant, and names all`, async () => {
      const message = new RegExp(`no corpus '${name}', did you mean ${near}\\?`);
      await fails(
        () => findEntry(catalog, name),
        'USAGE',
        message,
        /has text8, enwik8, wikitext-2-raw, names$/,
      );
    });
  }

  it('when nothing is near then it only names all', async () => {
    for (const name of ['', 'shakespeare', 'constructor']) {
      await fails(
        () => findEntry(catalog, name),
        'USAGE',
        new RegExp(`^there is no corpus '${name}'$`),
        /text8/,
      );
    }
    await fails(() => findEntry([], 'text8'), 'USAGE', /no corpus/, /empty/);
  });
});

describe('bestBitsPerCharacter', () => {
  const results = (...figures: object[]) => ({
    ...good,
    published: figures.map((figure) => ({ model: 'A', split: 'test', reference: 'R', ...figure })),
  });

  it('when results are in bits and in nats then the lowest in bits is the best', async () => {
    const best = bestBitsPerCharacter(
      results({ bitsPerCharacter: 1.5 }, { crossEntropy: 1 }, { crossEntropy: 2 }),
    );
    assert.equal(best, 1 / Math.log(2));
    assert.equal(bestBitsPerCharacter(results({ bitsPerCharacter: 1.4 }, { crossEntropy: 1 })), 1.4);
  });

  it('when there are none then there is no best', () => assert.equal(bestBitsPerCharacter(good), undefined));
});
