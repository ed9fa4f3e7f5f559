/** How far charloom is from what the machine can do: its matrix products against the peak of what its engine may use. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { layerProducts, type Product, trainingFlops } from '../../../src/bench/products.ts';
import { LanguageModel } from '../../../src/model/language-model.ts';
import type { Command } from './contestant-process.ts';
import { charloomCommand } from './contestants.ts';
import { medianRatio, speedOf } from './result.ts';
import { alternate, type Entry, type Outcome } from './rounds.ts';
import type { Training } from './workloads.ts';

/** Many short rounds: the peak of a machine with neighbours is another one every few seconds. */
const ROUNDS = 15;
const SECONDS = 0.15;
const LIMIT_SECONDS = 60;

/** A piece of work against the peak. */
export interface Share {
  /** Floating-point operations per second; null if there is no result. */
  readonly perSecond: number | null;
  /** Of as many threads, in the same rounds. */
  readonly peak: number | null;
  /** The median over the rounds of what the work did of the peak just before and after it. */
  readonly ofPeak: number | null;
  /** The fastest round of the work over the fastest of the peak: neighbours on the machine only ever slow things down. */
  readonly fastestOfPeak: number | null;
  /**
   * What of the peak the inner loop of a product reaches, in C and with nothing around it, as `ofPeak`; null where it is
   * not measured.
   */
  readonly loopOfPeak: number | null;
  /** The median over the rounds of what the work did of that loop just after it. */
  readonly ofLoop: number | null;
}

export interface StepResult extends Share {
  readonly engine: string;
  readonly workload: string;
  readonly training: Training;
}

export interface ProductResult extends Share {
  readonly workload: string;
  readonly product: Product;
}

export interface RooflineOptions {
  readonly engine: string;
  /** Of the training steps; products are measured on one. */
  readonly threads: number;
  readonly peak: PeakProgram | null;
  readonly show: (what: string) => void;
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
    const flags = ['-O2', '-march=native', '-pthread', source, '-o'];
    const compile = (...more: string[]) => promisify(execFile)(process.env.CC ?? 'cc', [...flags, ...more]);
    try {
      await compile(path.join(folder, 'peak'), '-ffp-contract=off');
      await compile(path.join(folder, 'peak-fused'), '-ffp-contract=fast', '-DFUSED');
      return new PeakProgram(folder);
    } catch {
      await rm(folder, { recursive: true });
      return null;
    }
  }

  /** @param engine whose limit it is: `native` may fuse, and use the widest vectors there are */
  entry(engine: string, threads: number, rounds: number, seconds = SECONDS): Entry {
    return this.#entry('peak', engine === 'native' ? 'peak-fused' : 'peak', [`${threads}`], rounds, seconds);
  }

  /** The inner loop of the products of `simd`, its operands in the first cache. */
  loop(threads: number, rounds: number, seconds = SECONDS): Entry {
    return this.#entry('loop', 'peak', [`${threads}`, 'loop'], rounds, seconds);
  }

  #entry(name: string, program: string, list: readonly string[], rounds: number, seconds: number): Entry {
    const command = {
      program: path.join(this.#folder, program),
      arguments: list,
      environment: process.env,
    };
    return { name, command, rounds, seconds, limitSeconds: LIMIT_SECONDS };
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }
}

/** Measures the training step of a workload in alternation with the peak of as many threads. */
export async function measureStep(
  workload: string,
  training: Training,
  options: RooflineOptions,
): Promise<StepResult> {
  const command = charloomCommand(options.engine, options.threads, training);
  const share = await measureShare(`${workload}, training`, command, options.threads, options);
  const flops = (perCharacter: number | null): number | null =>
    perCharacter === null ? null : perCharacter * flopsPerCharacter(training);
  return {
    engine: options.engine,
    workload,
    training,
    perSecond: flops(share.perSecond),
    peak: share.peak,
    ofPeak: flops(share.ofPeak),
    fastestOfPeak: flops(share.fastestOfPeak),
    loopOfPeak: share.loopOfPeak,
    ofLoop: flops(share.ofLoop),
  };
}

/** Measures the products of one layer of a workload, each in alternation with the peak of one thread. */
export async function measureProducts(
  workload: string,
  training: Training,
  options: RooflineOptions,
): Promise<ProductResult[]> {
  const products = layerProducts(modelOf(training), training.batchSize, training.sequenceLength);
  const results: ProductResult[] = [];
  for (const [i, product] of products.entries()) {
    const command = charloomCommand(options.engine, 1, { ...training, kind: 'product', product: i });
    const share = await measureShare(`${workload}, ${product.name}`, command, 1, options);
    results.push({ workload, product, ...share });
  }
  return results;
}

/** Work by work's own measure: its amount per second, and that over the peak. */
async function measureShare(
  name: string,
  command: Command,
  threads: number,
  { engine, peak, show }: RooflineOptions,
): Promise<Share> {
  show(`${name}, ${engine}`);
  const work = { name, command, rounds: ROUNDS, seconds: SECONDS, limitSeconds: LIMIT_SECONDS };
  const quiet = (): void => {};
  if (!peak) {
    const [outcome] = await alternate([work], quiet);
    return shareOf(outcome!);
  }
  const limits = [peak.entry(engine, threads, ROUNDS + 1)];
  const loops = engine === 'simd' ? [peak.loop(threads, ROUNDS)] : [];
  const [around, outcome, loop] = await alternate([...limits, work, ...loops], quiet);
  return shareOf(outcome!, around, loop);
}

/** The peak has one round more: those of the work and of the loop with number i stand between its rounds i and i + 1. */
export function shareOf(work: Outcome, peak?: Outcome, loop?: Outcome): Share {
  const speed = (outcome?: Outcome): number | null => (outcome ? speedOf(outcome) : null);
  const has = (outcome?: Outcome): outcome is Outcome => speed(outcome) !== null;
  const ofPeak = (outcome?: Outcome): number | null => {
    if (!has(outcome) || !has(peak)) return null;
    const around = outcome.speeds.map((_, round) => (peak.speeds[round]! + peak.speeds[round + 1]!) / 2);
    return medianRatio(outcome.speeds, around);
  };
  return {
    perSecond: speed(work),
    peak: speed(peak),
    ofPeak: ofPeak(work),
    fastestOfPeak: has(work) && has(peak) ? Math.max(...work.speeds) / Math.max(...peak.speeds) : null,
    loopOfPeak: ofPeak(loop),
    ofLoop: has(work) && has(loop) ? medianRatio(work.speeds, loop.speeds) : null,
  };
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
