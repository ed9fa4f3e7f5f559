/** Tables that a program writes into a document: between `<!-- NAME -->` and `<!-- /NAME -->`. */

/**
 * Replaces what stands between the markers, which stay.
 * @throws Error if they are not there, each once, in this order
 */
export function replaceBetween(text: string, name: string, content: string): string {
  const [before, rest, ...more] = text.split(`<!-- ${name} -->`);
  const [old, after, ...moreEnds] = (rest ?? '').split(`<!-- /${name} -->`);
  if (old === undefined || after === undefined || more.length + moreEnds.length > 0) {
    throw new Error(`expected '<!-- ${name} -->' and after it '<!-- /${name} -->', each once`);
  }
  return `${before}<!-- ${name} -->\n${content.trim()}\n<!-- /${name} -->${after}`;
}
