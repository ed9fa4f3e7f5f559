#!/usr/bin/env node
// Starts src/cli: the compiled build of the npm package, or, in a checkout, the sources themselves.
import { existsSync } from 'node:fs';

const source = new URL('../src/cli/main.ts', import.meta.url);
if (existsSync(source)) {
  try {
    const { register } = await import('tsx/esm/api');
    register();
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    process.stderr.write("charloom: this checkout is not set up yet: run 'npm ci' in it first\n");
    process.exit(69);
  }
  await import(source.href);
} else {
  await import('../dist/cli/main.js');
}
