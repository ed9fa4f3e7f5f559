/*
 * The kernels of the native engine: one file to the compiler. The walker replays a list of commands, as
 * `../../simd/assembly/walk.ts` does; a command is [opcode, words, units, grain, home, arguments...] in 32-bit words, an
 * argument is an operand (the number of the float in `memory` where it starts, and how many floats belong to one unit), an
 * integer or the bits of a float. The opcodes come from commands/opcodes.ts, as macros of the same names.
 */
#define _GNU_SOURCE
#include "dropout.h"
#include "gather.h"
#include "loss.h"
#include "optimizer.h"
#include "product.h"
#include "threads.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* The control register of floating-point arithmetic. */
typedef uint64_t control;

INLINE control read_control(void) {
#if defined(__SSE__)
  return _mm_getcsr();
#elif defined(__aarch64__)
  control value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return 0;
#endif
}

INLINE void restore(control value) {
#if defined(__SSE__)
  _mm_setcsr((unsigned)value);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(value));
#endif
}

/* From now on denormal floats are taken for 0: they cost a hundred times as much as others, and tell nothing. */
static control flush_denormals(void) {
  const control before = read_control();
#if defined(__SSE__)
  restore(before | 0x8040);
#elif defined(__aarch64__)
  restore(before | 1 << 24);
#endif
  return before;
}

/* The arguments of a command, one after the other. */
typedef struct {
  const worker *self;
  const uint32_t *next;
} reader;

/* An operand, from this thread's first unit on; NULL for none. */
INLINE float *operand(reader *from) {
  const uint32_t start = from->next[0];
  const size_t unit = from->next[1];
  from->next += 2;
  return start == 0 ? NULL : from->self->team->memory + start + (size_t)from->self->first * unit;
}

INLINE int32_t *integers(reader *from) { return (int32_t *)operand(from); }

INLINE int integer(reader *from) { return (int)*from->next++; }

INLINE bool flag(reader *from) { return integer(from) != 0; }

INLINE float number(reader *from) {
  float value;
  memcpy(&value, from->next++, sizeof value);
  return value;
}

/* A thread's share of a cell's forward step: `rows` rows, `width` wide, and in each the hidden units [from, to). */
typedef struct {
  int rows, width, from, to;
} step;

/* The first arguments of a forward step, which threads share by rows or by panels of hidden units. */
static step step_of(reader *args) {
  const worker *self = args->self;
  const int rows = integer(args), width = integer(args);
  if (!flag(args)) return (step){self->count, width, 0, width};
  return (step){rows, width, self->first * PANEL, (self->first + self->count) * PANEL};
}

/* The arguments of a matrix product: this thread's rows of it, or its panels of each group of columns. */
static void product_command(worker *self, reader *args, bool transposed, bool by_columns) {
  float *out = operand(args);
  const float *a = operand(args);
  size_t stride = 0;
  if (transposed) {
    a += integer(args) + self->first;
    stride = (size_t)integer(args);
  }
  const float *panels = operand(args);
  const float *bias = operand(args);
  const int form = integer(args);
  const bool accumulate = form & OP_ACCUMULATE, halves = form & OP_HALVES;
  const int all_rows = integer(args), columns = integer(args), depth = integer(args);
  const target to = {out, (size_t)columns, bias, accumulate};
  const left from = {a, transposed ? 1 : (size_t)depth, transposed ? stride : 1};
  const int panel_count = (columns + PANEL - 1) / PANEL;
  if (!by_columns) {
    product(to, from, panels, halves, self->count, columns, depth, 0, panel_count, self->tiles, self->panel);
    return;
  }
  const int groups = integer(args);
  const int group_panels = panel_count / groups;
  for (int group = 0; group < groups; group++) {
    const int first = group * group_panels + self->first;
    product(to, from, panels, halves, all_rows, columns, depth, first, self->count, self->tiles, self->panel);
  }
}

static update update_of(worker *self, reader *args) {
  update u = {.length = self->count};
  u.parameters = operand(args);
  u.gradient = operand(args);
  u.norm = operand(args);
  u.rates = operand(args);
  return u;
}

INLINE void finish_update_of(update *u, reader *args) {
  u->clip_norm = number(args);
  u->weight_decay = number(args);
}

static void execute(worker *self, uint32_t opcode, reader *args) {
  const int first = self->first, count = self->count;
  switch (opcode) {
  case OP_FILL: {
    float *out = operand(args);
    const size_t elements = (size_t)integer(args);
    fill(out, (size_t)count * elements, number(args));
    break;
  }
  case OP_COPY: {
    float *out = operand(args);
    const float *input = operand(args);
    memcpy(out, input, (size_t)count * (size_t)integer(args) * sizeof(float));
    break;
  }
  case OP_SCALE_ROWS: {
    float *out = operand(args);
    const float *input = operand(args), *scale = operand(args);
    scale_rows(out, input, scale, count, integer(args));
    break;
  }
  case OP_STORE_ROW: {
    float *out = operand(args);
    const int32_t *row = integers(args);
    const float *input = operand(args);
    const int rows = integer(args);
    store_row(self, out, row, input, rows, integer(args));
    break;
  }
  case OP_TRANSPOSE: {
    float *out = operand(args);
    const float *input = operand(args);
    const int rows = integer(args);
    transpose(out, input, rows, integer(args), first, count);
    break;
  }
  case OP_PACK:
  case OP_PACK_TRANSPOSED: {
    float *panels = operand(args);
    const float *b = operand(args);
    const int depth = integer(args), columns = integer(args);
    pack_panels(panels, b, depth, columns, opcode == OP_PACK_TRANSPOSED, flag(args), first, count, self->panel);
    break;
  }
  case OP_MATMUL: product_command(self, args, false, false); break;
  case OP_MATMUL_TRANSPOSED: product_command(self, args, true, false); break;
  case OP_MATMUL_BY_COLUMNS: product_command(self, args, false, true); break;
  case OP_SUM_ROWS: {
    float *out = operand(args);
    const float *input = operand(args);
    const int rows = integer(args);
    sum_rows(out, input, rows, integer(args), first, count);
    break;
  }
  case OP_SUM_BLOCKS:
  case OP_SQUARE_BLOCKS: {
    double *sums = (double *)operand(args);
    const float *input = operand(args);
    sum_blocks(sums, input, integer(args), first, count, opcode == OP_SQUARE_BLOCKS);
    break;
  }
  case OP_FINISH_SUM: {
    float *out = operand(args);
    const double *sums = (double *)operand(args);
    const double sum = total(sums, integer(args));
    *out = (float)(sum * (double)number(args));
    break;
  }
  case OP_FINISH_NORM: {
    float *out = operand(args);
    const double *sums = (double *)operand(args);
    *out = (float)sqrt(total(sums, integer(args)));
    break;
  }
  case OP_GATHER_ROWS: {
    float *out = operand(args);
    const float *table = operand(args);
    const int32_t *ids = integers(args);
    const float *bias = operand(args);
    const int rows = integer(args);
    gather_rows(self, out, table, ids, bias, count, rows, integer(args));
    break;
  }
  case OP_SCATTER_ROWS:
  case OP_SCATTER_COLUMNS: {
    float *out = operand(args);
    const int32_t *ids = integers(args);
    const float *gradient = operand(args);
    const int rows = integer(args), entries = integer(args), width = integer(args);
    (opcode == OP_SCATTER_ROWS ? scatter_rows : scatter_columns)(self, out, ids, gradient, rows, entries, width, first,
                                                              count);
    break;
  }
  case OP_RNN_FORWARD: {
    const step s = step_of(args);
    float *hidden = operand(args);
    const float *preactivation = operand(args);
    rnn_forward(hidden, preactivation, flag(args), s.rows, s.width, s.from, s.to);
    break;
  }
  case OP_RNN_BACKWARD: {
    float *gradient = operand(args);
    const float *hidden = operand(args), *hidden_gradient = operand(args);
    const int width = integer(args);
    rnn_backward(gradient, hidden, hidden_gradient, count * width, flag(args));
    break;
  }
  case OP_LSTM_FORWARD: {
    const step s = step_of(args);
    float *gates = operand(args);
    const float *previous = operand(args);
    float *cell = operand(args), *hidden = operand(args);
    lstm_forward(gates, previous, cell, hidden, s.rows, s.width, s.from, s.to);
    break;
  }
  case OP_LSTM_BACKWARD: {
    const float *gates = operand(args), *previous = operand(args), *cell = operand(args);
    const float *hidden_gradient = operand(args);
    float *cell_gradient = operand(args), *gates_gradient = operand(args);
    lstm_backward(gates, previous, cell, hidden_gradient, cell_gradient, gates_gradient, count, integer(args));
    break;
  }
  case OP_GRU_FORWARD: {
    const step s = step_of(args);
    float *input_gates = operand(args);
    const float *hidden_gates = operand(args), *previous = operand(args);
    float *hidden = operand(args);
    gru_forward(input_gates, hidden_gates, previous, hidden, s.rows, s.width, s.from, s.to);
    break;
  }
  case OP_GRU_BACKWARD: {
    const float *input_gates = operand(args), *hidden_gates = operand(args), *previous = operand(args);
    const float *hidden_gradient = operand(args);
    float *previous_gradient = operand(args), *input_gradient = operand(args), *recurrent_gradient = operand(args);
    gru_backward(input_gates, hidden_gates, previous, hidden_gradient, previous_gradient, input_gradient,
                 recurrent_gradient, count, integer(args));
    break;
  }
  case OP_DROPOUT: {
    float *out = operand(args);
    const float *input = operand(args);
    const int32_t *seed = integers(args);
    const int stream = integer(args), threshold = integer(args);
    const float scale = number(args);
    dropout(out, input, seed, stream, threshold, scale, first, count, integer(args));
    break;
  }
  case OP_CROSS_ENTROPY: {
    float *losses = operand(args);
    const float *logits = operand(args);
    const int32_t *targets = integers(args);
    float *gradient = operand(args);
    const float scale = number(args);
    cross_entropy(self, losses, logits, targets, gradient, scale, count, integer(args));
    break;
  }
  case OP_SQUARED_ERROR: {
    float *losses = operand(args);
    const float *logits = operand(args);
    const int32_t *targets = integers(args);
    float *probabilities = operand(args);
    const bool with_gradient = flag(args);
    const float scale = number(args);
    squared_error(self, losses, logits, targets, probabilities, with_gradient, scale, count, integer(args));
    break;
  }
  case OP_ADAM: {
    update u = update_of(self, args);
    float *first_moment = operand(args), *second_moment = operand(args);
    finish_update_of(&u, args);
    float decay[2], rest[2];
    for (int i = 0; i < 2; i++) decay[i] = number(args), rest[i] = number(args);
    const float epsilon = number(args);
    adam(&u, first_moment, second_moment, decay, rest, epsilon, flag(args));
    break;
  }
  case OP_RMSPROP: {
    update u = update_of(self, args);
    float *second_moment = operand(args);
    finish_update_of(&u, args);
    const float alpha = number(args), rest = number(args);
    rmsprop(&u, second_moment, alpha, rest, number(args));
    break;
  }
  case OP_SGD: {
    update u = update_of(self, args);
    float *velocity = operand(args);
    finish_update_of(&u, args);
    sgd(&u, velocity, number(args));
    break;
  }
  default: abort();
  }
}

/* This thread's part of the commands in [start, end). */
static void walk(worker *self, uint32_t start, uint32_t end) {
  const uint32_t *command = (const uint32_t *)self->team->memory + start;
  const uint32_t *last = (const uint32_t *)self->team->memory + end;
  while (command != last) {
    if (command[0] == OP_BARRIER) {
      barrier(self);
    } else {
      const int units = (int)command[2], grain = (int)command[3];
      take(self, units, grain, (int)command[4]);
      reader args = {self, command + 5};
      if (self->count > 0) {
        const bool is_product = command[0] == OP_MATMUL || command[0] == OP_MATMUL_TRANSPOSED;
        const bool is_timed = is_product && tells_speed(self, units, grain);
        const double begun = is_timed ? milliseconds() : 0;
        execute(self, command[0], &args);
        if (is_timed) tell_speed(self, begun, units);
      }
    }
    command += command[1];
  }
  barrier(self);
}

/* An engine: what its threads share, and the threads beside the one that calls `charloom_run`. */
typedef struct {
  team team;
  size_t bytes;
  worker *workers;
  pthread_t *threads;
  int started;
} engine;

/* The life of a worker: walks what thread 0 walks, until it is given an empty list. */
static void *serve(void *given) {
  worker *self = given;
  team *team = self->team;
  flush_denormals();
  for (unsigned job = 0;; job++) {
    wait_while(team, &team->job, job);
    const uint32_t start = team->start, end = team->end;
    if (start == end) return NULL;
    walk(self, start, end);
  }
}

/* Hands the commands in [start, end) to the workers. */
static void post(engine *e, uint32_t start, uint32_t end) {
  e->team.start = start;
  e->team.end = end;
  atomic_fetch_add(&e->team.job.value, 1);
  wake(&e->team);
}

void charloom_close(engine *e) {
  if (e->started > 0) post(e, 0, 0);
  for (int i = 0; i < e->started; i++) pthread_join(e->threads[i], NULL);
  if (e->workers) free(e->workers[0].tiles);
  if (e->team.memory) munmap(e->team.memory, e->bytes);
  pthread_cond_destroy(&e->team.changed);
  pthread_mutex_destroy(&e->team.mutex);
  free(e->threads);
  free(e->workers);
  free(e);
}

/*
 * Keeps this library in memory until the process is gone: the host unloads it when it ends, and a worker of an engine that was
 * not closed may still be looking for work then.
 */
static void stay_loaded(void) {
  static const char here;
  Dl_info library;
  if (dladdr(&here, &library)) dlopen(library.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

/*
 * An engine with so many threads and so many bytes of memory, all of them 0, which only take room once they are used.
 * NULL if it cannot be had.
 */
engine *charloom_open(int threads, size_t bytes) {
  stay_loaded();
  engine *e = calloc(1, sizeof *e);
  if (!e) return NULL;
  pthread_mutex_init(&e->team.mutex, NULL);
  pthread_cond_init(&e->team.changed, NULL);
  e->team.threads = threads;
  e->bytes = bytes;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  e->team.memory = memory == MAP_FAILED ? NULL : memory;
  e->workers = calloc((size_t)threads, sizeof *e->workers);
  e->threads = calloc((size_t)threads, sizeof *e->threads);
  float *tiles = aligned_alloc(LINE_BYTES, (size_t)threads * (BLOCK_FLOATS + PANEL_FLOATS) * sizeof(float));
  if (e->workers) e->workers[0].tiles = tiles;
  if (!e->team.memory || !e->workers || !e->threads || !tiles) {
    if (!e->workers) free(tiles);
    charloom_close(e);
    return NULL;
  }
#if defined(MADV_HUGEPAGE)
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  for (int i = 0; i < threads; i++) {
    float *room = tiles + (size_t)i * (BLOCK_FLOATS + PANEL_FLOATS);
    /* After the first line, which is no operand's: see memory.ts. */
    share *own = (share *)(e->team.memory + (i + 1) * LINE_FLOATS);
    e->workers[i] = (worker){
        .team = &e->team, .share = own, .tiles = room, .panel = room + BLOCK_FLOATS, .thread = i, .threads = threads,
    };
    if (i == 0) continue;
    if (pthread_create(&e->threads[i - 1], NULL, serve, &e->workers[i]) != 0) {
      charloom_close(e);
      return NULL;
    }
    e->started++;
  }
  return e;
}

void *charloom_memory(engine *e) { return e->team.memory; }

/*
 * Replays the commands in [start, end), on all threads or on the one that calls. Returns whether a command met an index out
 * of range.
 */
bool charloom_run(engine *e, uint32_t start, uint32_t end, bool on_all) {
  const control before = flush_denormals();
  worker *self = &e->workers[0];
  self->threads = on_all ? e->team.threads : 1;
  if (self->threads > 1) post(e, start, end);
  walk(self, start, end);
  restore(before);
  return atomic_exchange(&e->team.refused, false);
}

/* What the compiler of programs has to know: columns of a panel, and rows of a tile. */
int charloom_panel_columns(void) { return PANEL; }

int charloom_tile_rows(void) { return TILE_ROWS; }

int charloom_vector_bits(void) { return VECTOR_BYTES * 8; }
