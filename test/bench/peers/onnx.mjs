/**
 * An LSTM language model with random weights as an ONNX file, in bytes: the few messages of ONNX's protocol buffers that
 * it takes (field numbers from onnx.proto). ONNX's own writer is a Python package; the race needs none of it.
 */

/** Of the operators: the version in which Squeeze takes its axes as an input. */
const OPSET = 14;
const IR_VERSION = 8;
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_INT = 2;

/**
 * Inputs: `inputs` [T, 1, V] one-hot, and for each layer l the states `h<l>`, `c<l>` [1, 1, H]. Outputs: `outputs`
 * [T, 1, V], and `next.h<l>`, `next.c<l>`.
 *
 * @param {{ layers: number, hidden: number, vocabulary: number }} workload
 * @param {'Softmax' | 'LogSoftmax'} activation of the outputs
 * @returns {Uint8Array}
 */
export function lstmModel({ layers, hidden: H, vocabulary: V }, activation) {
  const nodes = [];
  const initializers = [integers('direction axis', [1])];
  const inputs = [value('inputs', ['T', 1, V])];
  const outputs = [value('outputs', ['T', 1, V])];
  let below = 'inputs';
  for (let l = 0; l < layers; l++) {
    const width = l === 0 ? V : H;
    initializers.push(
      randoms(`W${l}`, [1, 4 * H, width], H),
      randoms(`R${l}`, [1, 4 * H, H], H),
      randoms(`B${l}`, [1, 8 * H], H),
    );
    // The fifth input, the lengths of the sequences, is left out.
    const operands = [below, `W${l}`, `R${l}`, `B${l}`, '', `h${l}`, `c${l}`];
    nodes.push(
      node('LSTM', operands, [`Y${l}`, `next.h${l}`, `next.c${l}`], { hidden_size: H }),
      node('Squeeze', [`Y${l}`, 'direction axis'], [`hidden${l}`]),
    );
    for (const state of [`h${l}`, `c${l}`]) {
      inputs.push(value(state, [1, 1, H]));
      outputs.push(value(`next.${state}`, [1, 1, H]));
    }
    below = `hidden${l}`;
  }
  initializers.push(randoms('head', [H, V], H), randoms('head bias', [V], H));
  nodes.push(
    node('MatMul', [below, 'head'], ['products']),
    node('Add', ['products', 'head bias'], ['logits']),
    node(activation, ['logits'], ['outputs']),
  );
  const graph = message(
    ...nodes.map((each) => bytes(1, each)),
    text(2, 'LSTM language model'),
    ...initializers.map((each) => bytes(5, each)),
    ...inputs.map((each) => bytes(11, each)),
    ...outputs.map((each) => bytes(12, each)),
  );
  return message(integer(1, IR_VERSION), bytes(7, graph), bytes(8, message(text(1, ''), integer(2, OPSET))));
}

function node(operator, inputs, outputs, settings = {}) {
  const attributes = Object.entries(settings).map(([name, number]) =>
    bytes(5, message(text(1, name), integer(3, number), integer(20, ATTRIBUTE_INT))),
  );
  return message(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...attributes,
  );
}

/** Uniform in ±1/√H, as PyTorch draws them. */
function randoms(name, shape, H) {
  const length = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length }, () => (2 * Math.random() - 1) / Math.sqrt(H));
  return tensor(name, shape, FLOAT, values);
}

function integers(name, values) {
  return tensor(name, [values.length], INT64, BigInt64Array.from(values, BigInt));
}

function tensor(name, shape, type, values) {
  const raw = new Uint8Array(values.buffer);
  return message(...shape.map((size) => integer(1, size)), integer(2, type), text(8, name), bytes(9, raw));
}

/** An input or output; a size that is a name is only known when the model runs. */
function value(name, shape) {
  const sizes = shape.map((size) =>
    bytes(1, typeof size === 'number' ? message(integer(1, size)) : message(text(2, size))),
  );
  const type = message(integer(1, FLOAT), bytes(2, message(...sizes)));
  return message(text(1, name), bytes(2, message(bytes(1, type))));
}

// ---- protocol buffers: a message is its fields, one after the other ----

function message(...fields) {
  return Buffer.concat(fields);
}

function integer(field, number) {
  return Buffer.concat([variable(field << 3), variable(number)]);
}

function bytes(field, content) {
  return Buffer.concat([variable((field << 3) | 2), variable(content.length), content]);
}

function text(field, content) {
  return bytes(field, Buffer.from(content));
}

/** An integer in groups of seven bits, the lowest first, all but the last marked. */
function variable(number) {
  const groups = [];
  let rest = number;
  for (; rest > 127; rest = Math.floor(rest / 128)) groups.push((rest % 128) | 128);
  return Buffer.from([...groups, rest]);
}
