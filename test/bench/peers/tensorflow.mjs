/**
 * TensorFlow.js on its WebAssembly backend: the cells by hand on its core operations, several times faster there than
 * its layers. Usage: tensorflow.mjs PEERS WORKLOAD
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { serve } from './serve.mjs';

const [peers, json] = process.argv.slice(2);
const workload = JSON.parse(json);
const { cell, layers, hidden: H, vocabulary: V } = workload;
const require = createRequire(path.join(peers, 'index.js'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
wasm.setWasmPaths(path.join(peers, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'));
await tf.setBackend('wasm');
await tf.ready();

/** Matrix product whose gradient transposes first: the backend's own transposed products are much slower. */
const product = tf.customGrad((a, b, save) => {
  save([a, b]);
  return {
    value: tf.matMul(a, b),
    gradFunc: (gradient, [a, b]) => [
      tf.matMul(gradient, tf.transpose(b)),
      tf.matMul(tf.transpose(a), gradient),
    ],
  };
});

/**
 * Each cell: its gates, its states, and one step from the gates' parts of the input and of h (both [B, gates·H]).
 * GRU as in PyTorch: the reset gate multiplies what the recurrent matrix has made of h.
 */
const CELLS = {
  lstm: {
    gates: 4,
    states: 2,
    step(input, recurrent, [, c]) {
      const [i, f, g, o] = tf.split(input.add(recurrent), 4, 1);
      const next = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
      return [o.sigmoid().mul(next.tanh()), next];
    },
  },
  gru: {
    gates: 3,
    states: 1,
    step(input, recurrent, [h]) {
      const [inputR, inputZ, inputN] = tf.split(input, 3, 1);
      const [hiddenR, hiddenZ, hiddenN] = tf.split(recurrent, 3, 1);
      const z = inputZ.add(hiddenZ).sigmoid();
      const n = inputN.add(inputR.add(hiddenR).sigmoid().mul(hiddenN)).tanh();
      return [n.add(z.mul(h.sub(n)))];
    },
  },
  rnn: { gates: 1, states: 1, step: (input, recurrent) => [input.add(recurrent).tanh()] },
};
const { gates, states, step } = CELLS[cell];

const random = (...shape) => tf.variable(tf.randomUniform(shape, -1 / Math.sqrt(H), 1 / Math.sqrt(H)));
const network = Array.from({ length: layers }, (_, l) => ({
  input: random(l > 0 ? H : V, gates * H),
  inputBias: random(gates * H),
  recurrent: random(H, gates * H),
  // Where both biases are added, one of them can be left out.
  recurrentBias: cell === 'gru' ? random(gates * H) : undefined,
}));
const head = { weight: random(H, V), bias: random(V) };
const parameters = [...network.flatMap((layer) => Object.values(layer)), head.weight, head.bias].filter(
  Boolean,
);

const oneHot = (ids) => tf.oneHot(ids, V).toFloat();
const zeroStates = (B) => network.map(() => Array.from({ length: states }, () => tf.keep(tf.zeros([B, H]))));

/** inputs [T·B, V] one-hot → logits [T·B, V]; the states are carried from `before` to `after`, a list that is filled. */
function forward(inputs, T, before, after) {
  let sequence = inputs;
  network.forEach(({ input, inputBias, recurrent, recurrentBias }, l) => {
    const all = product(sequence, input).add(inputBias);
    const projected = T > 1 ? tf.split(all, T, 0) : [all];
    let state = before[l];
    const outputs = projected.map((gatesOfInput) => {
      const gatesOfHidden = product(state[0], recurrent);
      state = step(gatesOfInput, recurrentBias ? gatesOfHidden.add(recurrentBias) : gatesOfHidden, state);
      return state[0];
    });
    after.push(state.map((part) => tf.keep(part)));
    sequence = T > 1 ? tf.concat(outputs, 0) : outputs[0];
  });
  return product(sequence, head.weight).add(head.bias);
}

/** Waits for the loss, which has to be a number. */
function check(loss) {
  const [value] = loss.dataSync();
  loss.dispose();
  if (!Number.isFinite(value)) throw new Error(`the loss is ${value}`);
}

function trainingUnit({ batchSize: B, sequenceLength: T }) {
  const optimizer = tf.train.adam(2e-3);
  let before = zeroStates(B);
  return () => {
    const after = [];
    const loss = tf.tidy(() => {
      const [inputs, targets] = [0, 1].map(() => oneHot(tf.randomUniform([T * B], 0, V, 'int32')));
      const { value, grads } = tf.variableGrads(
        () => tf.losses.softmaxCrossEntropy(targets, forward(inputs, T, before, after)),
        parameters,
      );
      const norm = tf.addN(Object.values(grads).map((gradient) => gradient.square().sum())).sqrt();
      const scale = tf.minimum(1, tf.div(5, norm));
      for (const name of Object.keys(grads)) grads[name] = grads[name].mul(scale);
      optimizer.applyGradients(grads);
      return value;
    });
    check(loss);
    tf.dispose(before);
    before = after;
    return B * T;
  };
}

function samplingUnit({ characters }) {
  return () => {
    let states = zeroStates(1);
    let symbol = 0;
    for (let n = 0; n < characters; n++) {
      const after = [];
      const probabilities = tf.tidy(() =>
        forward(oneHot(tf.tensor1d([symbol], 'int32')), 1, states, after).softmax(),
      );
      tf.dispose(states);
      states = after;
      symbol = draw(probabilities.dataSync());
      probabilities.dispose();
    }
    tf.dispose(states);
    return characters;
  };
}

/** Drawn here: a kernel for one number costs more. */
function draw(probabilities) {
  let rest = Math.random();
  return Math.max(
    0,
    probabilities.findIndex((p) => {
      rest -= p;
      return rest < 0;
    }),
  );
}

/** A piece of the text at a time; the states are carried on. */
function evaluationUnit({ characters }) {
  const piece = 500;
  const text = Int32Array.from({ length: characters + 1 }, () => Math.floor(Math.random() * V));
  let states = zeroStates(1);
  let position = 0;
  return () => {
    const end = Math.min(position + piece, characters);
    const after = [];
    const loss = tf.tidy(() => {
      const [inputs, targets] = [0, 1].map((ahead) =>
        oneHot(tf.tensor1d(text.subarray(position + ahead, end + ahead), 'int32')),
      );
      return tf.losses.softmaxCrossEntropy(targets, forward(inputs, end - position, states, after));
    });
    check(loss);
    tf.dispose(states);
    const done = end - position;
    if (end < characters) {
      states = after;
      position = end;
    } else {
      tf.dispose(after);
      states = zeroStates(1);
      position = 0;
    }
    return done;
  };
}

const units = { training: trainingUnit, sampling: samplingUnit, evaluation: evaluationUnit };
await serve(units[workload.kind](workload), 'cells by hand on core operations');
