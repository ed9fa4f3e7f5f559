/** From what a user types to one checkpoint of one run. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CharloomError } from '../errors.ts';
import { exists } from '../folders.ts';
import { asReadError } from '../system-errors.ts';
import { CHECKPOINTS, listCheckpoints, savedSteps } from './checkpoint.ts';
import { MANIFEST, readManifest } from './manifest.ts';

/** Which checkpoint of a run: the best, the latest, or that of a step. */
export type CheckpointChoice = 'best' | 'latest' | number;

export interface LocatedModel {
  /** The run folder, with config.json and vocabulary.json. */
  readonly runDir: string;
  readonly checkpointDir: string;
  readonly step: number;
}

/**
 * Finds a checkpoint. `best` is the one that the latest names as the best; of a run that was never
 * evaluated, the latest.
 *
 * @param path a run folder, or one checkpoint folder: then `which` must not name another
 * @throws CharloomError NO_INPUT if there is no such run or checkpoint (telling which there are), BAD_DATA if
 *   the checkpoint, or the last of a run that has no other, has no valid manifest, USAGE if path and `which` are two different checkpoints
 */
export async function resolveModel(path: string, which: CheckpointChoice = 'best'): Promise<LocatedModel> {
  await requireFolder(path);
  if (await isThere(join(path, MANIFEST))) return oneCheckpoint(path, which);
  if (!(await isThere(join(path, CHECKPOINTS)))) {
    if (await isThere(join(path, 'config.json'))) {
      throw new CharloomError(
        'NO_INPUT',
        `${path} has no checkpoint yet`,
        'if nothing trains there any more, remove the folder and train again',
      );
    }
    const message = `${path} is no run: it has no folder ${CHECKPOINTS}`;
    throw new CharloomError('NO_INPUT', message, 'give a run folder or one checkpoint folder');
  }
  const entries = await listCheckpoints(path);
  const latest = entries.at(-1);
  const step =
    which === 'latest' ? latest?.step : which === 'best' ? (latest?.bestStep ?? latest?.step) : which;
  const found = entries.find((entry) => entry.step === step);
  if (found) return { runDir: path, checkpointDir: found.dir, step: found.step };
  // Where no checkpoint is valid, the last one that is there tells why.
  const saved = await savedSteps(path);
  const damaged = step ?? saved.at(-1);
  if (damaged !== undefined) await refuseDamaged(join(path, CHECKPOINTS, String(damaged)));
  if (saved.length === 0) throw new CharloomError('NO_INPUT', `${path} has no checkpoint yet`);
  const wanted =
    which === 'best' ? `the best checkpoint, that of step ${step}` : `a checkpoint of step ${step}`;
  throw new CharloomError(
    'NO_INPUT',
    `${path} does not have ${wanted}`,
    entries.length > 0
      ? `it has those of steps ${entries.map((entry) => entry.step).join(', ')}`
      : `all that it has are damaged, those of steps ${saved.join(', ')}`,
  );
}

/** @param path a folder with a manifest: RUN/checkpoints/STEP, perhaps through a symbolic link */
async function oneCheckpoint(path: string, which: CheckpointChoice): Promise<LocatedModel> {
  const checkpointDir = await realpath(path);
  const parent = dirname(checkpointDir);
  if (basename(parent) !== CHECKPOINTS) {
    throw new CharloomError(
      'BAD_DATA',
      `${path} is a checkpoint outside of a run: ${MANIFEST}, but no run around it`,
    );
  }
  const { step } = await readManifest(checkpointDir);
  if (typeof which === 'number' && which !== step) {
    throw new CharloomError('USAGE', `${path} is the checkpoint of step ${step}, not of step ${which}`);
  }
  return { runDir: dirname(parent), checkpointDir, step };
}

/** Tells why a folder that is there was not listed. */
async function refuseDamaged(dir: string): Promise<void> {
  if (!(await isThere(dir))) return;
  const { step } = await readManifest(dir);
  throw new CharloomError('BAD_DATA', `${dir} is damaged: its manifest is that of step ${step}`);
}

/** @throws CharloomError NO_INPUT if there is nothing, or it is a file */
export async function requireFolder(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    throw asReadError(error, path);
  }
  throw new CharloomError('NO_INPUT', `${path} is a file, not a run folder or a checkpoint folder`);
}

async function isThere(path: string): Promise<boolean> {
  return exists(path).catch((error: unknown) => {
    throw asReadError(error, path);
  });
}
