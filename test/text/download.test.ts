import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';
import type { CatalogEntry } from '../../src/text/catalog.ts';
import { type DownloadOptions, downloadCorpus, MAX_BYTES } from '../../src/text/download.ts';
import { makeEntry, serve, sha256, zip } from './download-server.ts';

const root = mkdtempSync(join(tmpdir(), 'charloom-download-'));
after(() => rmSync(root, { recursive: true }));

/** Several pieces on the way, and nothing that repeats. */
const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `line ${i} ${(i * i) % 9973}\n`).join(''));
const member = 'folder/little.txt';
const routes: Record<string, RequestListener> = {
  '/text': (_, response) => response.setHeader('content-length', text.length).end(text),
  '/unsized': (_, response) => {
    response.write(text);
    response.end();
  },
  '/redirect': (_, response) => response.writeHead(302, { location: '/text' }).end(),
  '/redirect-to-404': (_, response) => response.writeHead(301, { location: '/gone' }).end(),
  '/redirect-to-file': (_, response) => response.writeHead(302, { location: 'file:///etc/hosts' }).end(),
  '/redirect-for-ever': (_, response) => response.writeHead(302, { location: '/redirect-for-ever' }).end(),
  '/empty': (_, response) => response.end(),
  '/gzip': (_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(text)),
  '/truncated': (_, response) => {
    response.setHeader('content-length', text.length);
    response.write(text.subarray(0, 100_000), () => response.destroy());
  },
  '/silent': () => {},
  '/stalled': (_, response) => {
    response.setHeader('content-length', text.length);
    response.write(text.subarray(0, 100_000));
  },
  '/slow': (_, response) => {
    const pieces = Array.from({ length: 8 }, (_, i) => text.subarray(i * 100, (i + 1) * 100));
    const timer = setInterval(() => {
      const piece = pieces.shift();
      if (piece) return response.write(piece);
      clearInterval(timer);
      return response.end();
    }, 150);
  },
  '/endless': (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(text));
    };
    response.on('drain', more);
    more();
  },
};
const deflated = zip({ [member]: text });
const damaged = Buffer.from(deflated);
damaged.fill(0, deflated.length / 2, deflated.length / 2 + 100);
for (const [path, content] of Object.entries({
  deflated,
  damaged,
  stored: zip({ [member]: text }, { stored: true }),
  two: zip({ [member]: text, 'other.txt': text }),
})) {
  routes[`/${path}.zip`] = (_, response) => response.end(content);
}

let server: Awaited<ReturnType<typeof serve>>;
before(async () => {
  server = await serve(routes);
});
after(() => server.close());

let folder: string;
let destination: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'));
  destination = join(folder, 'little.txt');
});

const entryOf = (
  path: string,
  others: Partial<CatalogEntry> = {},
  content: Uint8Array = text,
): CatalogEntry => makeEntry(`${server.origin}${path}`, content, others);
const unknown = { bytes: null, sha256: null };

/** The download fails like this, and the folder is as it was. */
async function fails(
  entry: CatalogEntry,
  code: ErrorCode,
  message: RegExp,
  options: DownloadOptions = {},
  hint = /^/,
): Promise<void> {
  const was = readdirSync(folder);
  await assert.rejects(downloadCorpus(entry, destination, options), (error) => {
    assert.ok(error instanceof CharloomError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.hint, hint);
    return true;
  });
  assert.deepEqual(readdirSync(folder), was);
}

describe('downloading a text', () => {
  it('when it is what the catalogue says then the file is there, alone, and verified', async () => {
    const entry = entryOf('/text');
    const corpus = await downloadCorpus(entry, destination);
    const { bytes, sha256: hash } = entry;
    assert.deepEqual(corpus, {
      path: destination,
      bytes,
      sha256: hash,
      verified: true,
      download: { url: entry.url, bytes, sha256: hash },
    });
    assert.deepEqual(readFileSync(destination), text);
    assert.deepEqual(readdirSync(folder), ['little.txt']);
  });

  it('when the catalogue has no checksum then it is kept but not verified', async () => {
    const corpus = await downloadCorpus(entryOf('/text', unknown), destination);
    assert.equal(corpus.verified, false);
    assert.equal(corpus.sha256, sha256(text));
    assert.deepEqual(readFileSync(destination), text);
  });

  it('when the address redirects then that is followed', async () => {
    await downloadCorpus(entryOf('/redirect'), destination);
    assert.deepEqual(readFileSync(destination), text);
  });

  it('when the server compresses though it was not asked to then the text is what counts', async () => {
    const corpus = await downloadCorpus(entryOf('/gzip'), destination);
    assert.equal(corpus.download.bytes, text.length);
    assert.deepEqual(readFileSync(destination), text);
  });

  it('when data comes then progress tells how much of how much', async () => {
    for (const [path, others, total] of [
      ['/text', {}, text.length],
      ['/text', unknown, text.length],
      ['/unsized', unknown, undefined],
      ['/unsized', {}, text.length],
    ] as const) {
      const calls: (readonly [number, number | undefined])[] = [];
      const onProgress = (...call: [number, number | undefined]) => calls.push(call);
      await downloadCorpus(entryOf(path, others), destination, { onProgress, force: true });
      assert.equal(calls[0]![0], 0);
      assert.deepEqual(calls.at(-1), [text.length, total]);
      assert.ok(calls.length > 3, `${calls.length} calls`);
      assert.ok(calls.every(([bytes], i) => i === 0 || bytes > calls[i - 1]![0]));
    }
  });

  it('when data comes slowly but steadily then that is no stall', async () => {
    const content = text.subarray(0, 800);
    await downloadCorpus(entryOf('/slow', {}, content), destination, { stallSeconds: 1 });
    assert.deepEqual(readFileSync(destination), content);
  });
});

describe('a download that fails leaves nothing behind', () => {
  const byHand = /^try again, or download http:\/\/127.* by hand/;

  it('when the server answers 404 then the status and the address are told', async () => {
    await fails(
      entryOf('/gone'),
      'IO',
      /127\.0\.0\.1:\d+\/gone: the server answered with status 404$/,
      {},
      byHand,
    );
    await fails(entryOf('/redirect-to-404'), 'IO', /redirect-to-404: .* 404 \(redirected to http:.*\/gone\)/);
  });

  it('when a redirect leaves http or never ends then it is not followed', async () => {
    await fails(entryOf('/redirect-to-file', unknown), 'IO', /scheme/i);
    await fails(entryOf('/redirect-for-ever'), 'IO', /redirect count/);
  });

  it('when nobody listens or the host does not exist then that is told', async () => {
    const other = await serve({});
    other.close();
    await fails(makeEntry(`${other.origin}/`, text), 'IO', /: the connection was refused$/, {}, byHand);
    await fails(
      makeEntry('http://host.invalid/', text),
      'IO',
      /host\.invalid\/: (no such|its) host/,
      {},
      /^try again, or download/,
    );
  });

  it('when the connection breaks then that is told', async () => {
    await fails(entryOf('/truncated'), 'IO', /truncated: the connection was lost/, {}, byHand);
    await fails(entryOf('/truncated', unknown), 'IO', /the connection was lost/);
  });

  it('when nothing comes, from the start or in the middle, then it gives up', async () => {
    const options = { stallSeconds: 0.2 };
    await fails(entryOf('/silent'), 'IO', /no data for 0\.2 s/, options, byHand);
    await fails(entryOf('/stalled'), 'IO', /no data for 0\.2 s/, options, byHand);
  });

  it('when the server announces or sends more than the catalogue says then it is stopped', async () => {
    const bytes = text.length - 1;
    await fails(entryOf('/text', { bytes }), 'BAD_DATA', new RegExp(`${text.length} bytes.* ${bytes} bytes`));
    let received = 0;
    const onProgress = (done: number) => {
      received = done;
    };
    await fails(entryOf('/endless'), 'BAD_DATA', /gives more: the catalogue expects \d+ bytes/, {
      onProgress,
    });
    assert.ok(received <= text.length);
  });

  it('when the size is not known then the most is 4 GB', async () => {
    routes['/huge'] = (_, response) =>
      response.writeHead(200, { 'content-length': MAX_BYTES + 1 }).write('x');
    await fails(
      entryOf('/huge', unknown),
      'BAD_DATA',
      /4000000001 bytes: the most that is downloaded is 4000000000/,
    );
  });

  it('when the size is wrong then both sizes are told', async () => {
    await fails(entryOf('/text', { bytes: text.length + 1 }), 'BAD_DATA', /gave \d+ bytes, expected \d+$/);
    await fails(entryOf('/empty', unknown), 'BAD_DATA', /gave 0 bytes/);
  });

  it('when the checksum is wrong then both checksums are told', async () => {
    const wrong = '0'.repeat(64);
    const message = new RegExp(`sha256 ${sha256(text)}, expected ${wrong}$`);
    await fails(entryOf('/text', { sha256: wrong }), 'BAD_DATA', message, {}, /damaged/);
  });

  it('when it is aborted, before or in the middle, then the reason is thrown', async () => {
    const stop = new Error('stop');
    await assert.rejects(
      downloadCorpus(entryOf('/stalled'), destination, { signal: AbortSignal.abort(stop) }),
      stop,
    );
    const controller = new AbortController();
    let temporary: string[] = [];
    const onProgress = (done: number): void => {
      if (done < 100_000) return;
      temporary = readdirSync(folder);
      setTimeout(() => controller.abort(stop), 20);
    };
    await assert.rejects(
      downloadCorpus(entryOf('/stalled'), destination, { onProgress, signal: controller.signal }),
      stop,
    );
    assert.equal(temporary.length, 1, 'the temporary file is beside the destination');
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('the destination of a download', () => {
  it('when it exists then it stays as it is, unless it is to be replaced', async () => {
    writeFileSync(destination, 'mine');
    await fails(entryOf('/text'), 'CANNOT_CREATE', /little\.txt exists already/, {}, /--force/);
    await fails(entryOf('/truncated'), 'IO', /lost/, { force: true });
    assert.equal(readFileSync(destination, 'utf8'), 'mine');
    await downloadCorpus(entryOf('/text'), destination, { force: true });
    assert.deepEqual(readFileSync(destination), text);
    assert.deepEqual(readdirSync(folder), ['little.txt']);
  });

  it('when it appears during the download then it stays as it is', async () => {
    const onProgress = (): void => writeFileSync(destination, 'mine');
    await assert.rejects(downloadCorpus(entryOf('/text'), destination, { onProgress }), /exists already/);
    assert.equal(readFileSync(destination, 'utf8'), 'mine');
    assert.deepEqual(readdirSync(folder), ['little.txt']);
  });

  it('when it is a folder or no regular file then even force does not replace it', async () => {
    mkdirSync(destination);
    await fails(entryOf('/text'), 'CANNOT_CREATE', /is a folder/, { force: true });
    destination = `${folder}/new/`;
    await fails(entryOf('/text'), 'CANNOT_CREATE', /is a folder/, { force: true });
    if (existsSync('/dev/null')) {
      destination = '/dev/null';
      await fails(entryOf('/text'), 'CANNOT_CREATE', /not a regular file/, { force: true });
    }
  });

  it('when its folder does not exist then that is told before anything is downloaded', async () => {
    destination = join(folder, 'none', 'little.txt');
    const onProgress = (): void => assert.fail('downloaded');
    await fails(entryOf('/text'), 'CANNOT_CREATE', /its folder does not exist/, { onProgress });
  });
});

describe('downloading a zip file', () => {
  for (const path of ['/deflated.zip', '/stored.zip']) {
    it(`when it is ${path} then its member is the text`, async () => {
      const entry = entryOf(path, { format: 'zip', member, ...unknown });
      const corpus = await downloadCorpus(entry, destination);
      assert.deepEqual(readFileSync(destination), text);
      assert.equal(corpus.bytes, text.length);
      assert.equal(corpus.sha256, sha256(text));
      assert.notEqual(corpus.download.sha256, corpus.sha256);
      assert.deepEqual(readdirSync(folder), ['little.txt']);
    });
  }

  it('when size and checksum of the archive are those of the catalogue then it is verified', async () => {
    const entry = entryOf('/deflated.zip', { format: 'zip', member }, deflated);
    const corpus = await downloadCorpus(entry, destination);
    assert.equal(corpus.verified, true);
    assert.equal(corpus.download.sha256, sha256(deflated));
  });

  const refused: readonly (readonly [
    what: string,
    others: Partial<CatalogEntry>,
    path: string,
    message: RegExp,
  ])[] = [
    ['has two members', {}, '/two.zip', /two\.zip has 2 members, not one/],
    ['is damaged', {}, '/damaged.zip', /damaged\.zip is a damaged zip file/],
    ['is no zip file', {}, '/text', /text is not a zip file/],
    ['has the wrong checksum', { sha256: 'f'.repeat(64) }, '/two.zip', /sha256 .* expected f{64}/],
  ];
  for (const [what, others, path, message] of refused) {
    it(`when the archive ${what} then it is refused`, async () => {
      await fails(entryOf(path, { format: 'zip', member, ...unknown, ...others }), 'BAD_DATA', message);
    });
  }
});

describe('a corpus to be unpacked by hand', () => {
  it('when it is asked for then it says where it is and what is wanted in it', async () => {
    const entry = entryOf('/x.tgz', { download: 'manual', format: 'tar.gz', member: 'a/b.txt' });
    const hint = /^download http:.*\/x\.tgz, unpack it and train on a\/b\.txt$/;
    await fails(entry, 'USAGE', /little has to be downloaded and unpacked by hand/, {}, hint);
  });
});
