/** Reading and writing files as bytes, or standard input and output in their stead. */
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asWriteError, writeFileAtomic } from '../checkpoint/atomic-write.ts';
import { CharloomError } from '../errors.ts';
import { checkDestination } from '../text/part-file.ts';
import { findSource } from '../text/source.ts';
import { readText } from './read-text.ts';
import { print } from './terminal/output.ts';

const STDOUT = '-';
const PIECE_BYTES = 2 ** 20;
/** What is compressed is in memory; and a larger text would take days. */
const MOST_BYTES = 2 ** 31;

/**
 * All bytes of a file, a named pipe, or standard input.
 * @throws CharloomError NO_INPUT (missing, unreadable), BAD_DATA (too large), IO
 */
export async function readBytes(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  const source = await findSource(path, PIECE_BYTES);
  const pieces: Uint8Array[] = [];
  let length = 0;
  await readText((onProgress) =>
    source.read((piece) => {
      length += piece.length;
      if (length > MOST_BYTES) {
        throw new CharloomError('BAD_DATA', `${source.label} is larger than ${MOST_BYTES} bytes`);
      }
      pieces.push(piece.slice());
      onProgress(length, source.expectedBytes || undefined);
    }),
  );
  return { bytes: Buffer.concat(pieces), name: source.label };
}

/** Where bytes go: a file, or, undefined, standard output. */
export type Destination = string | undefined;

/**
 * What `--output` means, looked at before the work: that it can be written to as far as one can tell.
 * @throws CharloomError USAGE if bytes would go to a terminal, or among JSON; CANNOT_CREATE
 */
export async function findDestination({
  output = STDOUT,
  json = false,
}: {
  output?: string;
  json?: boolean;
}): Promise<Destination> {
  if (output === STDOUT) {
    if (process.stdout.isTTY || json) {
      throw new CharloomError(
        'USAGE',
        json ? '--json prints on standard output' : 'standard output is a terminal',
        'give a file with -o FILE',
      );
    }
    return undefined;
  }
  if (output === '') throw new CharloomError('USAGE', "--output '' is not a file name");
  await checkDestination(output, true);
  try {
    await access(dirname(output), constants.W_OK);
  } catch (error) {
    throw asWriteError(error, output);
  }
  return output;
}

/** Writes all of `bytes`; a file is there as it was before, or whole. @throws CharloomError CANNOT_CREATE, IO (disk full) */
export function writeBytes(destination: Destination, bytes: Uint8Array): Promise<void> {
  return destination === undefined ? print(bytes) : writeFileAtomic(destination, [bytes]);
}
