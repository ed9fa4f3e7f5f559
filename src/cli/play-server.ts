/**
 * Serves one page to the browsers of this machine. It listens on the loopback address alone and answers nobody who does not know
 * the secret of its URL, nor any request made under another name than its own: a page of some other site, whose name somebody
 * lets point here (DNS rebinding), gets nothing.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CharloomError } from '../errors.ts';

const ADDRESS = '127.0.0.1';

/** Also for what has no place for a policy in the page itself. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "frame-ancestors 'none'",
  // Isolated: browsers that give shared memory to such pages only give it.
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export interface PlayServer {
  /** With the secret. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param html the page
 * @param port 0: any that is free
 * @throws CharloomError UNAVAILABLE if the port cannot be had
 */
export async function serve(html: string, port: number): Promise<PlayServer> {
  const page = Buffer.from(html);
  const token = randomBytes(24).toString('base64url');
  let hosts: readonly string[] = [];
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    answer(request, response, hosts, token, page);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, port)));
    server.listen(port, ADDRESS, resolve);
  });
  const own = (server.address() as AddressInfo).port;
  // Browsers leave the port of HTTP out.
  hosts = [ADDRESS, 'localhost'].flatMap((name) => [`${name}:${own}`, ...(own === 80 ? [name] : [])]);
  return {
    url: `http://${ADDRESS}:${own}/?token=${token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  hosts: readonly string[],
  token: string,
  page: Buffer,
): void {
  const refusal = refusalOf(request, hosts, token);
  const content = refusal ? Buffer.from(`${refusal.why}\n`) : page;
  response.writeHead(refusal?.status ?? 200, {
    ...HEADERS,
    ...(refusal?.status === 405 && { Allow: 'GET, HEAD' }),
    'Content-Type': `text/${refusal ? 'plain' : 'html'}; charset=utf-8`,
    'Content-Length': content.length,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}

/** Why a request does not get the page; undefined if it does. */
function refusalOf(
  { method = '', url = '', headers }: IncomingMessage,
  hosts: readonly string[],
  token: string,
): { status: number; why: string } | undefined {
  const [path, query = ''] = url.split('?', 2);
  const given = new URLSearchParams(query).get('token') ?? '';
  if (!hosts.includes(headers.host ?? '')) return { status: 403, why: 'This server has another name.' };
  if (!isSame(given, token)) {
    return { status: 403, why: 'The address is not whole: take the one that charloom printed.' };
  }
  if (path !== '/') return { status: 404, why: 'There is one page here, at /.' };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, why: 'The page can only be read.' };
  return undefined;
}

/** Takes as long whatever the texts are. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function listenError(error: NodeJS.ErrnoException, port: number): CharloomError {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'something listens there already',
    EACCES: 'permission denied',
  };
  return new CharloomError(
    'UNAVAILABLE',
    `cannot listen on port ${port} of ${ADDRESS}: ${reasons[error.code ?? ''] ?? error.message}`,
    'give another --port, or none for one that is free',
    { cause: error },
  );
}
