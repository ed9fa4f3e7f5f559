/**
 * The engine contract: record once, replay.
 *
 * The shapes of a run are fixed, so the model does not call kernels. It records a `Program`: an ordered list
 * of the operations below over declared tensors. An engine prepares the program once (plans its memory,
 * builds its command list) and replays it for every step. The mathematics stands once, in `src/model`;
 * engines know arrays, not networks.
 *
 * Letters: B batch (parallel streams), T time steps, H hidden size, E embedding width, V vocabulary size,
 * R rows (usually T·B, time-major: row t·B + b).
 *
 * Ordering: the operations of a program take effect in list order, programs and writes in call order.
 * Lifetime: `parameter`, `state` and `input` tensors keep their values between replays and start as zeros;
 * a `temporary` holds garbage at the start of every replay, and its program must write it before reading it.
 */

export type ElementType = 'f32' | 'i32';

export type TensorKind =
  | 'parameter' // trained weights; lives for the run
  | 'state' // hidden state, optimizer moments, histories: survives from replay to replay
  | 'input' // filled by `Engine.write` before a replay: token ids, targets, rates, seeds
  | 'temporary'; // lives inside one replay; engines may let temporaries share memory

/** Declared storage of `length` elements. Its identity is the object: programs that name it share it. */
export interface Tensor {
  readonly name: string;
  readonly kind: TensorKind;
  readonly type: ElementType;
  readonly length: number;
}

/** A row-major matrix [rows, columns] that lies contiguously in `tensor`, from element `offset` on. */
export class Matrix {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;

  /** @throws RangeError if the matrix does not fit into the tensor */
  constructor(tensor: Tensor, offset: number, rows: number, columns: number) {
    if (offset < 0 || rows < 1 || columns < 1 || offset + rows * columns > tensor.length) {
      throw new RangeError(
        `matrix [${rows}, ${columns}] at ${offset} does not fit into ${tensor.name} (${tensor.length} elements)`,
      );
    }
    this.tensor = tensor;
    this.offset = offset;
    this.rows = rows;
    this.columns = columns;
  }

  get length(): number {
    return this.rows * this.columns;
  }

  /** Whether some element is in both. */
  overlaps(other: Matrix): boolean {
    const { offset, length } = other;
    return (
      this.tensor === other.tensor && this.offset < offset + length && offset < this.offset + this.length
    );
  }

  /** Whether both are the same elements in the same shape. */
  equals({ tensor, offset, rows, columns }: Matrix): boolean {
    return this.tensor === tensor && this.offset === offset && this.rows === rows && this.columns === columns;
  }

  /** `count` whole rows from `first` on. Of a sequence [T·B, W], step t is `slice(t * B, B)`. */
  slice(first: number, count: number): Matrix {
    return new Matrix(this.tensor, this.offset + first * this.columns, count, this.columns);
  }
}

/** Declares a tensor that is one matrix [rows, columns]. */
export function declare(
  name: string,
  kind: TensorKind,
  rows: number,
  columns: number,
  type: ElementType = 'f32',
): Matrix {
  return new Matrix({ name, kind, type, length: rows * columns }, 0, rows, columns);
}

/**
 * The catalogue of operations. "May alias" lists the only cases in which an output may be the very same
 * matrix as an input; otherwise outputs and inputs never overlap. σ is the logistic function, ⊙ the
 * elementwise product.
 */
export interface Operations {
  // ---- moving data ----

  /** out = value */
  fill: { out: Matrix; value: number };
  /** out = input */
  copy: { out: Matrix; input: Matrix };
  /** out[r, :] = input[r, :] · scale[r, 0]. A scale of 0 gives 0 whatever the input. May alias: out = input. */
  scaleRows: { out: Matrix; input: Matrix; scale: Matrix };
  /** out[row[0, 0], :] = input[0, :]; `row` [1, 1] is i32. Lets the host read many steps at once. */
  storeRow: { out: Matrix; row: Matrix; input: Matrix };

  // ---- products and sums ----

  /**
   * out = A·B + bias (+ out if `accumulate`), with A = a or aᵀ [M, K], B = b or bᵀ [K, N], bias [1, N].
   * Not both transposed.
   */
  matmul: {
    out: Matrix;
    a: Matrix;
    b: Matrix;
    transposeA?: boolean;
    transposeB?: boolean;
    accumulate?: boolean;
    bias?: Matrix;
  };
  /** out[0, c] = Σ_r input[r, c] */
  sumRows: { out: Matrix; input: Matrix };
  /** out[0, 0] = scale · Σ input */
  sum: { out: Matrix; input: Matrix; scale: number };
  /** out[0, 0] = ‖input‖₂ */
  norm: { out: Matrix; input: Matrix };

  // ---- token ids to vectors ----

  /**
   * out[r, :] = table[ids[r], :] (+ bias): the embedding. With `transpose`, out[r, :] = table[:, ids[r]]ᵀ
   * (+ bias): the product of a one-hot row with tableᵀ. `ids` [R, 1] is i32, every id in range.
   */
  gather: { out: Matrix; table: Matrix; ids: Matrix; transpose?: boolean; bias?: Matrix };
  /** out (shaped as the table) = Σ_r of gradient[r, :] added to row (`transpose`: column) ids[r]; 0 elsewhere. */
  gatherGradient: { out: Matrix; ids: Matrix; gradient: Matrix; transpose?: boolean };

  // ---- cells: one time step, all B rows; a "gates" matrix holds its gates side by side ----

  /** hidden = f(preactivation), f = tanh or ReLU. [B, H] each. */
  rnnForward: { hidden: Matrix; preactivation: Matrix; activation: 'tanh' | 'relu' };
  /** preactivationGradient = hiddenGradient ⊙ f′, with f′ from the output `hidden`. */
  rnnBackward: {
    preactivationGradient: Matrix;
    hidden: Matrix;
    hiddenGradient: Matrix;
    activation: 'tanh' | 'relu';
  };
  /**
   * LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000). gates [B, 4H] = i, f, g, o: enters as
   * preactivations, leaves as σ, σ, tanh, σ of them. cell = f ⊙ previousCell + i ⊙ g;
   * hidden = o ⊙ tanh(cell). [B, H] each.
   */
  lstmForward: { gates: Matrix; previousCell: Matrix; cell: Matrix; hidden: Matrix };
  /**
   * From hiddenGradient = ∂L/∂h_t and cellGradient = the part of ∂L/∂c_t that comes from step t + 1:
   * gatesGradient [B, 4H] with respect to the preactivations; cellGradient leaves as the part of ∂L/∂c_{t-1}
   * that comes from step t. `gates` are the activated ones. May alias: gatesGradient = gates.
   */
  lstmBackward: {
    gates: Matrix;
    previousCell: Matrix;
    cell: Matrix;
    hiddenGradient: Matrix;
    cellGradient: Matrix;
    gatesGradient: Matrix;
  };
  /**
   * GRU (Cho et al. 2014) in the reset-after form of PyTorch and cuDNN. inputGates [B, 3H] = W_ih x + b_ih and
   * hiddenGates [B, 3H] = W_hh h_{t-1} + b_hh, both r, z, n. inputGates leaves as r = σ(·), z = σ(·) and
   * n = tanh(inputₙ + r ⊙ hiddenₙ); hidden = (1 − z) ⊙ n + z ⊙ previousHidden. hiddenGates is kept as it is.
   */
  gruForward: { inputGates: Matrix; hiddenGates: Matrix; previousHidden: Matrix; hidden: Matrix };
  /**
   * From hiddenGradient = ∂L/∂h_t and what gruForward left: the gradients with respect to the two
   * preactivations, and previousHiddenGradient += hiddenGradient ⊙ z (the direct path only; the path through
   * W_hh is a matmul). May alias: inputGatesGradient = inputGates, hiddenGatesGradient = hiddenGates.
   */
  gruBackward: {
    inputGates: Matrix;
    hiddenGates: Matrix;
    previousHidden: Matrix;
    hiddenGradient: Matrix;
    previousHiddenGradient: Matrix;
    inputGatesGradient: Matrix;
    hiddenGatesGradient: Matrix;
  };

  // ---- regularisation ----

  /**
   * out = input ⊙ mask / (1 − rate), the mask a pure function of (seed, stream, row, column): see
   * `dropoutKeeps`. The same operation on a gradient is its backward. `seed` [1, 1] is i32 in [0, 2²⁴).
   * May alias: out = input.
   */
  dropout: { out: Matrix; input: Matrix; seed: Matrix; stream: number; rate: number };

  // ---- losses: per row, and the gradient with respect to the logits times `scale` ----

  /**
   * p = softmax(logits[r, :]); losses[r] = −ln p[target]; gradient[r, :] = scale · (p − onehot(target)).
   * A target below 0 means "no target": loss and gradient 0. `targets` [R, 1] is i32. Without `gradient` only
   * the losses are computed. May alias: gradient = logits.
   */
  softmaxCrossEntropy: LossOperands;
  /** As above with the loss Σ_v (p_v − onehot(target)_v)² (Brier 1950). May alias: gradient = logits. */
  softmaxSquaredError: LossOperands;

  // ---- optimizers: g = gradient · min(1, clipNorm / (norm + 1e-6)) (clipNorm 0: no clipping) ----
  //
  // `rates` [1, 3] is an input: learning rate, 1 − β1ᵗ, 1 − β2ᵗ. All other matrices have the same length. If
  // `norm` is not finite the operation changes nothing: a diverged step never reaches the weights.

  /** Adam (Kingma & Ba 2015). Weight decay is added to g, or, if `decoupled`, it is AdamW (Loshchilov & Hutter 2019). */
  adam: OptimizerOperands & {
    firstMoment: Matrix;
    secondMoment: Matrix;
    beta1: number;
    beta2: number;
    epsilon: number;
    decoupled: boolean;
  };
  /** RMSprop (Tieleman & Hinton 2012): v = αv + (1 − α)g²; θ −= η·g / (√v + ε). */
  rmsprop: OptimizerOperands & { secondMoment: Matrix; alpha: number; epsilon: number };
  /** Momentum: u = μu + g; θ −= η·u. */
  sgd: OptimizerOperands & { velocity: Matrix; momentum: number };
}

export interface LossOperands {
  losses: Matrix;
  logits: Matrix;
  targets: Matrix;
  gradient?: Matrix;
  scale: number;
}

export interface OptimizerOperands {
  parameters: Matrix;
  gradient: Matrix;
  norm: Matrix;
  clipNorm: number;
  rates: Matrix;
  weightDecay: number;
}

export type OperationName = keyof Operations;

/** One recorded operation: its name and its operands. */
export type Operation = { [K in OperationName]: { readonly op: K } & Readonly<Operations[K]> }[OperationName];

/** The operands that each operation writes; every other matrix is only read. */
export const WRITES: { readonly [K in OperationName]: readonly (keyof Operations[K])[] } = {
  fill: ['out'],
  copy: ['out'],
  scaleRows: ['out'],
  storeRow: ['out'],
  matmul: ['out'],
  sumRows: ['out'],
  sum: ['out'],
  norm: ['out'],
  gather: ['out'],
  gatherGradient: ['out'],
  rnnForward: ['hidden'],
  rnnBackward: ['preactivationGradient'],
  lstmForward: ['gates', 'cell', 'hidden'],
  lstmBackward: ['cellGradient', 'gatesGradient'],
  gruForward: ['inputGates', 'hidden'],
  gruBackward: ['previousHiddenGradient', 'inputGatesGradient', 'hiddenGatesGradient'],
  dropout: ['out'],
  softmaxCrossEntropy: ['losses', 'gradient'],
  softmaxSquaredError: ['losses', 'gradient'],
  adam: ['parameters', 'firstMoment', 'secondMoment'],
  rmsprop: ['parameters', 'secondMoment'],
  sgd: ['parameters', 'velocity'],
};

/** Pairs that may be the very same matrix (the catalogue's "may alias"). */
const ALIASES: { readonly [K in OperationName]?: readonly (readonly [string, string])[] } = {
  scaleRows: [['out', 'input']],
  lstmBackward: [['gatesGradient', 'gates']],
  gruBackward: [
    ['inputGatesGradient', 'inputGates'],
    ['hiddenGatesGradient', 'hiddenGates'],
  ],
  dropout: [['out', 'input']],
  softmaxCrossEntropy: [['gradient', 'logits']],
  softmaxSquaredError: [['gradient', 'logits']],
};

/** Whether two operands of an operation may be the very same matrix. */
export function mayAlias(op: OperationName, one: string, other: string): boolean {
  return ALIASES[op]?.some((pair) => pair.includes(one) && pair.includes(other)) ?? false;
}

/** Every matrix operand of an operation, with its field name and whether the operation writes it. */
export function operands(operation: Operation): { name: string; matrix: Matrix; written: boolean }[] {
  const writes: readonly string[] = WRITES[operation.op];
  return Object.entries(operation).flatMap(([name, value]) =>
    value instanceof Matrix ? [{ name, matrix: value, written: writes.includes(name) }] : [],
  );
}

/** A recorded program: data, not code. `src/engine/recorder.ts` makes them. */
export interface Program {
  readonly name: string;
  readonly operations: readonly Operation[];
}

/** A program made ready by an engine. */
export interface Executable {
  /** Kernel launches (for engines without a device: commands or operations) of one replay. */
  readonly dispatches: number;
  /**
   * Replays the program once. Resolves when the engine is ready for more work: a later `read` sees the
   * results, but they need not be finished when the promise resolves.
   */
  run(): Promise<void>;
}

/** How inference keeps the matrices among the weights. */
export const WEIGHT_TYPES = ['f32', 'bf16'] as const;
export type WeightType = (typeof WEIGHT_TYPES)[number];

/** What an engine is and runs on, for people. */
export interface EngineDescription {
  /** As `--device` takes it, e.g. `simd`. */
  readonly name: string;
  /** One line, e.g. "WebAssembly SIMD, 1 thread". */
  readonly detail: string;
  /** The GPU, or what stands for one, of engines that run on such. */
  readonly adapter?: AdapterDescription;
}

/** A GPU, or a program that computes in its stead, as its driver describes it. */
export interface AdapterDescription {
  /** E.g. "llvmpipe". */
  readonly name: string;
  /** The driver and its version. */
  readonly driver: string;
  /** How it is spoken to: Vulkan, Metal or D3D12. */
  readonly backend: string;
  /** Whether it is a GPU, and no program on the processor. */
  readonly hardware: boolean;
  /** Bytes that one buffer can have. */
  readonly maxBufferBytes: number;
  /** Bytes that a kernel can see of one buffer. */
  readonly maxBindingBytes: number;
}

/** A device with its memory. Tensors come into being, as zeros, when a program or a call first names them. */
export interface Engine {
  readonly description: EngineDescription;
  /** How many operations that do not depend on each other it can work on at once, if each is too small to be shared. */
  readonly concurrency: number;
  prepare(program: Program): Executable;
  /** Copies `values` (exactly `target.length` of them) into a tensor that is not temporary. */
  write(target: Matrix, values: ArrayLike<number>): void;
  /** A copy of a f32 matrix that is not temporary, after everything submitted before. The only awaited result. */
  read(source: Matrix): Promise<Float32Array | Float64Array>;
  /** Bytes of tensor memory the engine holds now. */
  memoryBytes(): number;
  close(): Promise<void>;
}

/** Rounds of the dropout mask: odd 12-bit multipliers. */
export const DROPOUT_MULTIPLIERS = [2909, 2531, 3371, 2253, 2775, 3867] as const;

/**
 * The dropout mask: does element (row, column) survive? A Feistel network on two 12-bit halves, so that no
 * intermediate passes 2²⁴: engines that compute in 32-bit floats only (gpu.js kernels) get the same bits as
 * those with integers. Its round function squares, because sums and multiples alone leave the masks of
 * neighbours correlated. Stateless, so that the backward pass recomputes what the forward pass drew.
 *
 * @param seed integer in [0, 2²⁴), new for every training step
 * @param stream which dropout of the model this is (a small integer)
 */
export function dropoutKeeps(
  seed: number,
  stream: number,
  row: number,
  column: number,
  rate: number,
): boolean {
  let left = row & 4095;
  let right = column & 4095;
  const low = (seed & 4095) + stream * 911;
  const high = (seed >>> 12) + stream * 613 + (row >>> 12) * 157 + (column >>> 12) * 1031;
  for (let round = 0; round < DROPOUT_MULTIPLIERS.length; round++) {
    const key = (round & 1) === 0 ? low : high;
    const scrambled = (right * DROPOUT_MULTIPLIERS[round]! + key) & 4095;
    const mixed = (left + ((scrambled * scrambled) >>> 6)) & 4095;
    left = right;
    right = mixed;
  }
  return left * 4096 + right >= dropoutThreshold(rate);
}

/** A 24-bit uniform number below this is dropped. */
export function dropoutThreshold(rate: number): number {
  return Math.floor(rate * 2 ** 24);
}
