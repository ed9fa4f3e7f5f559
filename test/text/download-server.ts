/** What the tests of downloads need: a server on this machine, catalogue entries for it, zip files. */
import { createHash } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32, deflateRawSync } from 'node:zlib';
import type { CatalogEntry } from '../../src/text/catalog.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A server that answers each path with its listener, and everything else with 404. */
export async function serve(
  routes: Readonly<Record<string, RequestListener>>,
): Promise<{ origin: string; close: () => void }> {
  const server: Server = createServer((request, response) => {
    const route = routes[request.url ?? ''];
    if (route) route(request, response);
    else response.writeHead(404).end('not found');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** An entry whose values are those of `content`, unless others are given. */
export function makeEntry(
  url: string,
  content: Uint8Array,
  others: Partial<CatalogEntry> = {},
): CatalogEntry {
  return {
    name: 'little',
    title: 'A little text',
    language: 'en',
    url,
    download: 'automatic',
    bytes: content.length,
    sha256: sha256(content),
    format: 'text',
    member: null,
    characters: null,
    licence: 'CC0 1.0',
    source: 'https://example.org/',
    published: [],
    notes: 'For tests.',
    ...others,
  };
}

export interface ZipOptions {
  stored?: boolean;
  encrypted?: boolean;
}

/** A zip file of these members. */
export function zip(members: Readonly<Record<string, Uint8Array>>, options: ZipOptions = {}): Buffer {
  const method = options.stored ? 0 : 8;
  const flags = options.encrypted ? 1 : 0;
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(members)) {
    const data = options.stored ? content : deflateRawSync(content);
    const common = Buffer.alloc(26); // what the member's own header and its record in the directory share
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data]);
    const record = Buffer.concat([
      Buffer.from('PK\x01\x02\x14\x00'),
      common,
      Buffer.alloc(14),
      Buffer.from(name),
    ]);
    record.writeUInt32LE(offset, 42);
    parts.push(local);
    directory.push(record);
    offset += local.length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, records, end]);
}
