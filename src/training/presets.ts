/** Named settings. Every option given on the command line or in a configuration file overrides its preset. */
import type { ModelConfig } from '../model/config.ts';
import type { TrainingConfig } from './config.ts';

export interface Settings extends Omit<ModelConfig, 'vocabulary'>, TrainingConfig {}

export interface Preset {
  readonly description: string;
  readonly settings: Settings;
}

/**
 * The choice of `default`: what learned most in ten minutes on two cores in our measurements (docs/training.md). The GRU
 * learns more in the same time than the LSTM; one layer of 384 sees half as many characters as one of 256, and is the
 * better model all the same once it has read some six million. Without weight decay more
 * training made a worse model.
 */
const base: Settings = {
  cell: 'gru',
  activation: 'tanh',
  layers: 1,
  hidden: 384,
  embedding: 64,
  dropout: 0.2,
  batchSize: 32,
  sequenceLength: 64,
  epochs: 0,
  steps: 0,
  minutes: 10,
  optimizer: 'adamw',
  learningRate: 4e-3,
  schedule: 'cosine',
  warmup: 50,
  decayRate: 0.97,
  decayAfter: 10,
  clipNorm: 1,
  weightDecay: 0.1,
  loss: 'cross-entropy',
  resetProbability: 0.01,
  evalEvery: 500,
  sampleEvery: 0,
  checkpointEvery: 500,
  rollbacks: 3,
  seed: 1,
};

export const PRESETS: Readonly<Record<string, Preset>> = {
  default: {
    description: 'GRU 1x384, 10 minutes: a good model of about a megabyte of text',
    settings: base,
  },
  tiny: {
    description: 'GRU 1x128, 1 minute: a first impression, or a text of a few pages',
    settings: { ...base, hidden: 128, embedding: 32, learningRate: 5e-3, minutes: 1 },
  },
  large: {
    description: 'GRU 2x768, 8 hours: several megabytes of text and a night',
    settings: {
      ...base,
      layers: 2,
      hidden: 768,
      embedding: 96,
      dropout: 0.3,
      batchSize: 64,
      sequenceLength: 128,
      minutes: 480,
      learningRate: 2e-3,
      warmup: 200,
      evalEvery: 1000,
      checkpointEvery: 500,
    },
  },
  'char-rnn': {
    description: "LSTM 2x128 with the settings of Karpathy's char-rnn, 50 epochs",
    settings: {
      ...base,
      cell: 'lstm',
      layers: 2,
      hidden: 128,
      embedding: 0,
      dropout: 0,
      batchSize: 50,
      sequenceLength: 50,
      epochs: 50,
      minutes: 0,
      optimizer: 'rmsprop',
      learningRate: 2e-3,
      schedule: 'step',
      warmup: 0,
      clipNorm: 5,
      weightDecay: 0,
      evalEvery: 500,
      checkpointEvery: 500,
    },
  },
};
