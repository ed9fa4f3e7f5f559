/**
 * The walker: replays a list of commands. A command is [opcode, words, units, grain, home, arguments...] in 32-bit words; an
 * argument is an operand (its byte address, and how many bytes of it belong to one unit), an integer or the bits of a
 * float. `../../commands/lower.ts` writes them, in the order in which they are read here.
 */

import * as op from '../../commands/opcodes';
import { gruBackward, gruForward, lstmBackward, lstmForward, rnnBackward, rnnForward } from './cells';
import { fill, finishNorm, finishSum, scaleRows, squareBlocks, storeRow, sumBlocks, sumRows } from './data';
import { dropout } from './dropout';
import { gatherRows, scatterColumns, scatterRows } from './gather';
import { BLOCK_BYTES, TILE_COLUMNS } from './layout';
import { crossEntropy, squaredError } from './loss';
import { matmul } from './matmul';
import { adam, rmsprop, sgd } from './optimizer';
import { packPanels, packPanelsTransposed, transpose } from './pack';
import {
  awaitJob,
  barrier,
  count,
  first,
  jobEnd,
  jobStart,
  post,
  take,
  tellSpeed,
  tellsSpeed,
  thread,
} from './threads';

/** Where the next argument lies. */
let cursor: usize = 0;

/** The address of an operand, from this thread's first unit on. */
function address(): usize {
  cursor += 8;
  return load<usize>(cursor - 8) + (first as usize) * load<usize>(cursor - 4);
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
 * Executes the commands in [start, end), with the workers where there are some.
 * @param blocks room for a packed block of A (BLOCK_BYTES) of every thread
 */
export function run(start: usize, end: usize, threads: i32, blocks: usize): void {
  post(start, end, threads);
  walk(start, end, blocks);
}

/** The whole life of worker `self`: walks what thread 0 walks, until it is given an empty list. */
export function serve(self: i32, blocks: usize): void {
  let job = 0;
  while (true) {
    job = awaitJob(self, job);
    const start = jobStart();
    const end = jobEnd();
    walk(start, end, blocks);
    if (start === end) return;
  }
}

function walk(start: usize, end: usize, blocks: usize): void {
  const block = blocks + (thread as usize) * BLOCK_BYTES;
  let command = start;
  while (command !== end) {
    const opcode = load<i32>(command);
    if (opcode === op.BARRIER) barrier();
    else {
      const units = load<i32>(command, 8);
      const grain = load<i32>(command, 12);
      take(units, grain, load<i32>(command, 16));
      cursor = command + 20;
      if (count > 0) {
        const isProduct = opcode === op.MATMUL || opcode === op.MATMUL_TRANSPOSED;
        const isTimed = isProduct && tellsSpeed(units, grain);
        const begun = isTimed ? performance.now() : 0;
        execute(opcode, block);
        if (isTimed) tellSpeed(begun, units);
      }
    }
    command += (load<u32>(command, 4) as usize) << 2;
  }
  barrier();
}

function execute(opcode: i32, block: usize): void {
  switch (opcode) {
    case op.FILL:
      fill(address(), count * integer(), float());
      break;
    case op.COPY:
      memory.copy(address(), address(), ((count * integer()) as usize) << 2);
      break;
    case op.SCALE_ROWS:
      scaleRows(address(), address(), address(), count, integer());
      break;
    case op.STORE_ROW:
      storeRow(address(), address(), address(), integer(), integer());
      break;
    case op.TRANSPOSE:
      transpose(address(), address(), integer(), integer(), first, count);
      break;
    case op.PACK:
      packPanels(address(), address(), integer(), integer(), first, count);
      break;
    case op.PACK_TRANSPOSED:
      packPanelsTransposed(address(), address(), integer(), integer(), first, count);
      break;
    case op.MATMUL:
      product(false, false, block);
      break;
    case op.MATMUL_TRANSPOSED:
      product(true, false, block);
      break;
    case op.MATMUL_BY_COLUMNS:
      product(false, true, block);
      break;
    case op.SUM_ROWS:
      sumRows(address(), address(), integer(), integer(), first, count);
      break;
    case op.SUM_BLOCKS:
      sumBlocks(address(), address(), integer(), first, count);
      break;
    case op.SQUARE_BLOCKS:
      squareBlocks(address(), address(), integer(), first, count);
      break;
    case op.FINISH_SUM:
      finishSum(address(), address(), integer(), float());
      break;
    case op.FINISH_NORM:
      finishNorm(address(), address(), integer());
      break;
    case op.GATHER_ROWS:
      gatherRows(address(), address(), address(), address(), count, integer(), integer());
      break;
    case op.SCATTER_ROWS:
      scatterRows(address(), address(), address(), integer(), integer(), integer(), first, count);
      break;
    case op.SCATTER_COLUMNS:
      scatterColumns(address(), address(), address(), integer(), integer(), integer(), first, count);
      break;
    case op.RNN_FORWARD:
      shareCell();
      rnnForward(address(), address(), flag(), rows, width, from, to);
      break;
    case op.RNN_BACKWARD:
      rnnBackward(address(), address(), address(), count * integer(), flag());
      break;
    case op.LSTM_FORWARD:
      shareCell();
      lstmForward(address(), address(), address(), address(), rows, width, from, to);
      break;
    case op.LSTM_BACKWARD:
      lstmBackward(address(), address(), address(), address(), address(), address(), count, integer());
      break;
    case op.GRU_FORWARD:
      shareCell();
      gruForward(address(), address(), address(), address(), rows, width, from, to);
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
        count,
        integer(),
      );
      break;
    case op.DROPOUT:
      dropout(address(), address(), address(), integer(), integer(), float(), first, count, integer());
      break;
    case op.CROSS_ENTROPY:
      crossEntropy(address(), address(), address(), address(), float(), count, integer());
      break;
    case op.SQUARED_ERROR:
      squaredError(address(), address(), address(), address(), flag(), float(), count, integer());
      break;
    case op.ADAM:
      adam(
        address(),
        address(),
        address(),
        address(),
        address(),
        address(),
        count,
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
        count,
        float(),
        float(),
        float(),
        float(),
        float(),
      );
      break;
    case op.SGD:
      sgd(address(), address(), address(), address(), address(), count, float(), float(), float());
      break;
    default:
      unreachable();
  }
}

/** This thread's share of a cell's forward step: `rows` rows, `width` wide, and in each the hidden units [from, to). */
let rows: i32 = 0;
let width: i32 = 0;
let from: i32 = 0;
let to: i32 = 0;

/** The first arguments of a forward step, which threads share by rows or by panels of hidden units. */
function shareCell(): void {
  const allRows = integer();
  width = integer();
  const byColumns = flag();
  rows = byColumns ? allRows : count;
  from = byColumns ? first * TILE_COLUMNS : 0;
  to = byColumns ? from + count * TILE_COLUMNS : width;
}

/** The arguments of a matrix product: this thread's rows of it, or its panels of each group of columns. */
function product(transposed: bool, byColumns: bool, block: usize): void {
  const out = address();
  let a = address();
  let stride: usize = 0;
  if (transposed) {
    a += ((integer() + first) as usize) << 2;
    stride = (integer() as usize) << 2;
  }
  const panels = address();
  const bias = address();
  const accumulate = bool(integer() & op.ACCUMULATE);
  const allRows = integer();
  const columns = integer();
  const depth = integer();
  if (!transposed) stride = (depth as usize) << 2;
  let panelCount = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  let firstPanel = 0;
  let groups = 1;
  let groupPanels = panelCount;
  if (byColumns) {
    groupPanels /= integer();
    // All panels of all groups are one product.
    if (count < groupPanels) {
      groups = panelCount / groupPanels;
      firstPanel = first;
      panelCount = count;
    }
  }
  for (let group = 0; group < groups; group++) {
    matmul(
      out,
      a,
      stride,
      transposed,
      panels,
      bias,
      accumulate,
      byColumns ? allRows : count,
      columns,
      depth,
      group * groupPanels + firstPanel,
      panelCount,
      block,
    );
  }
}
