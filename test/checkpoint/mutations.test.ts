/** Damaged checkpoints, a few thousand of them: a short version of `test/soak/mutations.ts`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Random } from '../../src/random.ts';
import { lossOf, type Mutation } from './damage.ts';
import { mutateInProcess } from './mutations.ts';
import { TinyRun } from './tiny-run.ts';

const COUNT = 2000;
const SEED = 1;

const folder = mkdtempSync(join(tmpdir(), 'charloom-mutations-'));
after(() => rmSync(folder, { recursive: true }));

describe('a damaged checkpoint', () => {
  it('is refused as bad data by whatever reads what is damaged, at once and in little memory; what is sound is accepted', async (t) => {
    const run = await TinyRun.create(folder);
    const figures = await mutateInProcess(run, COUNT, new Random(SEED));
    t.diagnostic(`seed ${SEED}: ${figures}`);
    assert.equal(figures.refused + figures.accepted, COUNT);
    assert.ok(figures.accepted > 0);
  });
});

describe('lossOf', () => {
  const mutation: Mutation = {
    kind: '',
    what: '',
    changes: new Map(),
    expected: { refusedBy: ['resume'], either: ['info'] },
  };
  const refused = { code: 'BAD_DATA', message: 'x' } as const;

  it('when what must be refused is accepted, or what is sound refused, then that is a loss', () => {
    assert.match(lossOf(mutation, 'resume', 'accepted')!, /was accepted/);
    assert.match(lossOf(mutation, 'sample', refused)!, /though it is sound/);
    for (const outcome of ['accepted', refused] as const)
      assert.equal(lossOf(mutation, 'info', outcome), undefined);
    assert.equal(lossOf(mutation, 'resume', refused), undefined);
    assert.equal(lossOf(mutation, 'sample', 'accepted'), undefined);
  });

  it('when it is no error of ours, of another kind, or not one clear line, then that is a loss', () => {
    for (const outcome of [
      { crash: 'RangeError' },
      { code: 'IO', message: 'x' },
      { code: 'NO_INPUT', message: 'x' },
      { code: 'BAD_DATA', message: 'x\ny' },
      { code: 'BAD_DATA', message: 'x'.repeat(1000) },
    ] as const) {
      assert.ok(lossOf(mutation, 'resume', outcome), JSON.stringify(outcome));
    }
    const missing = { ...mutation, expected: { refusedBy: ['resume'], missing: true } } as const;
    assert.equal(lossOf(missing, 'resume', { code: 'NO_INPUT', message: 'x' }), undefined);
  });
});
