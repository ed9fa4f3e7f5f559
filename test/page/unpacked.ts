/** Pages read again: the data of the script, and what is packed in it. */
import { inflateRawSync } from 'node:zlib';

/** What `renderPage` was given as data. */
export function dataOf<T>(page: string): T {
  return JSON.parse(/<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(page)![1]!) as T;
}

/** Takes arrays, one after the other, from what `packed` made. */
export function unpacked(packed: string): {
  bytes(n: number): number[];
  words(n: number): number[];
  left(): number;
} {
  const all = [...inflateRawSync(Buffer.from(packed, 'base64'))];
  const bytes = (n: number): number[] => all.splice(0, n);
  return {
    bytes,
    words: (n) => {
      const low = bytes(n);
      const high = bytes(n);
      return low.map((value, i) => value + 256 * high[i]!);
    },
    left: () => all.length,
  };
}

/** The text of the blocks, as a browser shows it. */
export function blockTexts(page: string): string[] {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return [...page.matchAll(/<div class="block">([\s\S]*?)<\/div>/g)].map(([, text]) =>
    text!.replace(/&([a-z]+|#39);/g, (_, name: string) => entities[name]!),
  );
}
