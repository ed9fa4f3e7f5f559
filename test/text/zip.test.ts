import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import { unzipSingle } from '../../src/text/zip.ts';
import { zip } from './download-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-zip-'));
after(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'archive.zip');
const member = 'folder/文.txt';
const text = Buffer.from(Array.from({ length: 300 }, (_, i) => `${(i * i) % 997} `).join(''));

async function unzip(archive: Uint8Array): Promise<Buffer> {
  writeFileSync(path, archive);
  const pieces: Uint8Array[] = [];
  for await (const piece of unzipSingle(path, member, 'the archive')) pieces.push(piece);
  return Buffer.concat(pieces);
}

const refuses = (archive: Uint8Array, message: RegExp): Promise<void> =>
  assert.rejects(unzip(archive), (error) => {
    assert.ok(error instanceof CharloomError, String(error));
    assert.equal(error.code, 'BAD_DATA');
    assert.match(error.message, message);
    return true;
  });

/** Writes 32 bits into the directory's record of the only member. */
function withRecord(archive: Buffer, offset: number, value: number): Buffer {
  const changed = Buffer.from(archive);
  changed.writeUInt32LE(value, changed.readUInt32LE(changed.length - 6) + offset);
  return changed;
}

describe('unzipSingle', () => {
  it('when the member is deflated or stored, long or empty, then it comes out', async () => {
    for (const content of [text, Buffer.alloc(1_000_000, text), Buffer.alloc(0)]) {
      for (const stored of [false, true]) {
        assert.deepEqual(await unzip(zip({ [member]: content }, { stored })), content);
      }
    }
  });

  it('when a comment follows the archive then that is no obstacle', async () => {
    const comment = Buffer.alloc(0xffff, 'a comment ');
    assert.deepEqual(await unzip(Buffer.concat([zip({ [member]: text }), comment])), text);
  });

  const good = zip({ [member]: text });
  const refused: readonly (readonly [what: string, archive: Buffer, message: RegExp])[] = [
    ['has two members', zip({ [member]: text, b: text }), /^the archive has 2 members, not one$/],
    ['has no members', zip({}), /has 0 members/],
    ['has another member', zip({ 'a\x1b': text }), /has the member "a\\u001b", not folder\/文\.txt/],
    [
      'is encrypted',
      zip({ [member]: text }, { encrypted: true }),
      /cannot be unpacked here: it is encrypted/,
    ],
    ['is compressed in another way', withRecord(good, 10, 12), /its compression is 12/],
    ['needs zip64', withRecord(good, 24, 0xffffffff), /larger than 4 GB/],
    ['has the wrong checksum', withRecord(good, 16, 1), /damaged zip file: its checksum is wrong/],
    ['is no zip file', text, /^the archive is not a zip file/],
    ['is empty', Buffer.alloc(0), /is not a zip file/],
  ];
  for (const [what, archive, message] of refused) {
    it(`when the archive ${what} then it is refused`, () => refuses(archive, message));
  }

  it('when any byte of the archive is wrong then it is refused, or the text is right all the same', async () => {
    for (const stored of [false, true]) {
      const whole = zip({ [member]: text }, { stored });
      for (let i = 0; i < whole.length; i++) {
        const broken = Buffer.from(whole);
        broken[i]! ^= 0x41;
        await unzip(broken).then(
          (content) => assert.deepEqual(content, text, `byte ${i}`),
          (error) => assert.equal(error.code, 'BAD_DATA', `byte ${i}: ${error.stack}`),
        );
      }
    }
  });

  it('when the archive ends anywhere too early then it is refused', async () => {
    for (let length = 0; length < good.length; length++) await refuses(good.subarray(0, length), /zip file/);
  });

  it('when a member unpacks to more than it says then it is stopped', async () => {
    const bomb = withRecord(zip({ [member]: Buffer.alloc(20_000_000) }), 24, 1000);
    let bytes = 0;
    writeFileSync(path, bomb);
    await assert.rejects(async () => {
      for await (const piece of unzipSingle(path, member, 'the archive')) bytes += piece.length;
    }, /checksum is wrong/);
    assert.ok(bytes <= 1000, `${bytes}`);
  });
});
