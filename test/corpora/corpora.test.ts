import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const folder = new URL('../../corpora/', import.meta.url);
const read = (name: string): Buffer => readFileSync(new URL(name, folder));

/** The texts that come with charloom, and the fewest characters that each is promised to have. */
const TEXTS: Readonly<Record<string, number>> = {
  'lighthouse.txt': 60_000,
  'mountain-letters.zh-TW.txt': 8_200,
};

describe('bundled texts', () => {
  const readme = read('README.md').toString();
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'));

  it('when a text lies in corpora/ then it is known here', () => {
    assert.deepEqual(names.sort(), Object.keys(TEXTS).sort());
  });

  for (const [name, least] of Object.entries(TEXTS)) {
    const bytes = read(name);
    const text = bytes.toString('utf8');
    const characters = [...text];

    it(`when ${name} is read then it has at least ${least} characters`, () => {
      assert.ok(characters.length >= least, `${characters.length}`);
    });

    it(`when the README states the size of ${name} then that is its size`, () => {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` `));
      assert.ok(row, `the README has no row for ${name}`);
      const cells = row.split('|').map((cell) => Number(cell.replaceAll(',', '')));
      assert.deepEqual(cells.slice(4, 6), [characters.length, new Set(characters).size]);
    });

    it(`when ${name} is read then it is clean UTF-8 with line feeds`, () => {
      assert.ok(Buffer.from(text, 'utf8').equals(bytes), 'not valid UTF-8');
      assert.equal(text, text.normalize('NFC'));
      assert.doesNotMatch(text, /[\r\t\ufeff\ufffd]/);
      assert.doesNotMatch(text, / $/m);
      assert.ok(text.endsWith('\n') && !text.endsWith('\n\n'));
    });
  }

  it('when the Chinese text is read then it has nothing but Chinese characters and full-width punctuation', () => {
    assert.match(
      read('mountain-letters.zh-TW.txt').toString(),
      /^[\n\u3000\u4e00-\u9fff。，、；：？！「」]+$/,
    );
  });

  it('when the Chinese text is read then no paragraph occurs twice', () => {
    const paragraphs = read('mountain-letters.zh-TW.txt')
      .toString()
      .split('\n')
      .filter((line) => line.length > 10);
    assert.equal(new Set(paragraphs).size, paragraphs.length);
    assert.ok(paragraphs.length >= 24 * 3);
  });
});

describe('catalogue of public corpora', () => {
  const entries: unknown = JSON.parse(read('catalog.json').toString());
  assert.ok(Array.isArray(entries));

  const text = (value: unknown) => typeof value === 'string' && value.trim() === value && value !== '';
  const orNull = (check: (value: unknown) => boolean) => (value: unknown) => value === null || check(value);
  const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
  const address = (value: unknown) => text(value) && /^https?:$/.test(new URL(value as string).protocol);
  const oneOf =
    (...values: string[]) =>
    (value: unknown) =>
      values.includes(value as string);

  /** The fields of an entry in their order, each with its check. */
  const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
    name: (value) => text(value) && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value as string),
    title: text,
    language: text,
    url: address,
    download: oneOf('automatic', 'manual'),
    bytes: orNull(count),
    sha256: orNull((value) => text(value) && /^[0-9a-f]{64}$/.test(value as string)),
    format: oneOf('text', 'zip', 'tar.gz'),
    member: orNull(text),
    characters: orNull(count),
    licence: orNull(text),
    source: address,
    published: Array.isArray,
    notes: text,
  };

  for (const entry of entries) {
    it(`when the entry ${entry.name} is read then every field is there and well-formed`, () => {
      assert.deepEqual(Object.keys(entry), Object.keys(FIELDS));
      for (const [field, check] of Object.entries(FIELDS)) {
        assert.ok(check(entry[field]), `${field}: ${JSON.stringify(entry[field])}`);
      }
      assert.equal(
        entry.member === null,
        entry.format === 'text',
        'an archive names its member, a text has none',
      );
      if (entry.download === 'automatic') assert.notEqual(entry.format, 'tar.gz');
    });

    it(`when ${entry.name} has published results then each has a model, one figure, a split and a reference`, () => {
      for (const result of entry.published) {
        const figure = 'bitsPerCharacter' in result ? 'bitsPerCharacter' : 'crossEntropy';
        assert.deepEqual(Object.keys(result), ['model', figure, 'split', 'reference']);
        assert.ok(text(result.model) && text(result.split) && text(result.reference));
        assert.ok(result[figure] > 0.5 && result[figure] < 5, `${result[figure]}`);
      }
    });
  }

  it('when entries are compared then no name and no address occurs twice', () => {
    for (const field of ['name', 'url']) {
      assert.equal(new Set(entries.map((entry) => entry[field])).size, entries.length, field);
    }
  });

  it('when a zip file is read as the README says then its single member comes out', () => {
    const content = Buffer.from('anarchism originated as a term of abuse'.repeat(40));
    const deflated = deflateRawSync(content);
    const name = Buffer.from('text8');
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(8, 8);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(4, 28);
    const directory = Buffer.from('PK\u0001\u0002 and what else follows the compressed data');
    const zip = Buffer.concat([header, name, Buffer.alloc(4), deflated, directory]);

    const start = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28);
    assert.deepEqual(inflateRawSync(zip.subarray(start)), content);
  });
});
