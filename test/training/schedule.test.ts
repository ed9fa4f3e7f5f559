/** The learning rate over a run: known values of every schedule, and of the warm-up. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrainingConfig } from '../../src/training/config.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { learningRateAt, type Progress } from '../../src/training/schedule.ts';

/** Of a learning rate of 1. */
function rateAt(settings: Partial<TrainingConfig>, progress: Partial<Progress>): number {
  const config = { ...PRESETS.default!.settings, learningRate: 1, warmup: 0, ...settings };
  return learningRateAt(config, { step: 0, epoch: 0, fraction: 0, ...progress });
}

function assertNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);
}

describe('the learning rate', () => {
  it('stays as it is if it is constant', () => {
    for (const fraction of [0, 0.5, 1]) assert.equal(rateAt({ schedule: 'constant' }, { fraction }), 1);
  });

  it('falls to a twentieth of the peak at the end, linearly or as half a cosine', () => {
    const schedules = {
      linear: [1, 0.7625, 0.525, 0.2875, 0.05],
      cosine: [1, 0.525 + 0.475 * Math.SQRT1_2, 0.525, 0.525 - 0.475 * Math.SQRT1_2, 0.05],
    } as const;
    for (const schedule of ['linear', 'cosine'] as const) {
      for (const [i, expected] of schedules[schedule].entries()) {
        assertNear(rateAt({ schedule }, { fraction: i / 4 }), expected);
      }
    }
  });

  it('decays by the factor with every epoch after the first so many', () => {
    const settings = { schedule: 'step', decayRate: 0.5, decayAfter: 3 } as const;
    const rates = [0, 1, 2, 3, 4, 5].map((epoch) => rateAt(settings, { epoch }));
    assert.deepEqual(rates, [1, 1, 1, 0.5, 0.25, 0.125]);
  });

  it('rises in equal parts to its peak at the last step of the warm-up', () => {
    const rates = [0, 1, 2, 3, 4, 100].map((step) => rateAt({ schedule: 'constant', warmup: 4 }, { step }));
    assert.deepEqual(rates, [0.25, 0.5, 0.75, 1, 1, 1]);
  });

  it('is the product of all three', () => {
    const settings = { learningRate: 0.02, schedule: 'linear', warmup: 10 } as const;
    assertNear(rateAt(settings, { step: 4, fraction: 0.5 }), 0.02 * 0.5 * 0.525);
  });
});
