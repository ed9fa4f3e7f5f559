/** Whether all threads walk a list, or one alone: whatever is faster at the time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Crew } from '../../src/engine/commands/crew.ts';

/** Milliseconds of a walk of all threads, and of one. */
interface Machine {
  readonly all: number;
  readonly one: number;
}

const IDLE: Machine = { all: 6, one: 10 };
const BUSY: Machine = { all: 90, one: 13 };

/** Walks for so many milliseconds; returns which share of them all threads walked, and how many walks there were. */
function walk(crew: Crew, { all, one }: Machine, milliseconds: number): { together: number; walks: number } {
  let together = 0;
  let walks = 0;
  let time = 0;
  for (; time < milliseconds; walks++) {
    const took = crew.together ? all : one;
    if (crew.together) together += took;
    time += took;
    crew.walked(took);
  }
  return { together: together / time, walks };
}

describe('the threads of a list', () => {
  it('are all of them on an idle machine, but for one trial of one', () => {
    const crew = new Crew();
    assert.equal(crew.together, true);
    const { together } = walk(crew, IDLE, 1000);
    assert.ok(together > 0.97 && together < 1, `${together}`);
    assert.equal(walk(crew, IDLE, 100_000).together, 1);
  });

  it('are one where others want the processors, but for seldom trials of all', () => {
    const crew = new Crew();
    walk(crew, BUSY, 2000);
    const { together, walks } = walk(crew, BUSY, 100_000);
    assert.ok(together > 0 && together < 0.04, `${together}`);
    assert.ok(walks > (0.95 * 100_000) / BUSY.one, `${walks}`);
  });

  it('are at once one if all were slower from the first walk on', () => {
    const crew = new Crew();
    crew.walked(BUSY.all);
    assert.equal(crew.together, false);
    walk(crew, BUSY, BUSY.all);
    assert.equal(crew.together, false);
  });

  it('follow what happens on the machine', () => {
    const crew = new Crew();
    for (let change = 0; change < 3; change++) {
      walk(crew, IDLE, 10_000);
      assert.equal(walk(crew, IDLE, 1000).together, 1);
      walk(crew, BUSY, 1000);
      assert.ok(walk(crew, BUSY, 10_000).together < 0.1);
    }
  });

  it('are tried seldom where a trial is long: it costs little of the time', () => {
    const crew = new Crew();
    const machine = { all: 1500, one: 8 };
    walk(crew, machine, 10_000);
    assert.ok(walk(crew, machine, 500_000).together < 0.04);
  });

  it('are all as long as only one long walk after the other is somewhat slow, not two', () => {
    const crew = new Crew();
    walk(crew, { all: 50, one: 80 }, 1000);
    for (let i = 0; i < 100; i++) {
      crew.walked(i % 5 === 0 ? 120 : 50);
      assert.equal(crew.together, true);
    }
    crew.walked(120);
    assert.equal(crew.together, true);
    crew.walked(120);
    assert.equal(crew.together, false);
  });

  it('are one after a single walk that is very slow', () => {
    const crew = new Crew();
    walk(crew, { all: 50, one: 80 }, 1000);
    crew.walked(161);
    assert.equal(crew.together, false);
  });

  it('are all as long as the mean over many short walks says so, though single ones may be slow', () => {
    const crew = new Crew();
    walk(crew, { all: 0.03, one: 0.05 }, 100);
    for (let i = 0; i < 1000; i++) {
      crew.walked(i % 500 === 0 ? 4 : 0.03);
      assert.equal(crew.together, true);
    }
  });
});
