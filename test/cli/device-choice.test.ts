/** What `--device auto` says of its choice, and what a run goes on with. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Choice, Trial } from '../../src/bench/fastest-engine.ts';
import { describeChoice, deviceOfRun } from '../../src/cli/device-choice.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import type { RunConfig } from '../../src/training/run-config.ts';

const choice = (...trials: Trial[]): Choice => ({ engine: new ReferenceEngine(), trials });
const trial = (engine: string, charactersPerSecond: number | null, reason: string | null = null): Trial => ({
  engine,
  charactersPerSecond,
  reason,
});

describe('the line about the choice', () => {
  it('has the speed of both engines', () => {
    const line = describeChoice(choice(trial('reference', 412_300), trial('other', 25_040)));
    assert.equal(line, 'reference (412k characters/s; other: 25k)');
  });

  it('has the reason where one cannot be taken, whether the other was timed or not', () => {
    const other = trial('other', null, 'the device was lost');
    assert.equal(
      describeChoice(choice(other, trial('reference', 900))),
      'reference (900 characters/s; other: the device was lost)',
    );
    assert.equal(
      describeChoice(choice(other, trial('reference', null))),
      'reference (other: the device was lost)',
    );
  });
});

describe('the device of a run', () => {
  const device = (asked: string, engine: string): string =>
    deviceOfRun({ device: asked, engine } as Partial<RunConfig> as RunConfig);

  it('is the one that was asked for', () => {
    assert.equal(device('gpu', 'gpu.js:webgpu'), 'gpu');
    assert.equal(device('gpu.js:webgpu', 'gpu.js:webgpu'), 'gpu.js:webgpu');
  });

  it('is what auto chose, and a GPU in hardware if it was one', () => {
    assert.equal(device('auto', 'simd'), 'simd');
    assert.equal(device('auto', 'gpu.js:webgpu'), 'gpu');
  });
});
