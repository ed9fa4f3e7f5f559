import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeEntry, serve, sha256, zip } from '../text/download-server.ts';

const executable = fileURLToPath(new URL('../../bin/charloom.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'charloom-cli-corpus-'));
after(() => rmSync(root, { recursive: true }));

const text = Buffer.from('a little text\n'.repeat(10_000));
const archive = zip({ 'little.txt': text });
/** Members whose names lead out of the folder that an archive is unpacked in. */
const climbing = ['../outside.txt', '/tmp/charloom-outside.txt'];
let stalled: () => void = () => {};
const routes: Record<string, RequestListener> = {
  '/text': (_, response) => response.end(text),
  '/zip': (_, response) => response.end(archive),
  ...Object.fromEntries(
    climbing.map((member, i) => [`/zip-${i}`, (_, response) => response.end(zip({ [member]: text }))]),
  ),
  '/stalled': (_, response) => {
    response.write(text.subarray(0, 1000));
    stalled();
  },
};

const catalog = join(root, 'catalog.json');
let server: Awaited<ReturnType<typeof serve>>;
before(async () => {
  server = await serve(routes);
  const { origin } = server;
  const published = [{ model: 'LSTM', crossEntropy: 1, split: 'test', reference: 'a paper' }];
  const archived = { format: 'zip', member: 'little.txt' } as const;
  const entries = [
    makeEntry(`${origin}/text`, text, { name: 'little', published }),
    makeEntry(`${origin}/zip`, archive, { name: 'packed', ...archived }),
    makeEntry(`${origin}/text`, text, { name: 'unverified', bytes: null, sha256: null, licence: null }),
    makeEntry(`${origin}/text`, text, { name: 'changed', sha256: '0'.repeat(64) }),
    makeEntry(`${origin}/gone`, text, { name: 'gone' }),
    makeEntry(`${origin}/stalled`, text, { name: 'stalled' }),
    makeEntry(`${origin}/zip`, archive, { name: 'by-hand', ...archived, download: 'manual' }),
    ...climbing.map((member, i) =>
      makeEntry(`${origin}/zip-${i}`, zip({ [member]: text }), {
        name: `climbing-${i}`,
        format: 'zip',
        member,
      }),
    ),
  ];
  writeFileSync(catalog, JSON.stringify(entries));
});
after(() => server.close());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'));
});

interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

function charloom(
  args: readonly string[],
  started: (child: ChildProcess) => void = () => {},
): Promise<Result> {
  const child = spawn(process.execPath, [executable, ...args], { cwd: folder });
  started(child);
  const result = { status: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (data: string) => {
    result.stdout += data;
  });
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    result.stderr += data;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ ...result, status })));
}

const get = (...args: string[]) => charloom(['corpus', 'get', ...args, '--catalog', catalog]);

describe('charloom corpus list', () => {
  it('when it is run then stdout has a table of the corpora that come with charloom', async () => {
    const { status, stdout, stderr } = await charloom(['corpus', 'list']);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    const [header, ...rows] = stdout.trimEnd().split('\n');
    assert.match(header!, /^NAME +LANGUAGE +SIZE +BITS\/CHAR +GET +LICENCE +TITLE$/);
    assert.match(rows.find((row) => row.startsWith('enwik8 '))!, / en +36\.4 MB +1\.15 +yes /);
    assert.match(rows.find((row) => row.startsWith('wikitext-2-raw '))!, / by hand +CC BY-SA 3\.0 /);
  });

  it('when --json is given then stdout is one object with every field of the catalogue', async () => {
    const { status, stdout, stderr } = await charloom(['corpus', 'list', '--json', '--catalog', catalog]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { corpora: JSON.parse(readFileSync(catalog, 'utf8')) });
    assert.equal(stdout.split('\n').length, 2);
  });

  it('when the catalogue does not exist or is none then it exits 66 or 65', async () => {
    const missing = await charloom(['corpus', 'list', '--catalog', 'none.json']);
    assert.deepEqual([missing.status, missing.stdout], [66, '']);
    writeFileSync(join(folder, 'bad.json'), '{}');
    const bad = await charloom(['corpus', 'list', '--catalog', 'bad.json']);
    assert.deepEqual([bad.status, bad.stdout], [65, '']);
    assert.match(bad.stderr, /^error: the catalogue bad\.json is not a list of corpora\n$/);
  });
});

describe('charloom corpus get', () => {
  it('when a corpus is got then it lies here as NAME.txt and stdout is its path', async () => {
    const { status, stdout, stderr } = await get('little');
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'little.txt\n');
    assert.match(
      stderr,
      /downloading http.* \(140\.0 kB\)[\s\S]*verified[\s\S]*licence: CC0 1\.0\nnotes: For tests\./,
    );
    assert.ok(!stderr.includes('\x1b'), 'no colour, no animation');
    assert.deepEqual(readFileSync(join(folder, 'little.txt')), text);
  });

  it('when --out and --json are given then stdout is one object that describes the file', async () => {
    const { status, stdout, stderr } = await get('packed', '--out', 'other', '--json');
    assert.equal(status, 0, stderr);
    const { download, ...file } = JSON.parse(stdout);
    const expected = {
      name: 'packed',
      path: 'other',
      bytes: text.length,
      sha256: sha256(text),
      verified: true,
    };
    assert.deepEqual(file, expected);
    assert.equal(download.sha256, sha256(archive));
    assert.deepEqual(readFileSync(join(folder, 'other')), text);
  });

  it('when the catalogue has no checksum then stderr says so and gives the one that came', async () => {
    const { status, stdout, stderr } = await get('unverified', '--json');
    assert.equal(status, 0, stderr);
    assert.equal(JSON.parse(stdout).verified, false);
    assert.match(stderr, /warning: .* could not be verified/);
    assert.match(stderr, new RegExp(`sha256 is ${sha256(text)}\n`));
    assert.match(stderr, /licence: not verified/);
  });

  it('when the file exists then it exits 73, and with --force it replaces it', async () => {
    const path = join(folder, 'little.txt');
    writeFileSync(path, 'mine');
    const { status, stderr } = await get('little');
    assert.equal(status, 73);
    assert.match(stderr, /^error: little\.txt exists already\nhint: --force replaces it\n$/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
    assert.equal((await get('little', '--force')).status, 0);
    assert.deepEqual(readFileSync(path), text);
  });

  it('when the member of an archive is called by a path that leads elsewhere then it lies here as NAME.txt', async () => {
    for (const [i, member] of climbing.entries()) {
      const { status, stderr } = await get(`climbing-${i}`);
      assert.equal(status, 0, stderr);
      assert.deepEqual(readFileSync(join(folder, `climbing-${i}.txt`)), text);
      assert.equal(existsSync(resolve(folder, member)), false);
    }
    assert.equal(readdirSync(folder).length, climbing.length);
  });

  it('when the file is a symbolic link then --force replaces the link, not what it points to', {
    skip: process.platform === 'win32' && 'making links takes rights that few have here',
  }, async () => {
    const precious = join(root, 'precious.txt');
    writeFileSync(precious, 'mine');
    symlinkSync(precious, join(folder, 'little.txt'));
    assert.equal((await get('little')).status, 73);
    assert.equal((await get('little', '--force')).status, 0);
    assert.equal(readFileSync(precious, 'utf8'), 'mine');
    assert.deepEqual(readFileSync(join(folder, 'little.txt')), text);
    assert.ok(lstatSync(join(folder, 'little.txt')).isFile());
  });

  const failures: readonly (readonly [what: string, args: string[], status: number, stderr: RegExp])[] = [
    [
      'the name is not known',
      ['litle'],
      2,
      /^error: there is no corpus 'litle', did you mean little\?\nhint: .*packed/,
    ],
    [
      'the corpus has to be unpacked by hand',
      ['by-hand'],
      2,
      /^error: by-hand has .*\nhint: download http.*little\.txt/,
    ],
    ['the file name is standard output', ['little', '--out', '-'], 2, /^error: --out '-' is not a file name/],
    ['no name is given', [], 2, /missing required argument 'name'/],
    [
      'the server says 404',
      ['gone'],
      74,
      /error: cannot download .*status 404\nhint: try again, or download http/,
    ],
    ['the checksum is wrong', ['changed'], 65, /error: .* has the sha256 [0-9a-f]{64}, expected 0{64}\n/],
    [
      'the folder does not exist',
      ['little', '--out', 'a/b'],
      73,
      /^error: cannot create a\/b: its folder does not/,
    ],
  ];
  for (const [what, args, expected, message] of failures) {
    it(`when ${what} then it exits ${expected}, says so on stderr and leaves nothing`, async () => {
      const { status, stdout, stderr } = await get(...args);
      assert.equal(status, expected, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^ +at /m);
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`when ${signal} comes in the middle then it exits ${expected} and leaves nothing`, async () => {
      let child: ChildProcess | undefined;
      let temporary: string[] = [];
      stalled = () => {
        setTimeout(() => {
          temporary = readdirSync(folder);
          child?.kill(signal);
        }, 100);
      };
      const { status, stdout, stderr } = await charloom(
        ['corpus', 'get', 'stalled', '--catalog', catalog],
        (started) => {
          child = started;
        },
      );
      assert.equal(status, expected, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /stopped, nothing was kept\n$/);
      assert.equal(temporary.length, 1);
      assert.deepEqual(readdirSync(folder), []);
    });
  }
});

describe('the help of charloom corpus', () => {
  it('when help is asked for then it begins with examples', async () => {
    for (const args of [['corpus'], ['corpus', 'list'], ['corpus', 'get']]) {
      const { status, stdout } = await charloom([...args, '--help']);
      assert.equal(status, 0);
      assert.match(stdout, /^Examples:\n {2}\$ charloom corpus /);
    }
  });
});
