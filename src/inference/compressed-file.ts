/**
 * The format of a compressed text: a header of 46 bytes, then the bytes of the arithmetic coder, or the text itself where that
 * is not longer. Numbers are big-endian; a digest is the beginning of a SHA-256.
 *
 *     at  bytes
 *      0  4  "LOOM"
 *      4  1  version of the format: 1
 *      5  1  0: the text itself; 1: arithmetic coding with the model
 *      6  8  digest of the model: its shape, vocabulary, weights
 *     14  4  digest of what the model predicts: of its numbers on the machine that wrote the file
 *     18  6  step of the checkpoint, for messages
 *     24  6  symbols of the text (0: bytes)
 *     30  8  digest of the text
 *     38  8  digest of all other bytes of the file
 *     46     the rest
 */
import { createHash } from 'node:crypto';
import { CharloomError } from '../errors.ts';

const MAGIC = 'LOOM';
const VERSION = 1;
const METHODS = ['stored', 'model'] as const;
const CHECK = 38;

export const HEADER_BYTES = 46;
export const MODEL_DIGEST_BYTES = 8;
export const PREDICTION_DIGEST_BYTES = 4;
export const TEXT_DIGEST_BYTES = 8;

export interface CompressedFile {
  readonly method: (typeof METHODS)[number];
  /** Digests in hexadecimal. */
  readonly model: string;
  readonly predictions: string;
  readonly text: string;
  readonly step: number;
  /** Symbols of the text; of a stored one, bytes. */
  readonly length: number;
  readonly body: Uint8Array;
}

/** The first bytes of the SHA-256 of these pieces, in hexadecimal. */
export function digestOf(bytes: number, ...pieces: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex').slice(0, 2 * bytes);
}

export function formatCompressedFile(file: CompressedFile): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES + file.body.length);
  bytes.write(MAGIC, 'latin1');
  bytes[4] = VERSION;
  bytes[5] = METHODS.indexOf(file.method);
  bytes.write(file.model, 6, 'hex');
  bytes.write(file.predictions, 14, 'hex');
  bytes.writeUIntBE(Math.min(file.step, 2 ** 48 - 1), 18, 6);
  bytes.writeUIntBE(file.length, 24, 6);
  bytes.write(file.text, 30, 'hex');
  bytes.set(file.body, HEADER_BYTES);
  bytes.write(checkOf(bytes), CHECK, 'hex');
  return bytes;
}

/**
 * @param name of the file, for error messages
 * @throws CharloomError BAD_DATA unless these are the very bytes that `formatCompressedFile` gave
 */
export function parseCompressedFile(content: Uint8Array, name: string): CompressedFile {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  refuseStranger(bytes, name);
  const hex = (start: number, length: number): string => bytes.toString('hex', start, start + length);
  const method = METHODS[bytes[5]!];
  if (bytes.length < HEADER_BYTES || !method || hex(CHECK, TEXT_DIGEST_BYTES) !== checkOf(bytes)) {
    throw new CharloomError(
      'BAD_DATA',
      `${name} is damaged: its bytes are not those that charloom wrote`,
      'was it cut off, or transferred as text?',
    );
  }
  return {
    method,
    model: hex(6, MODEL_DIGEST_BYTES),
    predictions: hex(14, PREDICTION_DIGEST_BYTES),
    step: bytes.readUIntBE(18, 6),
    length: bytes.readUIntBE(24, 6),
    text: hex(30, TEXT_DIGEST_BYTES),
    body: bytes.subarray(HEADER_BYTES),
  };
}

/**
 * Refuses a file by its first bytes, as many as there are.
 * @throws CharloomError BAD_DATA if it is none of ours, or of another version
 */
function refuseStranger(bytes: Buffer, name: string): void {
  if (bytes.length === 0 || !MAGIC.startsWith(bytes.toString('latin1', 0, MAGIC.length))) {
    throw new CharloomError('BAD_DATA', `${name} was not made by charloom compress`);
  }
  const version = bytes[4] ?? VERSION;
  if (version !== VERSION) {
    throw new CharloomError(
      'BAD_DATA',
      `${name} has version ${version} of the format; this charloom knows version ${VERSION}`,
      'decompress it with the charloom that made it',
    );
  }
}

function checkOf(bytes: Buffer): string {
  return digestOf(TEXT_DIGEST_BYTES, bytes.subarray(0, CHECK), bytes.subarray(HEADER_BYTES));
}
