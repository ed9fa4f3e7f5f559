/** Short versions of the soaks (`make soak`); what each tried, and what it lost, is a diagnostic of its test. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MAIN } from './small-run.ts';

const SOAKS: [title: string, file: string, args: string[]][] = [
  ['kill -9 at random moments', 'kills.ts', ['--kills', '8']],
  ['SIGINT and SIGTERM at random moments, and twice', 'signals.ts', ['--count', '4']],
  ['two processes on one run', 'locks.ts', ['--races', '4']],
  ['disks that become full', 'full-disk.ts', ['--disks', '3']],
  ['texts that would control a terminal', 'terminal.ts', ['--samples', '400']],
];

describe('a short soak:', { concurrency: 2 }, () => {
  for (const [title, file, args] of SOAKS) {
    it(title, async (t) => {
      assert.ok(existsSync(MAIN), 'run make build first');
      const path = fileURLToPath(new URL(file, import.meta.url));
      const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
        env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (words: string) => {
          output += words;
        });
      }
      const status = await new Promise((resolve) => child.on('close', resolve));
      t.diagnostic(output.trim());
      assert.equal(status, 0, output);
      assert.match(output, /\d+ .+: |skipped/);
    });
  }
});
