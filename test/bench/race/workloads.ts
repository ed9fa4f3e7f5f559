/** What is raced. The input is one-hot everywhere; training is with Adam, clipped at a global norm of 5, no dropout. */
import type { CellName } from '../../../src/model/config.ts';

interface Network {
  readonly cell: CellName;
  /** L. */
  readonly layers: number;
  /** H. */
  readonly hidden: number;
  /** V. */
  readonly vocabulary: number;
}

/** Training steps, the state carried from one to the next. */
export interface Training extends Network {
  readonly kind: 'training';
  /** B. */
  readonly batchSize: number;
  /** T. */
  readonly sequenceLength: number;
}

/** Texts of so many characters from the zero state, each character drawn from the distribution at temperature 1. */
export interface Sampling extends Network {
  readonly kind: 'sampling';
  readonly characters: number;
  /** Texts drawn side by side. */
  readonly streams: number;
}

/** The cross-entropy of a text of so many characters, read as one stream. */
export interface Evaluation extends Network {
  readonly kind: 'evaluation';
  readonly characters: number;
}

export type Workload = Training | Sampling | Evaluation;

const VOCABULARY = 65;

function training(cell: CellName, layers: number, hidden: number, B: number, T: number): Training {
  const batch = { batchSize: B, sequenceLength: T };
  return { kind: 'training', cell, layers, hidden, vocabulary: VOCABULARY, ...batch };
}

function sampling(hidden: number, streams = 1): Sampling {
  const network = { cell: 'lstm', layers: 2, hidden, vocabulary: VOCABULARY } as const;
  return { kind: 'sampling', ...network, characters: 2000, streams };
}

/** By the names that `--only` takes, in the order of the tables. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  W1: training('lstm', 2, 128, 50, 50),
  W2: training('lstm', 1, 256, 64, 64),
  W3: training('lstm', 2, 512, 64, 64),
  W4: training('gru', 2, 128, 50, 50),
  W5: training('rnn', 2, 128, 50, 50),
  S1: sampling(128),
  S1x32: sampling(128, 32),
  S2: sampling(512),
  E1: {
    kind: 'evaluation',
    cell: 'lstm',
    layers: 2,
    hidden: 128,
    vocabulary: VOCABULARY,
    characters: 100_000,
  },
};

/** "training, LSTM 2x128, B = 50, T = 50". */
export function describeWorkload(workload: Workload): string {
  const network = `${workload.cell.toUpperCase()} ${workload.layers}x${workload.hidden}`;
  switch (workload.kind) {
    case 'training':
      return `training, ${network}, B = ${workload.batchSize}, T = ${workload.sequenceLength}`;
    case 'sampling':
      return `sampling, ${network}${workload.streams > 1 ? `, ${workload.streams} texts at once` : ''}`;
    case 'evaluation':
      return `evaluation, ${network}`;
  }
}
