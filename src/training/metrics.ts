/** `metrics.jsonl` of a run, read as a stream: it may be long, still being written, or damaged. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic-write.ts';
import { READ } from '../checkpoint/read-file.ts';
import { CharloomError } from '../errors.ts';
import { asReadError } from '../system-errors.ts';
import type { TrainingEvent } from './events.ts';

export const METRICS = 'metrics.jsonl';

/** A line of more bytes is no event of ours. */
const LONGEST_LINE = 2 ** 20;
const PIECE_BYTES = 2 ** 18;
const NEWLINE = 10;

/** What is told of an event before anybody looks at its fields: its kind and its step. Anything may be in the others. */
export type RecordedEvent = { readonly event: TrainingEvent['event']; readonly step: number } & Readonly<
  Record<string, unknown>
>;

export interface MetricsOptions {
  /** Is told, for every piece, how many bytes of how many have been read. */
  readonly onProgress?: (bytes: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * The events of a run so far, in their order; undefined for a line that is none (not JSON, not UTF-8, without a kind or a step).
 * A last line without an end is one that is being written, or never was: it is left out.
 * @throws CharloomError NO_INPUT if there is no such file, BAD_DATA if it is no file, IO; the signal's reason when it is aborted
 */
export async function* readMetrics(
  dir: string,
  options: MetricsOptions = {},
): AsyncGenerator<RecordedEvent | undefined> {
  for await (const lines of readLines(join(dir, METRICS), options)) {
    for (const line of lines) if (line === undefined || line.length > 0) yield line && parseEvent(line);
  }
}

/**
 * Forgets what was recorded after a step, the end of the run, and lines that are no events; events up to that step stay.
 * Without a file there is nothing to forget.
 * @throws CharloomError as `readMetrics`; CANNOT_CREATE, IO if it cannot be written
 */
export async function dropEventsAfter(dir: string, step: number): Promise<void> {
  const path = join(dir, METRICS);
  if (existsSync(path)) await writeFileAtomic(path, linesUpTo(path, step));
}

async function* linesUpTo(path: string, last: number): AsyncGenerator<Uint8Array> {
  const newline = Uint8Array.of(NEWLINE);
  for await (const lines of readLines(path)) {
    const kept = lines.filter((line) => {
      const event = line && parseEvent(line);
      return event && event.step <= last && event.event !== 'done';
    });
    yield Buffer.concat(kept.flatMap((line) => [line!, newline]));
  }
}

/** The lines that end in each piece of a file; undefined for those that are too long. */
async function* readLines(
  path: string,
  { onProgress, signal }: MetricsOptions = {},
): AsyncGenerator<(Uint8Array | undefined)[]> {
  try {
    const file = await open(path, READ);
    try {
      const status = await file.stat();
      if (!status.isFile()) throw new CharloomError('BAD_DATA', `${path} is not a file`);
      const lines = new Lines();
      const piece = new Uint8Array(PIECE_BYTES);
      // What is written meanwhile is not waited for.
      for (let at = 0; at < status.size; ) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(piece, 0, Math.min(PIECE_BYTES, status.size - at), at);
        if (bytesRead === 0) break;
        at += bytesRead;
        yield [...lines.push(piece.subarray(0, bytesRead))];
        onProgress?.(at, status.size);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw signal?.aborted ? error : asReadError(error, path);
  }
}

/** Cuts bytes into lines. */
class Lines {
  #open: Uint8Array[] = [];
  #length = 0;

  /** The lines that end in this piece, without their ends; undefined for those that are too long. */
  *push(piece: Uint8Array): Generator<Uint8Array | undefined> {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#keep(piece.subarray(start, end));
      yield this.#length > LONGEST_LINE ? undefined : Buffer.concat(this.#open);
      this.#open = [];
      this.#length = 0;
      start = end + 1;
    }
    this.#keep(piece.slice(start));
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > LONGEST_LINE) this.#open = [];
    else if (part.length > 0) this.#open.push(part);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function parseEvent(line: Uint8Array): RecordedEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(line));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { event, step } = value as Record<string, unknown>;
  if (typeof event !== 'string' || !Number.isSafeInteger(step) || (step as number) < 0) return undefined;
  return value as RecordedEvent;
}
