/**
 * jax-js on its WebAssembly backend: forward and backward pass of training, compiled as one function. What it is spared:
 * the update, clipping, and carrying the state. Usage: jax.mjs PEERS WORKLOAD
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve } from './serve.mjs';

const [peers, json] = process.argv.slice(2);
const { cell, layers, hidden: H, vocabulary: V, batchSize: B, sequenceLength: T } = JSON.parse(json);
// It asks for the number of cores where Node 20 has no `navigator`.
globalThis.navigator ??= { hardwareConcurrency: 1 };
const entry = createRequire(path.join(peers, 'index.js'))
  .resolve('@jax-js/jax')
  .replace(/\.cjs$/, '.js');
const jax = await import(pathToFileURL(entry).href);
const { numpy: np, nn } = jax;
await jax.init('wasm');
jax.defaultDevice('wasm');

/** One step from the gates [B, gates·H]; every use of an array but its last one takes a reference (`.ref`). */
const CELLS = {
  lstm: {
    gates: 4,
    states: 2,
    step(input, recurrent, [, c]) {
      const [i, f, g, o] = np.split(input.add(recurrent), 4, 1);
      const next = nn
        .sigmoid(f)
        .mul(c)
        .add(nn.sigmoid(i).mul(np.tanh(g)));
      return [nn.sigmoid(o).mul(np.tanh(next.ref)), next];
    },
  },
  gru: {
    gates: 3,
    states: 1,
    step(input, recurrent, [h]) {
      const [inputR, inputZ, inputN] = np.split(input, 3, 1);
      const [hiddenR, hiddenZ, hiddenN] = np.split(recurrent, 3, 1);
      const z = nn.sigmoid(inputZ.add(hiddenZ));
      const n = np.tanh(inputN.add(nn.sigmoid(inputR.add(hiddenR)).mul(hiddenN)));
      return [n.ref.add(z.mul(h.sub(n)))];
    },
  },
  rnn: {
    gates: 1,
    states: 1,
    step(input, recurrent, [h]) {
      h.dispose();
      return [np.tanh(input.add(recurrent))];
    },
  },
};
const { gates, states, step } = CELLS[cell];

const array = (values, shape) => np.array(Float32Array.from(values)).reshape(shape);
const random = (rows, columns) =>
  array(
    Array.from({ length: rows * columns }, () => (2 * Math.random() - 1) / Math.sqrt(H)),
    [rows, columns],
  );
const parameters = [
  ...Array.from({ length: layers }, (_, l) => [random(l > 0 ? H : V, gates * H), random(H, gates * H)]),
  [random(H, V)],
].flat();

/** parameters: input and recurrent matrix of each layer, then the output layer's; inputs and targets [T·B, V]. */
function loss(parameters, inputs, targets) {
  let sequence = np.split(inputs, T, 0);
  for (let l = 0; l < layers; l++) {
    const [input, recurrent] = parameters.slice(2 * l);
    let state = Array.from({ length: states }, () => np.zeros([B, H]));
    sequence = sequence.map((below) => {
      const ofHidden = np.matmul(state[0].ref, recurrent.ref);
      if (states === 2) state[0].dispose();
      state = step(np.matmul(below, input.ref), ofHidden, state);
      return state[0].ref;
    });
    for (const last of [...state, input, recurrent]) last.dispose();
  }
  const logits = np.matmul(np.concatenate(sequence, 0), parameters[2 * layers]);
  return nn
    .logSoftmax(logits, -1)
    .mul(targets)
    .sum()
    .mul(-1 / (T * B));
}

const gradient = jax.jit(jax.valueAndGrad(loss));

function oneHot() {
  const values = new Float32Array(T * B * V);
  for (let i = 0; i < T * B; i++) values[i * V + Math.floor(Math.random() * V)] = 1;
  return array(values, [T * B, V]);
}

async function unit() {
  const [value, gradients] = gradient(
    parameters.map((parameter) => parameter.ref),
    oneHot(),
    oneHot(),
  );
  await jax.blockUntilReady(gradients);
  for (const each of gradients) each.dispose();
  const [loss] = await value.data();
  if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
  return T * B;
}

await serve(unit, 'forward and backward pass only');
