/**
 * Texts that nobody would choose: each is trained on, or refused with the documented exit status and one line that names it, soon
 * and in little memory. With CHARLOOM_SLOW=1 also four gigabytes of nothing.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { VocabularyJson } from '../../src/text/vocabulary.ts';
import type { RunConfig } from '../../src/training/run-config.ts';
import { type Options, type Running, sampleText, scratchFolder, start, TINY } from './charloom.ts';

const MOST_SECONDS = 20;
/** Beyond what an ordinary tiny training takes. */
const MOST_MEGABYTES = 512;
const ONE_STEP = [...TINY, '--threads', '1', '--steps', '1', '--eval-every', '0'];

const cwd = scratchFolder();
const text = sampleText(3000);
const textBytes = Buffer.byteLength(text);
/** Loaded by charloom: at its end it writes down the most memory that it had. */
const gauge = join(cwd, 'gauge.mjs');
let ordinary = 0;
let runs = 0;

interface Ending {
  readonly status: number | null;
  readonly stderr: string;
  /** Run folder, if it was a training. */
  readonly run: string;
}

/** Runs charloom to its end, which must come in time, without a stack trace, and in little memory. */
async function finish(
  t: TestContext,
  command: readonly string[],
  options: Partial<Options> = {},
  meanwhile: (running: Running) => Promise<void> = async () => {},
): Promise<Ending> {
  const id = `run-${runs++}`;
  const peak = join(cwd, `${id}.peak`);
  const [name, ...args] = command;
  const training = name === 'train' ? [...ONE_STEP, '--out', id] : [];
  const began = performance.now();
  const environment = { NODE_OPTIONS: `--import ${pathToFileURL(gauge)}`, PEAK: peak };
  const running = start([name!, ...training, ...args], { cwd, environment, ...options });
  await meanwhile(running);
  const { status, stderr } = await running.result;
  const seconds = (performance.now() - began) / 1000;
  const megabytes = existsSync(peak) ? Number(readFileSync(peak, 'utf8')) / 1024 : 0;
  t.diagnostic(`exit status ${status}, ${megabytes.toFixed(0)} MB, ${seconds.toFixed(1)} s`);
  assert.notEqual(status, null, 'it had to be killed');
  assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace');
  assert.ok(seconds < (options.seconds ?? MOST_SECONDS), `${seconds} s`);
  if (process.platform === 'linux' && ordinary > 0) {
    assert.ok(megabytes > 0, 'it was measured');
    assert.ok(megabytes < ordinary + MOST_MEGABYTES, `${megabytes} MB, an ordinary training has ${ordinary}`);
  }
  if (ordinary === 0) ordinary = megabytes;
  return { status, stderr, run: join(cwd, id) };
}

/** The end must be a refusal with `status`, in one line with `parts` and perhaps a hint, that leaves no run behind. */
function refused({ status, stderr, run }: Ending, expected: number, ...parts: string[]): void {
  assert.equal(status, expected, stderr);
  const message = stderr.slice(stderr.search(/^error:/m));
  assert.match(message, /^error: .+\n(.+\n)?$/, 'one line and a hint');
  for (const part of parts) assert.ok(message.includes(part), `${message} has no ${part}`);
  assert.equal(existsSync(run), false, 'no run folder');
}

/** The end must be that of a training. @returns what the run says of its texts, and its symbols but the unknown one */
function trained({ status, stderr, run }: Ending): { names: string[]; bytes: number; symbols: string[] } {
  assert.equal(status, 0, stderr);
  const { files }: RunConfig = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
  const { symbols }: VocabularyJson = JSON.parse(readFileSync(join(run, 'vocabulary.json'), 'utf8'));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { names: files.map(({ name }) => name), bytes, symbols: symbols.slice(0, -1) };
}

const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le');
/** Every value of a byte, and then some that no generator of texts makes. */
const noise = Uint8Array.from({ length: 20_000 }, (_, i) => (i < 256 ? i : (i * i * 7919) >>> 5));
const good = Buffer.from('abc '.repeat(1000));
const after4000 = (...bytes: number[]): Uint8Array => Buffer.concat([good, Buffer.from(bytes)]);
/** Bytes that charloom reads at once. */
const PIECE = 2 ** 20;

before(async () => {
  writeFileSync(
    gauge,
    `import { readFileSync, writeFileSync } from 'node:fs';
     process.on('exit', () => {
       try {
         writeFileSync(process.env.PEAK, /^VmHWM:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
       } catch {}
     });`,
  );
  writeFileSync(join(cwd, 'text.txt'), text);
});

it('when the text is an ordinary one then it is trained on', async (t) => {
  const { symbols } = trained(await finish(t, ['train', 'text.txt']));
  assert.ok(symbols.length > 40);
});

describe('what is in a text, refused with 65', { concurrency: 3 }, () => {
  const offset = (at: number, byte: string) =>
    `not valid UTF-8: invalid sequence at byte offset ${at} (${byte})`;
  const cases: [title: string, content: string | Uint8Array, parts: string[], options?: string[]][] = [
    ['nothing', '', ['there is no text in']],
    ['nothing but a byte order mark', '\ufeff', ['there is no text in']],
    ['one character', 'a', ['training part (90%) of a text of 1 characters is empty']],
    ['less than a batch', 'too short a text', ['has 14 characters, but one batch', '--batch-size']],
    ['random bytes', noise, [offset(128, '0x80'), '--unit byte']],
    ['a bad byte at its end', after4000(0xff), [offset(4000, '0xff')]],
    ['a character that is cut off at its end', after4000(0xf0, 0x9f, 0x98), [offset(4000, '0xf0')]],
    ['a slash in two bytes', after4000(0xc0, 0xaf), [offset(4000, '0xc0')]],
    ['a slash in three bytes', after4000(0xe0, 0x80, 0xaf), [offset(4000, '0xe0')]],
    ['surrogates (CESU-8)', after4000(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80), [offset(4000, '0xed')]],
    ['more than Unicode has', after4000(0xf4, 0x90, 0x80, 0x80), [offset(4000, '0xf4')]],
    ['UTF-16', utf16, [offset(0, '0xff'), 'it looks like UTF-16']],
    ['UTF-16, the high byte first', Buffer.from(utf16).swap16(), [offset(0, '0xfe'), 'it looks like UTF-16']],
    [
      'a bad character across two pieces',
      Buffer.concat([Buffer.alloc(PIECE - 2, 'a'), Buffer.of(0xf0, 0x9f, 0x98, 0x61)]),
      [offset(PIECE - 2, '0xf0')],
    ],
    [
      'a letter with a million accents',
      `e${'\u0301'.repeat(1e6)}`,
      ['a grapheme cluster of more than 1024 code points', '--unit character'],
      ['--unit', 'grapheme'],
    ],
  ];
  for (const [title, content, parts, options = []] of cases) {
    it(`when it is ${title}`, async (t) => {
      const name = `${title}.txt`;
      writeFileSync(join(cwd, name), content);
      // What is too short is that only with the other files that were given.
      const named = parts[0]!.startsWith('has ') ? [] : [name];
      refused(await finish(t, ['train', name, ...options]), 65, ...named, ...parts);
    });
  }

  it('when a text to evaluate is empty, of one character or not UTF-8', async (t) => {
    const { run } = await finish(t, ['train', 'text.txt']);
    writeFileSync(join(cwd, 'eval-empty'), '');
    writeFileSync(join(cwd, 'eval-one'), 'a');
    writeFileSync(join(cwd, 'eval-noise'), noise);
    refused(await finish(t, ['eval', run, 'eval-empty']), 65, 'there is no text in eval-empty');
    refused(await finish(t, ['eval', run, 'eval-one']), 65, 'eval-one: 1 characters');
    refused(await finish(t, ['eval', run, 'eval-noise']), 65, 'eval-noise is not valid UTF-8');
  });
});

describe('what is in a text, taken as it is', { concurrency: 3 }, () => {
  const many = Array.from({ length: 100_000 }, (_, i) => String.fromCodePoint(0x20000 + i));
  const cases: [title: string, content: string | Uint8Array, symbols: number | string[], unit?: string][] = [
    ['one character, over and over', 'a'.repeat(5000), ['a']],
    ['newlines', '\n'.repeat(5000), ['\n']],
    ['NUL characters', Buffer.alloc(5000), ['\0']],
    ['lines that end in CR LF', 'ab\r\n'.repeat(1000), ['\n', '\r', 'a', 'b']],
    ['a byte order mark and a text', `\ufeff${'ab'.repeat(1000)}`, ['a', 'b']],
    ['random bytes, as bytes', noise, 256, 'byte'],
    ['UTF-16, as bytes', utf16, ['\0', '\xff', '\xfe'], 'byte'],
    ['control characters and escape sequences', '\x1b[31m\x07\b'.repeat(500), 7],
    ['emoji that pieces cut', `a${'😀'.repeat(PIECE / 3)}`, ['a', '😀']],
    ['accents that pieces cut', `a${'e\u0301\u0323'.repeat(PIECE / 4)}`, ['a', 'e\u0301\u0323'], 'grapheme'],
    ['one line of 20 MB', 'x y '.repeat(5e6), [' ', 'x', 'y']],
    ['100,000 different characters', many.join('').repeat(2), 100_000],
  ];
  for (const [title, content, expected, unit = 'character'] of cases) {
    it(`when it is ${title}`, async (t) => {
      const name = `${title}.txt`;
      writeFileSync(join(cwd, name), content);
      const { bytes, symbols } = trained(await finish(t, ['train', name, '--unit', unit]));
      assert.equal(bytes, Buffer.byteLength(content));
      if (typeof expected === 'number') assert.equal(symbols.length, expected);
      else for (const symbol of expected) assert.ok(symbols.includes(symbol), JSON.stringify(symbol));
      if (Array.isArray(expected) && unit !== 'byte') assert.equal(symbols.length, expected.length);
    });
  }
});

/** Windows has neither these names nor these kinds of files. */
const skip = process.platform === 'win32' && 'there are no such files here';

describe('what a text is called', { skip, concurrency: 3 }, () => {
  const names = ['a b.txt', 'new\nline.txt', '😀.txt', '-dash.txt', '$HOME \'"`id`".txt', 'esc\x1b[31m.txt'];
  for (const name of names) {
    it(`when it is ${JSON.stringify(name)} then it is trained on`, async (t) => {
      writeFileSync(join(cwd, name), text);
      assert.deepEqual(trained(await finish(t, ['train', '--', name])).names, [name]);
    });
  }

  it('when it begins like an option and nothing says that it is none then the usage is wrong', async (t) =>
    refused(await finish(t, ['train', '-minus.txt']), 2, "unknown option '-minus.txt'"));

  it('when it is nothing, or would do something to a terminal, then the message is still one line', async (t) => {
    refused(await finish(t, ['train', '']), 66, "cannot read '': it does not exist");
    const escaped = 'cannot read no\\u{a}file\\u{1b}[31m: it does not exist';
    refused(await finish(t, ['train', 'no\nfile\x1b[31m']), 66, escaped);
  });

  it('when the same one is given twice then it is read twice', async (t) => {
    const { names: read } = trained(await finish(t, ['train', 'text.txt', 'text.txt']));
    assert.deepEqual(read, ['text.txt', 'text.txt']);
  });
});

describe('what is no file of text', { skip, concurrency: 3 }, () => {
  const server = createServer();
  before(async () => {
    const links = { a: 'b', b: 'a', dangling: 'nowhere', link: 'text.txt' };
    for (const [path, target] of Object.entries(links)) symlinkSync(target, join(cwd, path));
    mkdirSync(join(cwd, 'folder'));
    writeFileSync(join(cwd, 'secret'), text, { mode: 0 });
    await new Promise<void>((resolve) => server.listen(join(cwd, 'socket'), resolve));
  });
  after(() => server.close());

  const cases: [title: string, path: string, status: number, says: string, options?: string[]][] = [
    ['missing', 'missing', 66, 'cannot read missing: it does not exist'],
    ['a folder', 'folder', 66, 'cannot read folder: it is a folder'],
    ['a file with a slash behind it', 'text.txt/', 66, 'text.txt/: a part of its path is not a folder'],
    ['a symbolic link to itself, by way of another', 'a', 66, 'cannot read a: too many symbolic links'],
    ['a symbolic link to nothing', 'dangling', 66, 'cannot read dangling: it does not exist'],
    ['a socket', 'socket', 66, 'cannot read socket: it is a socket'],
    ['a device without an end', '/dev/zero', 66, 'cannot read /dev/zero: it is a device'],
    ['another one', '/dev/urandom', 66, 'cannot read /dev/urandom: it is a device', ['--unit', 'byte']],
    ['the null device', '/dev/null', 66, 'cannot read /dev/null: it is a device'],
    ['standard input twice', '/dev/stdin', 2, 'standard input) was given twice', ['-']],
  ];
  for (const [title, path, status, says, options = []] of cases) {
    it(`exit status ${status}: when it is ${title}`, async (t) =>
      refused(await finish(t, ['train', path, ...options]), status, says));
  }

  it('exit status 66: when a prompt or a text to evaluate is a device without an end', async (t) => {
    const { run } = await finish(t, ['train', 'text.txt']);
    const says = 'cannot read /dev/zero: it is a device';
    refused(await finish(t, ['sample', run, '--prompt-file', '/dev/zero']), 66, says);
    refused(await finish(t, ['eval', run, '/dev/zero']), 66, says);
    refused(await finish(t, ['train', 'text.txt', '--config', '/dev/zero']), 66, says);
    refused(await finish(t, ['corpus', 'list', '--catalog', '/dev/zero']), 66, says);
  });

  it('exit status 66: when nobody may read it', async (t) => {
    // Root may read everything, unless it gives up that right.
    const without = '-dac_override,-dac_read_search';
    const rights = `--bounding-set ${without} --inh-caps ${without}`;
    const isRoot = process.getuid?.() === 0;
    if (isRoot && spawnSync(`setpriv ${rights} true`, { shell: true }).status !== 0) {
      t.skip('root reads everything here: there is no setpriv (util-linux)');
      return;
    }
    const options = isRoot ? { shell: `exec setpriv ${rights} "$@"` } : {};
    refused(await finish(t, ['train', 'secret'], options), 66, 'cannot read secret: permission denied');
  });

  it('when it is a symbolic link to a text then it is trained on', async (t) => {
    assert.equal(trained(await finish(t, ['train', 'link'])).bytes, textBytes);
  });

  it('when it is standard input by the name that the system has for it then it is trained on', async (t) => {
    assert.equal(trained(await finish(t, ['train', '/dev/stdin'], { input: text })).bytes, textBytes);
  });

  it('exit status 65: when standard input is closed, or a folder', async (t) => {
    for (const shell of ['exec "$@" <&-', 'exec "$@" <folder']) {
      refused(await finish(t, ['train', '-'], { shell }), 65, 'there is no text in standard input');
    }
  });

  const pipe = (name: string, writer: string) =>
    `mkfifo ${name} && { exec </dev/null >/dev/null 2>&1; ${writer}; } & until test -p ${name}; do :; done; exec "$@"`;

  it('when it is a named pipe then it is read to its end', async (t) => {
    const shell = pipe('pipe', 'cat text.txt >pipe');
    assert.equal(trained(await finish(t, ['train', 'pipe'], { shell })).bytes, textBytes);
  });

  it('exit status 65: when it is a named pipe that is opened and closed at once', async (t) => {
    const shell = pipe('closed', ': >closed');
    refused(await finish(t, ['train', 'closed'], { shell }), 65, 'there is no text in closed');
  });

  for (const [title, name, writer] of [
    ['nobody writes to', 'unwritten', ':'],
    ['somebody opened and does not write to', 'silent', 'exec >silent; printf abc; sleep 5'],
  ] as const) {
    it(`exit status 130: when it is a named pipe that ${title}, then Ctrl-C ends the wait`, async (t) => {
      const shell = pipe(name, writer);
      const { status, run } = await finish(t, ['train', name], { shell }, async ({ child, until }) => {
        await until(/reading the text/);
        await sleep(200);
        child.kill('SIGINT');
      });
      assert.equal(status, 130);
      assert.equal(existsSync(run), false);
    });
  }
});

describe('a text that changes while it is read', {
  skip: process.platform !== 'linux' && 'only Linux tells how far a process has read',
  concurrency: 3,
}, () => {
  const BYTES = 2 ** 25;

  /** Waits until charloom has read some of a file, of which it knows the size then. */
  async function reading({ child }: Running, path: string): Promise<void> {
    const folder = `/proc/${child.pid}`;
    for (;;) {
      for (const fd of readdirSync(`${folder}/fd`)) {
        try {
          if (readlinkSync(`${folder}/fd/${fd}`) !== path) continue;
          if (Number(/^pos:\s+(\d+)/m.exec(readFileSync(`${folder}/fdinfo/${fd}`, 'utf8'))![1]) > 0) return;
        } catch {} // closed meanwhile
      }
      await sleep(2);
    }
  }

  /** A file of NULs that take no space. */
  function sparse(name: string, bytes = BYTES): string {
    const path = join(realpathSync(cwd), name);
    writeFileSync(path, '');
    truncateSync(path, bytes);
    return path;
  }

  it('when it grows then it is read as far as it went', async (t) => {
    const path = sparse('growing');
    const ending = await finish(t, ['train', 'growing'], {}, async (running) => {
      await reading(running, path);
      appendFileSync(path, 'more');
    });
    assert.equal(trained(ending).bytes, BYTES);
  });

  it('exit status 65: when it is cut off', async (t) => {
    const path = sparse('cut', 128 * BYTES);
    const ending = await finish(t, ['train', 'cut'], {}, async (running) => {
      await reading(running, path);
      truncateSync(path, 1000);
    });
    refused(ending, 65, 'cut became shorter while it was read');
  });

  it('when it is removed then it is read to its end', async (t) => {
    const path = sparse('removed');
    const ending = await finish(t, ['train', 'removed'], {}, async (running) => {
      await reading(running, path);
      rmSync(path);
    });
    assert.equal(trained(ending).bytes, BYTES);
  });

  it('exit status 66: when the next one is removed', async (t) => {
    const path = sparse('first', 4 * BYTES);
    writeFileSync(join(cwd, 'second'), text);
    const ending = await finish(t, ['train', 'first', 'second'], {}, async (running) => {
      await reading(running, path);
      rmSync(join(cwd, 'second'));
    });
    refused(ending, 66, 'cannot read second: it does not exist');
  });

  it('when it is four gigabytes of nothing then its ids go to the disk', {
    skip: !process.env.CHARLOOM_SLOW && 'it takes minutes; set CHARLOOM_SLOW=1',
  }, async (t) => {
    sparse('huge', 2 ** 32);
    assert.equal(trained(await finish(t, ['train', 'huge'], { seconds: 400 })).bytes, 2 ** 32);
  });
});
