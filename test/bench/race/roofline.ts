/** How far charloom is from what the machine can do: its matrix products against the peak of 128-bit vectors. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { layerProducts, type Product, trainingFlops } from '../../../src/bench/products.ts';
import { LanguageModel } from '../../../src/model/language-model.ts';
import { charloomCommand } from './contestants.ts';
import { speedOf } from './result.ts';
import { alternate, type Entry } from './rounds.ts';
import type { Training } from './workloads.ts';

/** Each figure of this table is one of many: short rounds. */
const SECONDS = 0.2;
const LIMIT_SECONDS = 60;

export interface ProductResult {
  readonly workload: string;
  readonly product: Product;
  /** Floating-point operations per second, on one thread; null if there is no result. */
  readonly perSecond: number | null;
  /** Of one thread, in the same rounds. */
  readonly peak: number | null;
}

/** The program that measures the peak. */
export class PeakProgram {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns null where there is no C compiler, or it cannot compile the program */
  static async compile(): Promise<PeakProgram | null> {
    const folder = await mkdtemp(path.join(tmpdir(), 'charloom-peak-'));
    const source = fileURLToPath(new URL('peak.c', import.meta.url));
    const flags = ['-O2', '-ffp-contract=off', '-pthread', source, '-o', path.join(folder, 'peak')];
    try {
      await promisify(execFile)(process.env.CC ?? 'cc', flags);
      return new PeakProgram(folder);
    } catch {
      await rm(folder, { recursive: true });
      return null;
    }
  }

  entry(threads: number, rounds: number): Entry {
    const command = {
      program: path.join(this.#folder, 'peak'),
      arguments: [String(threads)],
      environment: process.env,
    };
    return {
      name: `peak, threads: ${threads}`,
      command,
      rounds,
      seconds: SECONDS,
      limitSeconds: LIMIT_SECONDS,
    };
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }
}

/** Measures the products of one layer of a workload, each in alternation with the peak of one thread. */
export async function measureProducts(
  workload: string,
  training: Training,
  options: { readonly engine: string; readonly rounds: number; readonly peak: PeakProgram | null },
  show: (what: string) => void,
): Promise<ProductResult[]> {
  const { engine, rounds, peak } = options;
  const products = layerProducts(modelOf(training), training.batchSize, training.sequenceLength);
  const entries = products.map((product, i): Entry => {
    const command = charloomCommand(engine, 1, { ...training, kind: 'product', product: i });
    return { name: product.name, command, rounds, seconds: SECONDS, limitSeconds: LIMIT_SECONDS };
  });
  const outcomes = await alternate([...(peak ? [peak.entry(1, rounds)] : []), ...entries], show);
  const ofPeak = peak ? speedOf(outcomes.shift()!) : null;
  return products.map((product, i) => ({
    workload,
    product,
    perSecond: speedOf(outcomes[i]!),
    peak: ofPeak,
  }));
}

/**
 * Floating-point operations in the matrix products of training, for each character: of the products as they are
 * recorded, not of what an engine pads them to.
 */
export function flopsPerCharacter(training: Training): number {
  return trainingFlops(modelOf(training));
}

function modelOf({ cell, layers, hidden, vocabulary }: Training): LanguageModel {
  return new LanguageModel({
    cell,
    activation: 'tanh',
    layers,
    hidden,
    embedding: 0,
    vocabulary,
    dropout: 0,
  });
}
