/** Every call of the file system that a save makes fails in turn: nothing that was saved before is lost. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type CheckpointContent,
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  saveCheckpoint,
} from '../../src/checkpoint/checkpoint.ts';
import { CharloomError } from '../../src/errors.ts';
import { FAULTS, withFault } from './faults.ts';

const root = mkdtempSync(join(tmpdir(), 'charloom-faults-'));
after(() => rmSync(root, { recursive: true }));

const content = (value: number): CheckpointContent => ({
  model: new Map([['head.weight', { dtype: 'F32', shape: [4], data: Float32Array.of(value, 2, 3, 4) }]]),
  training: new Map([['generator', { dtype: 'U32', shape: [4], data: Uint32Array.of(1, 2, 3, value) }]]),
  bestStep: null,
  summary: { epoch: value },
});

/** Steps 10, 20 and 30 are there, and the remains of a process that was killed. */
const template = join(root, 'template');
before(async () => {
  for (const step of [10, 20, 30]) await saveCheckpoint(template, step, content(step));
  cpSync(join(template, 'checkpoints/30'), join(template, 'checkpoints/.40.tmp-0123456789ab'), {
    recursive: true,
  });
  rmSync(join(template, 'checkpoints/.40.tmp-0123456789ab/manifest.json'));
});

const SAVES: Record<string, (run: string) => Promise<unknown>> = {
  'a new checkpoint': (run) => saveCheckpoint(run, 40, content(40)),
  'a checkpoint in the place of another': (run) => saveCheckpoint(run, 30, content(31)),
  'removing what is surplus': (run) => pruneCheckpoints(run, 1),
};

describe('when a call of the file system fails', () => {
  for (const [what, save] of Object.entries(SAVES)) {
    it(`${what}: it is an I/O error, and what was saved is there, or what replaced it`, async (t) => {
      let run = join(root, 'count');
      cpSync(template, run, { recursive: true });
      const calls = await withFault(run, undefined, async () => {
        await save(run);
      });
      assert.ok(calls.length >= 6, `${calls}`);
      t.diagnostic(`${calls.length} calls, ${FAULTS.length} faults each`);
      for (const kind of FAULTS) {
        for (const at of calls.keys()) {
          const label = `${kind} at call ${at + 1}, ${calls[at]}`;
          run = mkdtempSync(join(root, 'run-'));
          cpSync(template, run, { recursive: true });
          let failure: unknown;
          await withFault(run, { at, kind }, async () => {
            await save(run).catch((error: unknown) => {
              failure = error;
            });
          });
          if (kind === 'short') assert.equal(failure, undefined, label);
          if (failure) {
            assert.ok(failure instanceof CharloomError && failure.code === 'IO', `${label}: ${failure}`);
          }
          // Whatever is listed is whole, and of what was there only what is replaced or surplus may be missing.
          const steps: number[] = [];
          for (const { dir, step } of await listCheckpoints(run)) {
            const { summary } = await loadCheckpoint(dir);
            assert.ok(summary.epoch === step || summary.epoch === 31, label);
            steps.push(step);
          }
          if (what !== 'removing what is surplus') {
            // Between the moving of the old one and that of the new, step 30 has no name until the next save.
            for (const step of [10, 20]) assert.ok(steps.includes(step), `${label}: ${steps}`);
          }
          // The next save clears up, and has all of them.
          await saveCheckpoint(run, 50, content(50));
          const names = readdirSync(join(run, 'checkpoints'));
          assert.ok(
            names.every((name) => /^\d+$/.test(name)),
            `${label}: ${names}`,
          );
          const after = new Map<number, unknown>();
          for (const { dir, step } of await listCheckpoints(run)) {
            after.set(step, (await loadCheckpoint(dir)).summary.epoch);
          }
          assert.equal(after.get(50), 50);
          assert.ok(after.has(30), `${label}: the latest before is lost`);
          if (!failure && what === 'a new checkpoint') assert.equal(after.get(40), 40, label);
          if (!failure && what === 'a checkpoint in the place of another')
            assert.equal(after.get(30), 31, label);
          rmSync(run, { recursive: true });
        }
      }
    });
  }
});
