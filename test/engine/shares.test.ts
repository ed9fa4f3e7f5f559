/** What threads do of each command: as much as they are fast. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CommandMemory } from '../../src/engine/commands/command-engine.ts';
import { SHARE_BYTES, Shares } from '../../src/engine/commands/shares.ts';

const START = 128;

function sharesOf(threads: number): {
  shares: Shares;
  /** As parts of the whole. */
  ranges: () => [number, number][];
  spend: (...milliseconds: number[]) => void;
} {
  const buffer = new ArrayBuffer(START + threads * SHARE_BYTES);
  const memory = {
    shares: START,
    floats: (address: number, length: number) => new Float32Array(buffer, address, length),
    integers: (address: number, length: number) => new Int32Array(buffer, address, length),
  };
  const shares = new Shares(memory as unknown as CommandMemory, threads);
  const at = (thread: number): number => START + thread * SHARE_BYTES;
  return {
    shares,
    ranges: () =>
      Array.from({ length: threads }, (_, thread) => {
        const [start, end] = memory.integers(at(thread), 2);
        return [start! / 65536, end! / 65536];
      }),
    spend: (...milliseconds) => {
      for (const [thread, more] of milliseconds.entries()) memory.floats(at(thread) + 8, 1)[0]! += more;
    },
  };
}

describe('shares of threads', () => {
  it('are equal at first', () => {
    assert.deepEqual(sharesOf(1).ranges(), [[0, 1]]);
    assert.deepEqual(sharesOf(4).ranges(), [
      [0, 0.25],
      [0.25, 0.5],
      [0.5, 0.75],
      [0.75, 1],
    ]);
  });

  it('follow speeds, once they are known well enough, again and again', () => {
    const { shares, ranges, spend } = sharesOf(2);
    spend(15, 45);
    shares.follow();
    assert.deepEqual(ranges()[0], [0, 0.5], 'too early: 15 milliseconds');
    spend(15, 45);
    shares.follow();
    assert.deepEqual(ranges(), [
      [0, 0.75],
      [0.75, 1],
    ]);
    spend(10, 10);
    shares.follow();
    assert.deepEqual(ranges()[0], [0, 0.75], 'what was measured before is over');
    spend(90, 30);
    shares.follow();
    assert.ok(Math.abs(ranges()[0]![1] - 40 / 140) < 1e-4);
  });

  it('leave nothing out and nothing twice, whatever the speeds', () => {
    const { shares, ranges } = sharesOf(7);
    for (let i = 0; i < 1000; i++) {
      shares.divide(Array.from({ length: 7 }, (_, thread) => 1 + Math.sin(i * 7.7 + thread * thread)));
      let end = 0;
      for (const [from, to] of ranges()) {
        assert.equal(from, end);
        assert.ok(to > from);
        end = to;
      }
      assert.equal(end, 1);
    }
  });

  it('never become so small that a speed would no longer be measured', () => {
    const { shares, ranges, spend } = sharesOf(4);
    spend(1e6, 30, 30, 30);
    shares.follow();
    const [[start, end]] = ranges() as [[number, number]];
    assert.ok(end - start > 1 / 4 / 4 / 1.3, `${end - start}`);
    shares.divide([0, 0, 0, 1]);
    for (const [from, to] of ranges()) assert.ok(to - from >= 1 / 4 / 4 / 1.8, `${to - from}`);
  });
});
