/**
 * brain.js' recurrent networks: batch 1, each text from the zero state, its own RMSprop. Usage: brain.mjs PEERS WORKLOAD
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { serve } from './serve.mjs';

/** Texts per call of `train`: it looks at the clock nowhere. */
const TEXTS = 2;

const [peers, json] = process.argv.slice(2);
const workload = JSON.parse(json);
const brain = createRequire(path.join(peers, 'index.js'))('brain.js');
const Network = { lstm: brain.recurrent.LSTM, gru: brain.recurrent.GRU, rnn: brain.recurrent.RNN }[
  workload.cell
];
const alphabet = Array.from({ length: workload.vocabulary }, (_, i) => String.fromCharCode(0x100 + i));
const text = (length) =>
  Array.from({ length }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join('');
const network = new Network({
  hiddenLayers: new Array(workload.layers).fill(workload.hidden),
  dataFormatter: new brain.utilities.DataFormatter(alphabet),
  maxPredictionLength: workload.characters ?? 0,
});
const options = { iterations: 1, errorThresh: Number.MIN_VALUE };

function trainingUnit({ sequenceLength: T }) {
  const texts = Array.from({ length: TEXTS }, () => text(T));
  return () => {
    network.train(texts, options);
    return TEXTS * T;
  };
}

/** A text ends where the network draws its end symbol; so many characters are counted as were drawn. */
function samplingUnit() {
  network.train([text(2)], options);
  return () => network.run('', true).length + 1;
}

const units = { training: trainingUnit, sampling: samplingUnit };
const form = workload.kind === 'training' ? 'batch 1, RMSprop, zero state' : '';
await serve(units[workload.kind](workload), form);
