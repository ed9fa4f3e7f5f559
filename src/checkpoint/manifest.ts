/**
 * The manifest of a checkpoint folder: what belongs to it, to the byte. It is written last, so a folder
 * without a valid one is no checkpoint.
 *
 *     {"format": "charloom checkpoint", "version": 2, "step": 1500, "bestStep": 1200,
 *      "files": {"model.safetensors": {"bytes": 1234, "sha256": "..."}, "training.safetensors": {...}},
 *      "summary": {...}, "sha256": "..."}
 *
 * The last digest is that of the manifest itself without it.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CharloomError } from '../errors.ts';
import { shown } from '../fields.ts';
import { parseJsonObject } from './json.ts';
import { CALL_BYTES, readWholeFile } from './read-file.ts';

export const MANIFEST = 'manifest.json';
export const MODEL = 'model.safetensors';
export const TRAINING = 'training.safetensors';

const FORMAT = 'charloom checkpoint';
const VERSION = 2;
const MAX_MANIFEST_BYTES = 2 ** 20;

export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly step: number;
  /** Step of the best checkpoint of the run so far, perhaps this one; null before the first evaluation. */
  readonly bestStep: number | null;
  readonly files: Readonly<Record<typeof MODEL | typeof TRAINING, FileDigest>>;
  /** What the trainer wants to find again beside tensors: any JSON object. */
  readonly summary: Record<string, unknown>;
}

/** A number of things done: an integer from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function digestOf(pieces: readonly Uint8Array[]): FileDigest {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += CALL_BYTES) hash.update(piece.subarray(at, at + CALL_BYTES));
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

export function formatManifest({ step, bestStep, files, summary }: Manifest): string {
  const content = { format: FORMAT, version: VERSION, step, bestStep, files, summary };
  const { sha256 } = digestOf([new TextEncoder().encode(JSON.stringify(content))]);
  return `${JSON.stringify({ ...content, sha256 }, null, 2)}\n`;
}

/**
 * @param dir checkpoint folder
 * @throws CharloomError NO_INPUT if there is no manifest, BAD_DATA if it is not valid
 */
export async function readManifest(dir: string): Promise<Manifest> {
  const path = join(dir, MANIFEST);
  const fail = (problem: string) => new CharloomError('BAD_DATA', `${path}: ${problem}`);
  const bytes = await readWholeFile(path, MAX_MANIFEST_BYTES);
  const { format, version, step, bestStep, files, summary } = parseJsonObject(bytes, path);
  if (format !== FORMAT) throw fail('not the manifest of a charloom checkpoint');
  if (version !== VERSION) {
    throw fail(`version ${shown(version)}, but this charloom reads version ${VERSION}`);
  }
  if (!isCount(step)) throw fail('"step" is not a number of steps');
  if (bestStep !== null && !isCount(bestStep)) throw fail('"bestStep" is not a number of steps or null');
  const listed = fieldsOf(files);
  const model = parseDigest(listed.get(MODEL));
  const training = parseDigest(listed.get(TRAINING));
  if (!model || !training || listed.size !== 2) throw fail(`"files" are not ${MODEL} and ${TRAINING}`);
  if (!isObject(summary)) throw fail('"summary" is not an object');
  const manifest = { step, bestStep, files: { [MODEL]: model, [TRAINING]: training }, summary };
  // Written again, it is the same to the byte, its digest included, or it was changed.
  if (!Buffer.from(formatManifest(manifest)).equals(bytes)) {
    throw new CharloomError(
      'BAD_DATA',
      `${path}: damaged: it is not as charloom wrote it`,
      'use another checkpoint: give its folder, RUN/checkpoints/STEP',
    );
  }
  return manifest;
}

function parseDigest(value: unknown): FileDigest | undefined {
  const fields = fieldsOf(value);
  const bytes = fields.get('bytes');
  const sha256 = fields.get('sha256');
  if (!isCount(bytes) || typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  return { bytes, sha256 };
}

/** The fields of an object from outside, prototypes aside; none if it is no object. */
function fieldsOf(value: unknown): Map<string, unknown> {
  return new Map<string, unknown>(isObject(value) ? Object.entries(value) : []);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
