/** `charloom info --verify`: every byte of the checkpoints of a run. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { charloom, json, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const cwd = scratchFolder();
const at = (run: string, ...parts: string[]) => join(cwd, run, 'checkpoints', ...parts);

before(async () => {
  writeFileSync(join(cwd, 'text.txt'), sampleText(3000));
  const steps = ['--steps', '30', '--checkpoint-every', '10', '--eval-every', '10'];
  await succeed(['train', 'text.txt', ...TINY, ...steps, '--out', 'run'], { cwd });
});

/** A copy of the run with its checkpoint of step 20 changed. */
function changed(name: string, change: (dir: string) => void): void {
  cpSync(join(cwd, 'run'), join(cwd, name), { recursive: true });
  change(at(name, '20'));
}

function rewrite(file: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(file, change(readFileSync(file)));
}

interface Verdicts {
  readonly checkpoints: readonly { readonly step: number; readonly problem: string | null }[];
}

describe('charloom info --verify', { concurrency: 3 }, () => {
  it('when all is well then it says so of every checkpoint', async () => {
    const { stdout } = await succeed(['info', 'run', '--verify'], { cwd });
    assert.match(stdout, /^step 20 +sound\nstep 30 +sound\n$/);
  });

  const damages: [what: string, change: (dir: string) => void, problem: RegExp][] = [
    [
      'a bit of the weights is another',
      (dir) =>
        rewrite(join(dir, 'model.safetensors'), (bytes) => {
          bytes[bytes.length - 3]! ^= 4;
          return bytes;
        }),
      /model\.safetensors is damaged/,
    ],
    [
      'the training state is cut off',
      (dir) => rewrite(join(dir, 'training.safetensors'), (bytes) => bytes.subarray(0, -8)),
      /training\.safetensors is damaged/,
    ],
    [
      'a figure of the manifest is another',
      (dir) =>
        rewrite(join(dir, 'manifest.json'), (bytes) =>
          Buffer.from(`${bytes}`.replace('"epoch": 0', '"epoch": 1')),
        ),
      /manifest\.json: damaged/,
    ],
    [
      'there is no manifest',
      (dir) => rmSync(join(dir, 'manifest.json')),
      /manifest\.json: it does not exist/,
    ],
    [
      'it is the checkpoint of another step',
      (dir) => {
        rmSync(dir, { recursive: true });
        cpSync(join(dir, '..', '30'), dir, { recursive: true });
      },
      /holds the checkpoint of step 30/,
    ],
    [
      'it is a folder with nothing in it',
      (dir) => {
        rmSync(dir, { recursive: true });
        mkdirSync(dir);
      },
      /manifest\.json: it does not exist/,
    ],
  ];
  for (const [i, [what, change, problem]] of damages.entries()) {
    it(`when ${what} then it says which checkpoint, and ends with 65`, async () => {
      const name = `damaged-${i}`;
      changed(name, change);
      const { status, stdout, stderr } = await charloom(['info', name, '--verify'], { cwd });
      assert.equal(status, 65, stderr);
      const [first, second] = stdout.split('\n');
      assert.match(first!, /^step 20 /);
      assert.match(first!, problem);
      assert.match(second!, /^step 30 +sound$/);
      assert.match(stderr, /1 of 2 checkpoints is not sound/);
      assert.match(stderr, /remove checkpoints\/20/);
    });
  }

  it('when JSON is asked for then it is one object', async () => {
    const [sound] = await json<Verdicts>(['info', 'run', '--verify', '--json'], { cwd });
    assert.deepEqual(sound!.checkpoints, [
      { step: 20, problem: null },
      { step: 30, problem: null },
    ]);
  });

  it('when what is damaged has been removed then the run goes on from what is left', async () => {
    changed('mended', (dir) => rmSync(join(dir, '..', '30', 'training.safetensors')));
    assert.equal((await charloom(['info', 'mended', '--verify'], { cwd })).status, 65);
    rmSync(at('mended', '30'), { recursive: true });
    await succeed(['resume', 'mended', '--steps', '40'], { cwd });
    await succeed(['info', 'mended', '--verify'], { cwd });
  });

  it('when the manifest of the latest is damaged then the run goes on from the one before, and says so', async () => {
    changed('older', (dir) => writeFileSync(join(dir, '..', '30', 'manifest.json'), '{}'));
    const { stderr } = await succeed(['resume', 'older', '--steps', '40'], { cwd });
    assert.match(stderr, /^the checkpoint of step 30 is damaged: going on from step 20$/m);
    await succeed(['info', 'older', '--verify'], { cwd });
  });

  it('when one checkpoint is named then that is wrong usage: all are looked at', async () => {
    assert.equal((await charloom(['info', 'run', '--verify', '--checkpoint', '20'], { cwd })).status, 2);
  });

  it('when there is no checkpoint, or no run, then that is said', async () => {
    changed('empty', (dir) => rmSync(join(dir, '..'), { recursive: true }));
    for (const name of ['empty', 'nowhere']) {
      assert.equal((await charloom(['info', name, '--verify'], { cwd })).status, 66);
    }
  });
});
