/** Getting a corpus of the catalogue: download, verification, unpacking. */
import { CharloomError } from '../errors.ts';
import type { CatalogEntry } from './catalog.ts';
import { checkDestination, PartFile } from './part-file.ts';
import { unzipSingle } from './zip.ts';

/** The most that is downloaded where the catalogue does not know the size: 4 GB. */
export const MAX_BYTES = 4e9;
const STALL_SECONDS = 30;

export interface DownloadOptions {
  /** Replace a file that is there. Default: false. */
  readonly force?: boolean;
  /** Called at the start and whenever data came: bytes so far, and in all where that is known. */
  readonly onProgress?: (bytes: number, total: number | undefined) => void;
  /** Ends the download; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Seconds without data after which the connection counts as dead. Default: 30. */
  readonly stallSeconds?: number;
}

/** A corpus that was written to a file. */
export interface DownloadedCorpus {
  /** As given. */
  readonly path: string;
  /** Of the file at `path`; for an archive that is the unpacked text. */
  readonly bytes: number;
  /** Of the file at `path`, in hexadecimal. */
  readonly sha256: string;
  /** Whether the download has the SHA-256 of the catalogue; false only where the catalogue has none. */
  readonly verified: boolean;
  /** What came from the address, as `bytes` and `sha256` of the catalogue describe it. */
  readonly download: { readonly url: string; readonly bytes: number; readonly sha256: string };
}

/**
 * Downloads a corpus to the file `destination`. The file appears when it is complete and verified; until then
 * there are temporary files beside it, which are removed whatever happens.
 * @throws CharloomError USAGE (to be unpacked by hand), CANNOT_CREATE (the file exists, or cannot be made),
 *   IO (the address cannot be reached or answers with an error, the connection broke or went silent, the disk
 *   is full), BAD_DATA (not of the size or SHA-256 of the catalogue, not the zip file that was expected)
 */
export async function downloadCorpus(
  entry: CatalogEntry,
  destination: string,
  options: DownloadOptions = {},
): Promise<DownloadedCorpus> {
  const { force = false, signal } = options;
  const { url, member } = entry;
  if (entry.download === 'manual') {
    throw new CharloomError(
      'USAGE',
      `${entry.name} has to be downloaded and unpacked by hand`,
      byHand(entry, 'download'),
    );
  }
  await checkDestination(destination, force);
  const parts: PartFile[] = [];
  const create = async (): Promise<PartFile> => {
    const part = await PartFile.create(destination);
    parts.push(part);
    return part;
  };
  try {
    const received = await create();
    await receive(entry, received, options);
    verify(entry, received);
    let text = received;
    if (member !== null) {
      text = await create();
      for await (const piece of unzipSingle(received.path, member, url)) {
        signal?.throwIfAborted();
        await text.write(piece);
      }
    }
    signal?.throwIfAborted();
    await checkDestination(destination, force);
    await text.finish();
    return {
      path: destination,
      bytes: text.bytes,
      sha256: text.sha256(),
      verified: entry.sha256 !== null,
      download: { url, bytes: received.bytes, sha256: received.sha256() },
    };
  } finally {
    for (const part of parts) await part.discard();
  }
}

/** Writes what the address gives to `part`. */
async function receive(entry: CatalogEntry, part: PartFile, options: DownloadOptions): Promise<void> {
  const { onProgress, signal, stallSeconds = STALL_SECONDS } = options;
  const most = entry.bytes ?? MAX_BYTES;
  const connection = new Connection(entry, stallSeconds, signal);
  try {
    onProgress?.(0, entry.bytes ?? undefined);
    const announced = await connection.open();
    if (announced !== undefined && announced > most) throw tooMuch(entry, `${announced} bytes`, most);
    const total = entry.bytes ?? announced;
    for (let piece = await connection.read(); piece; piece = await connection.read()) {
      if (part.bytes + piece.length > most) throw tooMuch(entry, 'more', most);
      await part.write(piece);
      onProgress?.(part.bytes, total);
    }
  } finally {
    connection.close();
  }
}

/** One GET request, given up when the user ends it or when nothing comes for some time. */
class Connection {
  readonly #entry: CatalogEntry;
  readonly #stallSeconds: number;
  readonly #outer: AbortSignal | undefined;
  readonly #controller = new AbortController();
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(entry: CatalogEntry, stallSeconds: number, outer: AbortSignal | undefined) {
    this.#entry = entry;
    this.#stallSeconds = stallSeconds;
    this.#outer = outer;
    outer?.addEventListener('abort', this.close);
  }

  /** Sends the request, follows redirects (fetch does, to http and https only); returns the size if given. */
  async open(): Promise<number | undefined> {
    const response = await this.#wait(() =>
      fetch(this.#entry.url, {
        // Sizes and hashes are of the file itself.
        headers: { 'accept-encoding': 'identity', 'user-agent': 'charloom' },
        signal: this.#controller.signal,
      }),
    );
    if (response.status !== 200) {
      const where = response.redirected ? ` (redirected to ${response.url})` : '';
      throw failure(this.#entry, `the server answered with status ${response.status}${where}`);
    }
    this.#reader = response.body?.getReader();
    const length = response.headers.get('content-length');
    return length === null || response.headers.has('content-encoding') ? undefined : Number(length);
  }

  /** The next piece of the body; undefined at its end. */
  async read(): Promise<Uint8Array | undefined> {
    return (await this.#wait(async () => this.#reader?.read()))?.value;
  }

  readonly close = (): void => {
    this.#outer?.removeEventListener('abort', this.close);
    this.#controller.abort();
  };

  /** Only the time in which the network is waited for counts, not that of a slow disk. */
  async #wait<T>(step: () => Promise<T>): Promise<T> {
    this.#outer?.throwIfAborted();
    let stalled = false;
    const timer = setTimeout(() => {
      stalled = true;
      this.#controller.abort();
    }, this.#stallSeconds * 1000);
    try {
      return await step();
    } catch (error) {
      this.#outer?.throwIfAborted();
      throw failure(this.#entry, stalled ? `no data for ${this.#stallSeconds} s` : reason(error), error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function verify(entry: CatalogEntry, part: PartFile): void {
  const { url, bytes, sha256 } = entry;
  const hint = 'it was changed or damaged: try again; if that does not help, the catalogue may be outdated';
  if (bytes === null ? part.bytes === 0 : part.bytes !== bytes) {
    const expected = bytes === null ? 'a text' : `${bytes}`;
    throw new CharloomError('BAD_DATA', `${url} gave ${part.bytes} bytes, expected ${expected}`, hint);
  }
  if (sha256 !== null && part.sha256() !== sha256) {
    throw new CharloomError('BAD_DATA', `${url} has the sha256 ${part.sha256()}, expected ${sha256}`, hint);
  }
}

function tooMuch({ url, bytes }: CatalogEntry, what: string, most: number): CharloomError {
  const limit =
    bytes === null ? `the most that is downloaded is ${most} bytes` : `the catalogue expects ${most} bytes`;
  return new CharloomError(
    'BAD_DATA',
    `${url} gives ${what}: ${limit}`,
    'nothing was kept; the catalogue may be outdated',
  );
}

function failure(entry: CatalogEntry, what: string, cause?: unknown): CharloomError {
  return new CharloomError(
    'IO',
    `cannot download ${entry.url}: ${what}`,
    byHand(entry, 'try again, or download'),
    {
      cause,
    },
  );
}

function byHand({ url, member }: CatalogEntry, verb: string): string {
  const archive = member === null ? ' by hand and train on the file' : `, unpack it and train on ${member}`;
  return `${verb} ${url}${archive}`;
}

const REASONS = new Map([
  ['ENOTFOUND', 'no such host'],
  ['EAI_AGAIN', 'its host cannot be looked up: is there a connection to the internet?'],
  ['EAI_FAIL', 'its host cannot be looked up: is there a connection to the internet?'],
  ['ECONNREFUSED', 'the connection was refused'],
  ['ECONNRESET', 'the connection was lost'],
  ['UND_ERR_SOCKET', 'the connection was lost'],
  ['UND_ERR_CONNECT_TIMEOUT', 'the server does not answer'],
]);

/** fetch says "fetch failed" and keeps what it knows in the cause. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = String((cause as NodeJS.ErrnoException).code);
  return REASONS.get(code) ?? (cause instanceof Error ? cause.message || code : String(cause));
}
