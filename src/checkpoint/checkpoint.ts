/**
 * Checkpoints of a run: folders `checkpoints/STEP` with `model.safetensors`, `training.safetensors` and
 * `manifest.json`. One appears at once, by the renaming of a finished folder, and disappears in the same way.
 * Only the process that holds the lock of the run may save or remove any, and nothing outside of the run folder: symbolic links
 * are followed to read, never to write or to remove.
 */
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CharloomError } from '../errors.ts';
import { asReadError, asWriteError } from '../system-errors.ts';
import { isTemporaryName, makeFolder, syncFolder, temporaryName, writeNewFile } from './atomic-write.ts';
import {
  digestOf,
  type FileDigest,
  formatManifest,
  isCount,
  MANIFEST,
  type Manifest,
  MODEL,
  readManifest,
  TRAINING,
} from './manifest.ts';
import { readWholeFile } from './read-file.ts';
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from './safetensors.ts';

export const CHECKPOINTS = 'checkpoints';

/** The largest array that every Node.js from 20 on can make. */
const MAX_TENSOR_BYTES = 2 ** 32;

export type Tensors = ReadonlyMap<string, SafeTensor>;

export interface CheckpointContent extends Pick<Manifest, 'bestStep' | 'summary'> {
  /** The weights. */
  readonly model: Tensors;
  /** Everything else that a run needs to go on: optimizer moments, hidden state, generator states. */
  readonly training: Tensors;
}

export interface Checkpoint extends CheckpointContent {
  readonly step: number;
}

/** A checkpoint as it lies in its folder, not loaded. */
export interface CheckpointEntry extends Manifest {
  readonly dir: string;
}

/**
 * Saves a checkpoint. What killed processes left is cleared up first: see `recoverCheckpoints`.
 * @returns its folder, `RUN/checkpoints/STEP`; one of the same step is replaced
 * @throws CharloomError DIVERGED if a value is not finite (nothing is written), IO if it cannot be written, whatever the reason;
 *   the checkpoints that were there before are there still
 */
export async function saveCheckpoint(
  runDir: string,
  step: number,
  content: CheckpointContent,
): Promise<string> {
  if (!isCount(step)) throw new RangeError(`step ${step}`);
  const { model, training, bestStep, summary } = content;
  requireFinite(model);
  requireFinite(training);
  const parent = join(runDir, CHECKPOINTS);
  const dir = join(parent, String(step));
  const files = { [MODEL]: encodeSafetensors(model), [TRAINING]: encodeSafetensors(training) };
  const digests = { [MODEL]: digestOf(files[MODEL]), [TRAINING]: digestOf(files[TRAINING]) };
  const temporary = join(parent, temporaryName(String(step)));
  try {
    await recoverCheckpoints(runDir);
    await makeFolder(parent);
    await makeFolder(temporary);
    await writeNewFile(join(temporary, MODEL), files[MODEL]);
    await writeNewFile(join(temporary, TRAINING), files[TRAINING]);
    await writeNewFile(
      join(temporary, MANIFEST),
      formatManifest({ step, bestStep, files: digests, summary }),
    );
    await syncFolder(temporary);
    const replaced = await moveAside(dir);
    try {
      await rename(temporary, dir);
    } catch (error) {
      if (replaced) await rename(replaced, dir);
      throw error;
    }
    await syncFolder(parent);
    if (replaced) await discard(replaced);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw asSaveError(error, dir);
  }
  return dir;
}

/** The valid checkpoints of a run, oldest first. @throws CharloomError NO_INPUT or IO if something cannot be read */
export async function listCheckpoints(runDir: string): Promise<CheckpointEntry[]> {
  const entries: CheckpointEntry[] = [];
  for (const step of await savedSteps(runDir)) {
    const dir = join(runDir, CHECKPOINTS, String(step));
    const manifest = await manifestOf(dir);
    if (manifest && manifest.step === step) entries.push({ ...manifest, dir });
  }
  return entries;
}

/** What a look at every byte of a checkpoint has shown. */
export interface Verdict {
  readonly step: number;
  /** Null if it is sound. */
  readonly problem: string | null;
}

/**
 * Looks at every byte of what stands in the place of checkpoints, oldest first.
 * @param verify throws a CharloomError if the run cannot use the content of a checkpoint
 * @throws CharloomError NO_INPUT or IO if the run is unreadable
 */
export async function verifyCheckpoints(
  runDir: string,
  verify: (checkpoint: Checkpoint, dir: string) => void,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const step of await savedSteps(runDir)) {
    const dir = join(runDir, CHECKPOINTS, String(step));
    let problem: string | null = null;
    try {
      const checkpoint = await loadCheckpoint(dir);
      if (checkpoint.step !== step) problem = `${dir} holds the checkpoint of step ${checkpoint.step}`;
      else verify(checkpoint, dir);
    } catch (error) {
      if (!(error instanceof CharloomError)) throw error;
      problem = error.message;
    }
    verdicts.push({ step, problem });
  }
  return verdicts;
}

/** The steps that have a folder, whatever is in it, in order. @throws CharloomError NO_INPUT or IO if something cannot be read */
export async function savedSteps(runDir: string): Promise<number[]> {
  const names = await namesIn(join(runDir, CHECKPOINTS));
  const steps = names.filter((name) => /^(0|[1-9]\d{0,15})$/.test(name)).map(Number);
  return steps.sort((a, b) => a - b);
}

/**
 * Loads a checkpoint and verifies every byte of it.
 * @throws CharloomError NO_INPUT if a file is missing, BAD_DATA if one is not what the manifest says
 */
export async function loadCheckpoint(dir: string): Promise<Checkpoint> {
  const { step, bestStep, files, summary } = await readManifest(dir);
  const model = await loadTensors(join(dir, MODEL), files[MODEL]);
  const training = await loadTensors(join(dir, TRAINING), files[TRAINING]);
  return { step, bestStep, summary, model, training };
}

/** As `loadCheckpoint`, the model alone: for sampling and evaluation. */
export async function loadModel(
  dir: string,
): Promise<Omit<Checkpoint, 'training'> & { readonly sha256: string }> {
  const { step, bestStep, files, summary } = await readManifest(dir);
  const { sha256 } = files[MODEL];
  return { step, bestStep, summary, sha256, model: await loadTensors(join(dir, MODEL), files[MODEL]) };
}

/**
 * Removes all checkpoints but the last `keep` and the best.
 * @returns the steps that were removed
 * @throws CharloomError IO
 */
export async function pruneCheckpoints(runDir: string, keep = 2): Promise<number[]> {
  try {
    await refuseLink(join(runDir, CHECKPOINTS));
    const entries = await listCheckpoints(runDir);
    const best = entries.at(-1)?.bestStep;
    const surplus = entries.slice(0, Math.max(0, entries.length - keep)).filter(({ step }) => step !== best);
    for (const { dir } of surplus) {
      const aside = await moveAside(dir);
      if (aside) await discard(aside);
    }
    return surplus.map(({ step }) => step);
  } catch (error) {
    throw asSaveError(error, join(runDir, CHECKPOINTS));
  }
}

/**
 * Clears up after processes that were killed while they saved or removed a checkpoint: what is complete
 * becomes a checkpoint again, the rest is removed. To be called with the lock of the run.
 * @throws CharloomError CANNOT_CREATE or IO
 */
export async function recoverCheckpoints(runDir: string): Promise<void> {
  const parent = join(runDir, CHECKPOINTS);
  await refuseLink(parent);
  const names = await namesIn(parent);
  try {
    for (const name of names.filter(isTemporaryName)) {
      const leftover = join(parent, name);
      const manifest = await manifestOf(leftover);
      if (manifest && !names.includes(String(manifest.step))) {
        // Killed between the moving of an old checkpoint of this step and that of the new one.
        await rename(leftover, join(parent, String(manifest.step)));
        names.push(String(manifest.step));
      } else {
        await discard(leftover);
      }
    }
  } catch (error) {
    throw asWriteError(error, parent);
  }
}

async function loadTensors(path: string, expected: FileDigest): Promise<Map<string, SafeTensor>> {
  const bytes = await readWholeFile(path, MAX_TENSOR_BYTES);
  if (bytes.length !== expected.bytes || digestOf([bytes]).sha256 !== expected.sha256) {
    throw new CharloomError(
      'BAD_DATA',
      `${path} is damaged: it is not the file that its manifest describes`,
      'use another checkpoint: give its folder, RUN/checkpoints/STEP',
    );
  }
  return decodeSafetensors(bytes, path).tensors;
}

/** The manifest of a folder; undefined if it is missing or damaged, but not if it only cannot be read at the moment. */
async function manifestOf(dir: string): Promise<Manifest | undefined> {
  try {
    return await readManifest(dir);
  } catch (error) {
    if (!(error instanceof CharloomError)) throw error;
    const missing = ['ENOENT', 'ENOTDIR'].includes(String((error.cause as NodeJS.ErrnoException)?.code));
    if (error.code === 'BAD_DATA' || missing) return undefined;
    throw error;
  }
}

/** While a run is saved, whatever the system refuses is an input/output error: its folder was there to write to. */
function asSaveError(error: unknown, path: string): unknown {
  const ours = asWriteError(error, path);
  if (!(ours instanceof CharloomError) || ours.code === 'IO') return ours;
  return new CharloomError('IO', ours.message, ours.hint, { cause: ours });
}

/** Renames a checkpoint folder, if there is one, so that it is none any more. @returns its new path */
async function moveAside(dir: string): Promise<string | undefined> {
  const aside = join(dirname(dir), temporaryName(basename(dir)));
  try {
    await rename(dir, aside);
    return aside;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes a folder, the manifest first: what still has one is complete. Of a symbolic link to a folder, only the link. */
async function discard(dir: string): Promise<void> {
  if (!(await isLink(dir))) await rm(join(dir, MANIFEST), { force: true });
  await rm(dir, { recursive: true, force: true });
}

/** @throws CharloomError CANNOT_CREATE if the folder of checkpoints is a symbolic link: they would be those of somebody else */
async function refuseLink(folder: string): Promise<void> {
  if (!(await isLink(folder))) return;
  throw new CharloomError(
    'CANNOT_CREATE',
    `cannot save to ${folder}: it is a symbolic link`,
    'put the folder itself in its place; the whole run folder may be reached through a link',
  );
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw asReadError(error, path);
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw asReadError(error, dir);
  }
}

function requireFinite(tensors: Tensors): void {
  for (const [name, { data }] of tensors) {
    if (data instanceof Float32Array || data instanceof Float64Array) {
      for (let i = 0; i < data.length; i++) {
        if (!Number.isFinite(data[i])) {
          throw new CharloomError(
            'DIVERGED',
            `${name} has a value that is not finite (${data[i]}): not saved`,
          );
        }
      }
    }
  }
}
