/**
 * ONNX Runtime's LSTM operator, native code called from Node: the fastest of one thread and a thread for every core.
 * It does not train. Usage: onnxruntime.mjs PEERS WORKLOAD
 */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { lstmModel } from './onnx.mjs';
import { fastest, serve } from './serve.mjs';

/** Characters of a text that are evaluated at once. */
const PIECE = 1000;

const [peers, json] = process.argv.slice(2);
const workload = JSON.parse(json);
const { kind, layers, hidden: H, vocabulary: V, characters } = workload;
const { InferenceSession, Tensor } = createRequire(path.join(peers, 'index.js'))('onnxruntime-node');
const model = lstmModel(workload, kind === 'sampling' ? 'Softmax' : 'LogSoftmax');

function zeroStates() {
  const names = Array.from({ length: layers }, (_, l) => [`h${l}`, `c${l}`]).flat();
  return Object.fromEntries(
    names.map((name) => [name, new Tensor('float32', new Float32Array(H), [1, 1, H])]),
  );
}

/** Reads symbols. @returns the output for each, and the states after them */
async function read(session, symbols, states) {
  const inputs = new Float32Array(symbols.length * V);
  symbols.forEach((symbol, t) => {
    inputs[t * V + symbol] = 1;
  });
  const found = await session.run({
    ...states,
    inputs: new Tensor('float32', inputs, [symbols.length, 1, V]),
  });
  const next = Object.fromEntries(Object.keys(states).map((name) => [name, found[`next.${name}`]]));
  return { outputs: found.outputs.data, states: next };
}

/** A text from the zero state. */
async function sample(session, length) {
  let states = zeroStates();
  let symbol = 0;
  for (let n = 0; n < length; n++) {
    const step = await read(session, [symbol], states);
    states = step.states;
    let rest = Math.random();
    symbol = Math.max(
      0,
      step.outputs.findIndex((p) => {
        rest -= p;
        return rest < 0;
      }),
    );
  }
  return length;
}

const text = Int32Array.from({ length: (characters ?? 0) + 1 }, () => Math.floor(Math.random() * V));

/** A text from the zero state, a piece at a time. */
async function evaluate(session, length) {
  let states = zeroStates();
  let total = 0;
  for (let start = 0; start < length; start += PIECE) {
    const end = Math.min(start + PIECE, length);
    const step = await read(session, text.subarray(start, end), states);
    states = step.states;
    for (let t = start; t < end; t++) total -= step.outputs[(t - start) * V + text[t + 1]];
  }
  if (!Number.isFinite(total)) throw new Error(`the loss is ${total}`);
  return length;
}

const work = kind === 'sampling' ? sample : evaluate;
const forms = [];
for (const threads of new Set([1, availableParallelism()])) {
  const session = await InferenceSession.create(model, { intraOpNumThreads: threads });
  forms.push({ threads, session, unit: () => work(session, Math.min(characters, 4 * PIECE)) });
}
const { threads, session } = await fastest(forms);
for (const form of forms) if (form.session !== session) await form.session.release();
await serve(() => work(session, characters), `LSTM operator, threads: ${threads}`);
