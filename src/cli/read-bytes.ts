/** Reading a file as bytes, whole. */
import { CharloomError } from '../errors.ts';
import { findSource } from '../text/source.ts';
import { readText } from './read-text.ts';

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
