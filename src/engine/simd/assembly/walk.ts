/**
 * The walker: replays a list of commands. A command is [opcode, words, arguments...] in 32-bit words; an
 * argument is a byte address, an integer or the bits of a float. `../lower.ts` writes them, in the order in
 * which they are read here.
 */
import { gruBackward, gruForward, lstmBackward, lstmForward, rnnBackward, rnnForward } from './cells';
import { fill, norm, scaleRows, storeRow, sum, sumRows } from './data';
import { dropout } from './dropout';
import { fewRows, fewRowsTransposed } from './few-rows';
import { gatherColumns, gatherRows, scatterColumns, scatterRows } from './gather';
import { crossEntropy, squaredError } from './loss';
import { matmul } from './matmul';
import * as op from './opcodes';
import { adam, rmsprop, sgd } from './optimizer';
import { packPanels, packPanelsTransposed, transpose } from './pack';

/** Where the next argument lies. */
let cursor: usize = 0;

function address(): usize {
  cursor += 4;
  return load<usize>(cursor - 4);
}

function integer(): i32 {
  cursor += 4;
  return load<i32>(cursor - 4);
}

function float(): f32 {
  cursor += 4;
  return load<f32>(cursor - 4);
}

function flag(): bool {
  return integer() !== 0;
}

/**
 * Executes the commands in [start, end).
 * @param block room for a packed block of A (BLOCK_BYTES)
 */
export function walk(start: usize, end: usize, block: usize): void {
  let command = start;
  while (command !== end) {
    const opcode = load<i32>(command);
    cursor = command + 8;
    command += (load<u32>(command, 4) as usize) << 2;
    execute(opcode, block);
  }
}

function execute(opcode: i32, block: usize): void {
  switch (opcode) {
    case op.FILL:
      fill(address(), integer(), float());
      break;
    case op.COPY:
      memory.copy(address(), address(), address());
      break;
    case op.SCALE_ROWS:
      scaleRows(address(), address(), address(), integer(), integer());
      break;
    case op.STORE_ROW:
      storeRow(address(), address(), address(), integer(), integer());
      break;
    case op.TRANSPOSE:
      transpose(address(), address(), integer(), integer());
      break;
    case op.PACK:
      packPanels(address(), address(), integer(), integer());
      break;
    case op.PACK_TRANSPOSED:
      packPanelsTransposed(address(), address(), integer(), integer());
      break;
    case op.MATMUL:
      product(false, block);
      break;
    case op.MATMUL_TRANSPOSED:
      product(true, block);
      break;
    case op.FEW_ROWS:
      fewRows(address(), address(), address(), address(), flag(), integer(), integer(), integer());
      break;
    case op.FEW_ROWS_TRANSPOSED:
      fewRowsTransposed(address(), address(), address(), address(), flag(), integer(), integer(), integer());
      break;
    case op.SUM_ROWS:
      sumRows(address(), address(), integer(), integer());
      break;
    case op.SUM:
      sum(address(), address(), integer(), float());
      break;
    case op.NORM:
      norm(address(), address(), integer());
      break;
    case op.GATHER_ROWS:
      gatherRows(address(), address(), address(), address(), integer(), integer(), integer());
      break;
    case op.GATHER_COLUMNS:
      gatherColumns(address(), address(), address(), address(), integer(), integer(), integer());
      break;
    case op.SCATTER_ROWS:
      scatterRows(address(), address(), address(), integer(), integer(), integer());
      break;
    case op.SCATTER_COLUMNS:
      scatterColumns(address(), address(), address(), integer(), integer(), integer());
      break;
    case op.RNN_FORWARD:
      rnnForward(address(), address(), integer(), flag());
      break;
    case op.RNN_BACKWARD:
      rnnBackward(address(), address(), address(), integer(), flag());
      break;
    case op.LSTM_FORWARD:
      lstmForward(address(), address(), address(), address(), integer(), integer());
      break;
    case op.LSTM_BACKWARD:
      lstmBackward(address(), address(), address(), address(), address(), address(), integer(), integer());
      break;
    case op.GRU_FORWARD:
      gruForward(address(), address(), address(), address(), integer(), integer());
      break;
    case op.GRU_BACKWARD:
      gruBackward(
        address(),
        address(),
        address(),
        address(),
        address(),
        address(),
        address(),
        integer(),
        integer(),
      );
      break;
    case op.DROPOUT:
      dropout(address(), address(), address(), integer(), integer(), float(), integer(), integer());
      break;
    case op.CROSS_ENTROPY:
      crossEntropy(address(), address(), address(), address(), float(), integer(), integer());
      break;
    case op.SQUARED_ERROR:
      squaredError(address(), address(), address(), address(), float(), integer(), integer(), address());
      break;
    case op.ADAM:
      adam(
        address(),
        address(),
        address(),
        address(),
        address(),
        address(),
        integer(),
        float(),
        float(),
        float(),
        float(),
        float(),
        float(),
        float(),
        flag(),
      );
      break;
    case op.RMSPROP:
      rmsprop(
        address(),
        address(),
        address(),
        address(),
        address(),
        integer(),
        float(),
        float(),
        float(),
        float(),
        float(),
      );
      break;
    case op.SGD:
      sgd(address(), address(), address(), address(), address(), integer(), float(), float(), float());
      break;
    default:
      unreachable();
  }
}

/** The arguments of a matrix product. A range of rows is a product of its own: that is how threads share one. */
function product(transposed: bool, block: usize): void {
  const out = address();
  const a = address();
  const panels = address();
  const bias = address();
  const accumulate = flag();
  const rows = integer();
  const columns = integer();
  const depth = integer();
  const stride = ((transposed ? rows : depth) as usize) << 2;
  matmul(out, a, stride, transposed, panels, bias, accumulate, rows, columns, depth, block);
}
