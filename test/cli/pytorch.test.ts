/** A saved model, read back by PyTorch, gives the same logits. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openModel } from '../../src/cli/open-model.ts';
import { declare } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

/** Where Debian's python3-torch is to be found. */
const PYTHON = '/usr/bin/python3';
const IDS = [0, 5, 3, 11, 5, 0, 7, 1, 12, 9];
const reader = fileURLToPath(new URL('../golden/read_model.py', import.meta.url));
const noTorch =
  spawnSync(PYTHON, ['-c', 'import torch']).status !== 0 &&
  `${PYTHON} has no PyTorch (Debian: python3-torch)`;
const cwd = scratchFolder();

before(() => writeFileSync(join(cwd, 'text.txt'), sampleText(3000)));

/** charloom's logits after each id, from the zero state. */
async function logitsOf(checkpoint: string): Promise<number[][]> {
  const { engine, model } = await openModel(checkpoint, { checkpoint: 'best', device: 'auto' });
  const recorder = new Recorder('logits');
  const ids = declare('ids', 'input', IDS.length, 1, 'i32');
  const { logits } = model.recordForward(recorder, { ids, state: model.declareState(1) });
  const out = declare('out', 'state', logits.rows, logits.columns);
  recorder.add('copy', { out, input: logits });
  const program = engine.prepare(recorder.finish());
  engine.write(ids, IDS);
  await program.run();
  const flat = Array.from(await engine.read(out));
  await engine.close();
  return IDS.map((_, t) => flat.slice(t * logits.columns, (t + 1) * logits.columns));
}

describe('PyTorch reads model.safetensors', { skip: noTorch, concurrency: 3 }, () => {
  const models = [
    ['lstm', '--layers', '2'],
    ['gru', '--layers', '2', '--embedding', '0'],
    ['rnn', '--activation', 'relu'],
    ['rnn', '--device', 'reference'],
  ];
  for (const [i, [cell, ...args]] of models.entries()) {
    it(`when the model is ${cell} ${args.join(' ')} then its logits are charloom's`, async () => {
      const budget = ['--steps', '60', '--learning-rate', '0.02'];
      await succeed(
        ['train', 'text.txt', ...TINY, ...budget, '--cell', cell!, ...args, '--out', `run-${i}`],
        { cwd },
      );
      const checkpoint = join(cwd, `run-${i}`, 'checkpoints', '60');
      const { stdout, stderr } = spawnSync(PYTHON, [reader, checkpoint, ...IDS.map(String)], {
        encoding: 'utf8',
      });
      assert.notEqual(stdout, '', stderr);
      const theirs = JSON.parse(stdout) as number[][];
      const ours = await logitsOf(checkpoint);
      assert.equal(theirs.length, ours.length);
      for (const [t, row] of ours.entries()) {
        assert.equal(theirs[t]!.length, row.length);
        for (const [v, logit] of row.entries()) {
          assert.ok(
            Math.abs(logit - theirs[t]![v]!) < 1e-4,
            `step ${t}, symbol ${v}: ${logit}, ${theirs[t]![v]}`,
          );
        }
      }
      assert.ok(Math.max(...ours.flat()) > 0.5, 'the model has learned something');
    });
  }
});
