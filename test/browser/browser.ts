/** A browser for the tests of pages: the Chromium of the system, driven by playwright-core, which brings none. */
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const EXECUTABLE = find(['chromium', 'chromium-browser', 'google-chrome']);

/** Why tests that need it are skipped; false if there is one. */
export const noBrowser = EXECUTABLE === undefined && 'there is no Chromium on the PATH';

function find(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

/** A page, and what it asked for and complained of. */
export interface Visit {
  readonly page: Page;
  /** The URLs of all requests. */
  readonly requests: string[];
  /** Errors that nobody caught, those on the console, and dialogs. */
  readonly complaints: string[];
}

/** Opens `url` in a profile of its own. What the page copies is kept in its variable `copied`. */
export async function visit(url: string, options: BrowserContextOptions = {}, script = ''): Promise<Visit> {
  assert.ok(EXECUTABLE);
  // As root, Chromium runs without its sandbox or not at all.
  browser ??= chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] });
  const context = await (await browser).newContext({ viewport: { width: 1000, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(
    `${script}; navigator.clipboard.writeText = async (text) => { globalThis.copied = text; };`,
  );
  await page.goto(url);
  return { page, requests, complaints };
}
