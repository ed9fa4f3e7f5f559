/** `charloom play` and `charloom export` without a browser: who gets the page, and what goes wrong how. */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { charloom, json, type Running, sampleText, scratchFolder, start, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
  await succeed(['train', 'text.txt', ...TINY, '--steps', '20', '--out', 'run'], { cwd });
});

/** Starts `charloom play` and tells its address. */
async function play(args: readonly string[] = [], environment = {}): Promise<Running & { url: URL }> {
  const running = start(['play', 'run', ...args], { cwd, environment });
  let output = '';
  running.child.stdout!.on('data', (data) => {
    output += data;
  });
  await running.until(/^http:.*\n/);
  return { ...running, url: new URL(output.trim()) };
}

async function end({ child, result }: Running): Promise<void> {
  child.kill('SIGINT');
  const { status, stderr } = await result;
  assert.deepEqual([status, stderr], [130, '']);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Asks the server with a method, a path and headers as they stand here. */
function ask(
  url: URL,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = url;
    const asked = request(
      { hostname, port, path, setHost: !options.headers?.host, ...options },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (data) => {
          body += data;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      },
    );
    asked.on('error', reject).end();
  });
}

describe('charloom play', { concurrency: 3 }, () => {
  it('serves the page that export writes to who has the whole address, and to nobody else', async () => {
    const running = await play();
    const { url } = running;
    assert.match(url.href, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
    const path = url.pathname + url.search;
    const page = await ask(url, path);
    await succeed(['export', 'run', '--html', 'served.html'], { cwd });
    assert.equal(page.status, 200);
    assert.equal(page.body, readFileSync(join(cwd, 'served.html'), 'utf8'));
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.equal(page.headers['referrer-policy'], 'no-referrer');
    assert.equal((await ask(url, path, { headers: { host: `localhost:${url.port}` } })).status, 200);
    const head = await ask(url, path, { method: 'HEAD' });
    assert.deepEqual(
      [head.status, head.body, head.headers['content-length']],
      [200, '', page.headers['content-length']],
    );

    const refused: [number, string, Parameters<typeof ask>[2]?][] = [
      [403, '/'],
      [403, '/?token='],
      [403, `/?token=${'A'.repeat(32)}`],
      [403, `${path}x`],
      [403, '/favicon.ico'],
      [403, '/../../etc/passwd'],
      [403, '//'],
      [403, path, { headers: { host: `evil.example:${url.port}` } }],
      [403, path, { headers: { host: '127.0.0.1' } }],
      [403, path, { headers: { host: `127.0.0.1:${url.port}.evil.example` } }],
      [404, `/other${url.search}`],
      [405, path, { method: 'POST' }],
      [405, path, { method: 'OPTIONS' }],
    ];
    for (const [status, asked, options] of refused) {
      const answer = await ask(url, asked, options);
      assert.equal(answer.status, status, `${asked} ${JSON.stringify(options)}`);
      assert.ok(!answer.body.includes('weights'));
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
    await end(running);
  });

  it('listens on the loopback address alone', async () => {
    const running = await play();
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    for (const { address } of others) {
      const error = await new Promise((resolve) => {
        const socket = connect(Number(running.url.port), address);
        socket.on('connect', () => resolve(undefined)).on('error', resolve);
      });
      assert.ok(error, `it listens on ${address}`);
    }
    await end(running);
  });

  it('has another secret each time', async () => {
    const [one, other] = await Promise.all([play(), play()]);
    assert.notEqual(one.url.search, other.url.search);
    await Promise.all([end(one), end(other)]);
  });

  it('when the port is taken then it says so', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { status, stdout, stderr } = await charloom(['play', 'run', '--port', String(port)], { cwd });
    server.close();
    assert.deepEqual([status, stdout], [69, '']);
    assert.match(
      stderr,
      new RegExp(
        `^error: cannot listen on port ${port} of 127.0.0.1: something listens there already\nhint: give another`,
      ),
    );
  });

  it('when the port or the model is none then it says so', async () => {
    for (const port of ['65536', '-1', '1.5']) {
      const { status, stderr } = await charloom(['play', 'run', '--port', port], { cwd });
      assert.equal(status, 2);
      assert.match(stderr, /^error: --port is .*, must be an integer from 0 to 65535\n/);
    }
    assert.equal((await charloom(['play', 'nowhere'], { cwd })).status, 66);
  });

  it('when it is asked to then it opens the browser, or says that there is none', async () => {
    const bin = join(cwd, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'xdg-open'), '#!/bin/sh\necho "$1" > opened\n');
    chmodSync(join(bin, 'xdg-open'), 0o755);
    const running = await play(['--open'], { PATH: `${bin}:${process.env.PATH}` });
    const opened = (): string =>
      existsSync(join(cwd, 'opened')) ? readFileSync(join(cwd, 'opened'), 'utf8') : '';
    for (let i = 0; !opened().endsWith('\n'); i++) {
      assert.ok(i < 200);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.equal(opened(), `${running.url}\n`);
    await end(running);

    const without = await play(['--open'], { PATH: join(cwd, 'nothing') });
    await without.until(
      /^the browser could not be opened: there is no xdg-open; open the address above yourself$/m,
    );
    without.child.kill('SIGTERM');
    assert.equal((await without.result).status, 143);
  });
});

describe('charloom export', { concurrency: 3 }, () => {
  it('writes one file, replaces an old one, and tells its size', async () => {
    writeFileSync(join(cwd, 'page.html'), 'old');
    const { stdout, stderr } = await succeed(['export', 'run', '--html', 'page.html'], { cwd });
    const html = readFileSync(join(cwd, 'page.html'), 'utf8');
    assert.match(stdout, /^page\.html: \d+\.\d kB, step 20; open it in a browser\n$/);
    assert.equal(stderr, '');
    assert.match(html, /^<!doctype html>\n/);
    assert.match(html, /GRU, 1 x 8 · [\d,]+ parameters .* after step 20 · \d\.\d\d bits per character/);
    assert.doesNotMatch(html, /https?:\/\/|\b(src|href)="(?!data:)/);
    const [said] = await json(['export', 'run', '--html', 'page.html'], { cwd });
    assert.deepEqual(said, { path: 'page.html', bytes: Buffer.byteLength(html), step: 20 });
  });

  it('when it cannot be written, or is asked for nothing, then it says so', async () => {
    const nothing = await charloom(['export', 'run'], { cwd });
    assert.equal(nothing.status, 2);
    assert.match(nothing.stderr, /--html FILE.*\nhint: charloom export run --html model\.html\n$/);
    assert.equal((await charloom(['export', 'run', '--html', 'no/where.html'], { cwd })).status, 73);
    assert.equal((await charloom(['export', 'nowhere', '--html', 'x.html'], { cwd })).status, 66);
    cpSync(join(cwd, 'run'), join(cwd, 'huge'), { recursive: true });
    const config = readFileSync(join(cwd, 'run', 'config.json'), 'utf8');
    writeFileSync(join(cwd, 'huge', 'config.json'), config.replace('"hidden": 8', '"hidden": 8192'));
    const huge = await charloom(['export', 'huge', '--html', 'x.html'], { cwd });
    assert.equal(huge.status, 2);
    assert.match(
      huge.stderr,
      /^error: huge: a model of 80\d\.\d MB is too large for a page, which holds 350\.0 MB at most\n/,
    );
  });
});
