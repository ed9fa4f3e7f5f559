/**
 * Whole pages, each one file that needs nothing else: style, script and data lie in it, and its content security policy
 * (CSP level 3) lets it load nothing and run nothing but the very style and script it was made with.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { CharloomError } from '../errors.ts';
import { escapeHtml, type Html } from './html.ts';

export interface Page {
  readonly title: string;
  /** Whose style (and script, if there is one) it has: the name of an entry of `client/`. */
  readonly client: string;
  /** For the script: JSON in an element with the id "data". */
  readonly data?: object;
  readonly body: Html;
}

/**
 * The document. Elements have no style attributes: the policy forbids them.
 * @throws CharloomError UNAVAILABLE if the pages have not been built
 */
export function renderPage({ title, client, data, body }: Page): string {
  const style = styleOf(client);
  const script = built(`${client}.js`);
  const policy = [
    "default-src 'none'",
    `style-src '${digest(style)}'`,
    // The model of a page that has one runs in WebAssembly.
    ...(script === undefined ? [] : [`script-src '${digest(script)}' 'wasm-unsafe-eval'`]),
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${escapeHtml(policy)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${style}</style>`,
    body.markup,
    ...(data === undefined ? [] : [`<script type="application/json" id="data">${embedded(data)}</script>`]),
    ...(script === undefined ? [] : [`<script>${script}</script>`]),
    '</html>\n',
  ].join('\n');
}

/**
 * The style of a client.
 * @throws CharloomError UNAVAILABLE if the pages have not been built
 */
export function styleOf(client: string): string {
  const style = built(`${client}.css`);
  if (style !== undefined) return style;
  throw new CharloomError(
    'UNAVAILABLE',
    `the style of ${client} pages has not been built`,
    'run `npm run build:pages`',
  );
}

/** JSON inside of a script element, which ends where "</script" stands. */
function embedded(data: object): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** What `npm run build:pages` made of a file of `client/`. */
function built(name: string): string | undefined {
  const file = new URL(`./built/${name}`, import.meta.url);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}
