/** Zip files with a single member, the only kind that the catalogue's automatic downloads have. */
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { CharloomError } from '../errors.ts';
import { crc32 } from './crc32.ts';

const END = { signature: 0x06054b50, bytes: 22 }; // of the archive, followed by a comment
const MAX_COMMENT_BYTES = 0xffff;
const DIRECTORY = { signature: 0x02014b50, bytes: 46 }; // one record per member, followed by its name
const LOCAL = { signature: 0x04034b50, bytes: 30 }; // in front of a member's data, followed by its name
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1; // flag
/** What stands in place of a value that needs the extensions for archives of more than 4 GB. */
const ZIP64 = 0xffffffff;

interface Member {
  readonly method: number;
  readonly crc: number;
  /** Where its data starts in the archive, and how many bytes they are there. */
  readonly start: number;
  readonly compressedBytes: number;
  readonly bytes: number;
}

/**
 * The content of the only member of a zip file, in pieces; the archive is never in memory as a whole.
 * @param path of the archive
 * @param name of the member
 * @param label what messages call the archive
 * @throws CharloomError BAD_DATA if it is no zip file, has other members, is encrypted or damaged. Damage may
 *   be noticed at the end only: what was given until then is worthless.
 */
export async function* unzipSingle(path: string, name: string, label: string): AsyncGenerator<Uint8Array> {
  const archive = await open(path, 'r');
  try {
    const member = await findMember(archive, name, label);
    let crc = 0;
    let bytes = 0;
    for await (const piece of content(archive, member, label)) {
      crc = crc32(piece, crc);
      bytes += piece.length;
      // Also the guard against a little archive that unpacks to something huge.
      if (bytes > member.bytes) break;
      yield piece;
    }
    if (bytes !== member.bytes || crc !== member.crc) throw damaged(label, 'its checksum is wrong');
  } finally {
    await archive.close();
  }
}

async function* content(archive: FileHandle, member: Member, label: string): AsyncGenerator<Uint8Array> {
  const { start, compressedBytes, method } = member;
  if (compressedBytes === 0) return;
  const data = archive.createReadStream({ start, end: start + compressedBytes - 1, autoClose: false });
  try {
    yield* method === STORED ? data : pipeline(data, createInflateRaw(), () => {});
  } catch (error) {
    // zlib's errors are Z_DATA_ERROR and the like.
    if (/^Z_/.test(String((error as NodeJS.ErrnoException).code))) {
      throw damaged(label, (error as Error).message);
    }
    throw error;
  }
}

async function findMember(archive: FileHandle, name: string, label: string): Promise<Member> {
  const { size } = await archive.stat();
  const tailBytes = Math.min(size, END.bytes + MAX_COMMENT_BYTES);
  const tail = await readAt(archive, size - tailBytes, tailBytes, label);
  let end = tail.length - END.bytes;
  while (end >= 0 && tail.readUInt32LE(end) !== END.signature) end--;
  if (end < 0) throw new CharloomError('BAD_DATA', `${label} is not a zip file, or not all of it`);
  const members = tail.readUInt16LE(end + 10);
  if (members !== 1) throw new CharloomError('BAD_DATA', `${label} has ${members} members, not one`);

  const directory = await readAt(archive, tail.readUInt32LE(end + 16), DIRECTORY.bytes, label);
  if (directory.readUInt32LE(0) !== DIRECTORY.signature) throw damaged(label, 'its directory is not there');
  const nameBytes = directory.readUInt16LE(28);
  const found = await readAt(archive, tail.readUInt32LE(end + 16) + DIRECTORY.bytes, nameBytes, label);
  if (found.toString() !== name) {
    throw new CharloomError('BAD_DATA', `${label} has the member ${JSON.stringify(`${found}`)}, not ${name}`);
  }
  const method = directory.readUInt16LE(10);
  const compressedBytes = directory.readUInt32LE(20);
  const bytes = directory.readUInt32LE(24);
  const offset = directory.readUInt32LE(42);
  if (directory.readUInt16LE(8) & ENCRYPTED) throw unsupported(label, 'it is encrypted');
  if ([compressedBytes, bytes, offset].includes(ZIP64)) throw unsupported(label, 'it is larger than 4 GB');
  if (method !== DEFLATED && method !== STORED) throw unsupported(label, `its compression is ${method}`);

  const local = await readAt(archive, offset, LOCAL.bytes, label);
  if (local.readUInt32LE(0) !== LOCAL.signature) throw damaged(label, 'its member is not there');
  const start = offset + LOCAL.bytes + local.readUInt16LE(26) + local.readUInt16LE(28);
  return { method, crc: directory.readUInt32LE(16), start, compressedBytes, bytes };
}

async function readAt(archive: FileHandle, position: number, bytes: number, label: string): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await archive.read(buffer, 0, bytes, position);
  if (bytesRead !== bytes) throw damaged(label, 'it ends too early');
  return buffer;
}

const damaged = (label: string, how: string): CharloomError =>
  new CharloomError('BAD_DATA', `${label} is a damaged zip file: ${how}`);

const unsupported = (label: string, how: string): CharloomError =>
  new CharloomError('BAD_DATA', `${label} cannot be unpacked here: ${how}`, 'unpack it by hand');
