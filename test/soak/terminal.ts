/**
 * Texts of models that would control the terminal they are shown on: `node --import tsx test/soak/terminal.ts [--samples 10000]`,
 * after `make build`, where there is `script` of util-linux, which gives a process a terminal.
 *
 * Models of random bytes and of all control and format characters of Unicode are sampled. On a terminal no control character
 * but newline and tab may come out; with --raw, and into a pipe, they come out as they are.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random.ts';
import { MAIN } from './small-run.ts';

const LENGTH = 64;
const CONTROL = /[\p{Cc}\p{Cf}]/gu;
/** Newline and tab, and the joiners that scripts and emoji need. */
const HARMLESS = '\n\t\u200c\u200d';

const { values } = parseArgs({ options: { samples: { type: 'string', default: '10000' } } });
const samples = Number(values.samples) / 2;
const folder = mkdtempSync(path.join(tmpdir(), 'charloom-terminal-'));
const random = new Random(1, 0);
const controls = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((character) => /[\p{Cc}\p{Cf}a-z]/u.test(character))
  .join('');
try {
  if (spawnSync('script', ['--version']).error) {
    console.log('terminal: skipped, there is no `script` here');
  } else {
    const bytes = Uint8Array.from({ length: 20_000 }, () => random.integer(256));
    check('random bytes', 'byte', bytes);
    check('control characters', 'character', controls.repeat(60));
  }
} finally {
  rmSync(folder, { recursive: true });
}

function check(name: string, unit: string, text: string | Uint8Array): void {
  const file = path.join(folder, `${unit}.txt`);
  const run = path.join(folder, unit);
  writeFileSync(file, text);
  // One step: every symbol stays about as likely as any other.
  const size = ['--hidden', '8', '--embedding', '4', '--batch-size', '4', '--sequence-length', '8'];
  charloom('train', file, '--unit', unit, ...size, '--steps', '1', '--device', 'simd', '--out', run);
  const draw = ['sample', run, '--count', String(samples), '--length', String(LENGTH), '--seed', '1'];
  const shown = onTerminal(draw);
  const escaped = shown.match(/\\u\{[0-9a-f]+\}/g)?.length ?? 0;
  const passed = dangerous(shown);
  if (passed.length > 0)
    throw new Error(`${name}: ${passed.length} came out: ${JSON.stringify(passed.slice(0, 9))}`);
  if (escaped === 0) throw new Error(`${name}: there was nothing to escape`);
  const piped = dangerous(charloom(...draw)).length;
  const raw = dangerous(onTerminal([...draw, '--raw'])).length;
  if (piped === 0 || raw === 0)
    throw new Error(`${name}: ${piped} control characters in a pipe, ${raw} with --raw`);
  console.log(
    `${samples} samples of ${name} on a terminal: ${escaped} control characters escaped, none came out; in a pipe ${piped} did`,
  );
}

function dangerous(text: string): string[] {
  return (text.match(CONTROL) ?? []).filter((character) => !HARMLESS.includes(character));
}

function charloom(...args: string[]): string {
  const limit = { maxBuffer: 2 ** 30 };
  return execFileSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', stdio: 'pipe', ...limit });
}

/** What a terminal is sent; its own returns before newlines are taken away. */
function onTerminal(args: readonly string[]): string {
  const quoted = [process.execPath, MAIN, ...args].map((part) => `'${part}'`).join(' ');
  const options = ['--quiet', '--return', '--command', `${quoted} 2>/dev/null`, '/dev/null'];
  const { status, stdout } = spawnSync('script', options, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`on a terminal it ended with ${status}: ${stdout.slice(-500)}`);
  return stdout.replaceAll('\r\n', '\n');
}
