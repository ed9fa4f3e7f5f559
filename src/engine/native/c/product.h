/*
 * out [rows, columns] = A B (+ bias) (+ out). B lies in packed panels of PANEL columns, [depth / 512][panels][512][PANEL]; A
 * is packed into tiles, a block at a time. A tile of sums stays in registers: TILE_ROWS rows by one panel, or, of a single
 * row, several panels. The sum of an element runs through each block of depth in order, and the blocks' sums are added in
 * order: how rows are divided, among threads or tiles, changes no bits.
 *
 * Panels of weights may hold bfloat16, the upper halves of floats, where reading them is what takes time. A word of such a
 * panel has a column of its first vector in the lower half, and one of its second in the upper.
 */
#pragma once
#include "vectors.h"

enum {
  PANEL_VECTORS = 2,
  PANEL = PANEL_VECTORS * LANES,
  TILE_ROWS = REGISTERS == 32 ? 14 : 6,
  BLOCK_ROWS = 8 * TILE_ROWS,
  BLOCK_DEPTH = 512,
  BLOCK_FLOATS = BLOCK_ROWS * BLOCK_DEPTH,
  PANEL_FLOATS = BLOCK_DEPTH * PANEL,
  LINE_FLOATS = 16,
  GROUP = 4,      /* steps of depth without a jump between them */
  PACK_AHEAD = 8, /* steps of depth: enough of them to cover the way to memory */
};

/* Floats of room that a step of depth takes in a panel. */
INLINE size_t panel_width(bool halves) { return halves ? PANEL / 2 : PANEL; }

/*
 * What will be needed soon, and comes from the second level cache or from further away: so many of its lines are asked for
 * with every group of steps of depth. `from` is NULL for nothing.
 */
typedef struct {
  const float *from;
  int lines;
} ahead;

INLINE int lines_of(size_t floats) { return (int)((floats + LINE_FLOATS - 1) / LINE_FLOATS); }

INLINE void prefetch(ahead soon, int group) {
  if (!soon.from) return;
  const float *from = soon.from + (size_t)(group * soon.lines) * LINE_FLOATS;
  for (int i = 0; i < soon.lines; i++) __builtin_prefetch(from + i * LINE_FLOATS, 0, 2);
}

/* A step of depth of a panel. */
INLINE void load_panel(vec *row, const float *b, bool halves) {
  if (!halves) {
#pragma GCC unroll 16
    for (int v = 0; v < PANEL_VECTORS; v++) row[v] = load(b + v * LANES);
    return;
  }
  _Static_assert(PANEL_VECTORS == 2, "a word has two halves");
  const uvec words = (uvec)load(b);
  row[0] = (vec)(words << 16);
  row[1] = (vec)(words & 0xffff0000);
}

/* Where sums go, and what is added to them. */
typedef struct {
  float *out;
  size_t stride;
  const float *bias; /* NULL for none */
  bool accumulate;
} target;

/* A row of sums + bias + out, to `columns` columns. Not inlined: it would take registers from the sums. */
static __attribute__((noinline)) void finish_row(const float *sums, const target *to, size_t row, int columns) {
  float *out = to->out + row * to->stride;
  for (int c = 0; c < columns; c++) out[c] = sums[c] + (to->bias ? to->bias[c] : 0) + (to->accumulate ? out[c] : 0);
}

/*
 * AVX-512 multiplies by a float in memory, read in all lanes, in one instruction: little but the multiplications is left to
 * decode. But each then reads its float, and a core reads two in a cycle, about as many as it multiplies: so in three rows of
 * four, as was measured (docs/native.md). In the fourth, as with other vectors, a register takes the float for all vectors.
 */
INLINE bool reads_as_it_multiplies(int row) { return VECTOR_BYTES == 64 && row % 4 != 0; }

/* The same pointer, but the compiler does not know, and reads through it once more. */
#define READ_AGAIN(pointer) __asm__ volatile("" : "+r"(pointer))

/* A step of depth of `tile`. */
INLINE void tile_step(int rows, int panels, vec sums[TILE_ROWS][4 * PANEL_VECTORS], const float *a, const float *b,
                      bool halves, size_t next_panel) {
  vec row[4 * PANEL_VECTORS];
#pragma GCC unroll 16
  for (int p = 0; p < panels; p++) load_panel(row + p * PANEL_VECTORS, b + (size_t)p * next_panel, halves);
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
    for (int v = 0; v < panels * PANEL_VECTORS; v++) {
      const float *x = a;
      if (reads_as_it_multiplies(r)) READ_AGAIN(x);
      sums[r][v] += x[r] * row[v];
    }
  }
}

/*
 * `rows` rows times `panels` panels, `columns` columns of them in use. Row r's element of a step of depth is a[r], and the
 * next step's lies `along` further. `rows` and `panels` are constants where this is inlined, and the sums are registers.
 */
INLINE void tile(int rows, int panels, const target *to, const float *a, size_t along, const float *b, bool halves,
                 ahead soon, int depth, int columns) {
  vec sums[TILE_ROWS][4 * PANEL_VECTORS];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
    for (int v = 0; v < panels * PANEL_VECTORS; v++) sums[r][v] = (vec){0};
  }
  const size_t next_panel = (size_t)depth * panel_width(halves), width = panel_width(halves);
  int k = 0;
  for (; k + GROUP <= depth; k += GROUP) {
    prefetch(soon, k / GROUP);
#pragma GCC unroll 16
    for (int g = 0; g < GROUP; g++) {
      tile_step(rows, panels, sums, a + (size_t)g * along, b + (size_t)g * width, halves, next_panel);
    }
    a += GROUP * along;
    b += GROUP * width;
  }
  for (; k < depth; k++) {
    tile_step(rows, panels, sums, a, b, halves, next_panel);
    a += along;
    b += width;
  }
  if (columns < panels * PANEL) {
    float rest[TILE_ROWS][4 * PANEL];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
      for (int v = 0; v < panels * PANEL_VECTORS; v++) store(rest[r] + v * LANES, sums[r][v]);
    }
    for (int r = 0; r < rows; r++) finish_row(rest[r], to, (size_t)r, columns);
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
    float *out = to->out + (size_t)r * to->stride;
#pragma GCC unroll 16
    for (int v = 0; v < panels * PANEL_VECTORS; v++) {
      if (to->bias) sums[r][v] += load(to->bias + v * LANES);
      if (to->accumulate) sums[r][v] += load(out + v * LANES);
      store(out + v * LANES, sums[r][v]);
    }
  }
}

/* Calls `f(n, ...)` with the constant n that `rows` is. */
#if REGISTERS == 32
#define MORE_ROWS(f, ...) CASE(7, f, __VA_ARGS__) CASE(8, f, __VA_ARGS__) CASE(9, f, __VA_ARGS__) \
  CASE(10, f, __VA_ARGS__) CASE(11, f, __VA_ARGS__) CASE(12, f, __VA_ARGS__) CASE(13, f, __VA_ARGS__) \
  CASE(14, f, __VA_ARGS__)
#else
#define MORE_ROWS(f, ...)
#endif
#define CASE(n, f, ...) case n: f(n, __VA_ARGS__); break;
#define WITH_ROWS(rows, f, ...) switch (rows) { CASE(1, f, __VA_ARGS__) CASE(2, f, __VA_ARGS__) \
  CASE(3, f, __VA_ARGS__) CASE(4, f, __VA_ARGS__) CASE(5, f, __VA_ARGS__) CASE(6, f, __VA_ARGS__) \
  MORE_ROWS(f, __VA_ARGS__) }

INLINE void packed_tile(int rows, const target *to, const float *a, const float *b, ahead soon, int depth, int columns) {
  tile(rows, 1, to, a, (size_t)rows, b, false, soon, depth, columns);
}

/* A tile of packed rows times one panel. */
static void tile_times_panel(int rows, const target *to, const float *a, const float *b, ahead soon, int depth,
                             int columns) {
  WITH_ROWS(rows, packed_tile, to, a, b, soon, depth, columns)
}

/* A single row times `columns` columns of panels, four panels at a time: fewer sums would wait for each other. */
INLINE void row_times_panels(target to, const float *a, size_t along, const float *b, bool halves, int depth,
                             int columns) {
  const ahead nothing = {NULL, 0};
  while (columns > 0) {
    if (columns > 3 * PANEL) tile(1, 4, &to, a, along, b, halves, nothing, depth, columns);
    else if (columns > PANEL) tile(1, 2, &to, a, along, b, halves, nothing, depth, columns);
    else tile(1, 1, &to, a, along, b, halves, nothing, depth, columns);
    const int done = columns > 3 * PANEL ? 4 : columns > PANEL ? 2 : 1;
    columns -= done * PANEL;
    b += (size_t)done * (size_t)depth * panel_width(halves);
    to.out += done * PANEL;
    if (to.bias) to.bias += done * PANEL;
  }
}

static void row_times_floats(target to, const float *a, size_t along, const float *b, int depth, int columns) {
  row_times_panels(to, a, along, b, false, depth, columns);
}

static void row_times_halves(target to, const float *a, size_t along, const float *b, int depth, int columns) {
  row_times_panels(to, a, along, b, true, depth, columns);
}

/* A panel of bfloat16 as one of floats. */
static void widen(float *panel, const float *halves, ahead soon, int steps) {
  for (int step = 0; step < steps; step++) {
    vec row[PANEL_VECTORS];
    if (step % GROUP == 0) prefetch(soon, step / GROUP);
    load_panel(row, halves + (size_t)step * panel_width(true), true);
    for (int v = 0; v < PANEL_VECTORS; v++) store(panel + step * PANEL + v * LANES, row[v]);
  }
}

/* The reverse, to the nearest, to even from halfway. What is no number stays that: its lowest upper bit is set. */
static void narrow(float *halves, const float *panel, int steps) {
  for (int step = 0; step < steps; step++) {
    uvec rounded[PANEL_VECTORS];
    for (int v = 0; v < PANEL_VECTORS; v++) {
      const vec x = load(panel + step * PANEL + v * LANES);
      const uvec bits = (uvec)x;
      rounded[v] = (uvec)choose(x == x, (vec)(bits + 0x7fff + (bits >> 16 & 1)), (vec)(bits | 0x10000));
    }
    const uvec words = rounded[0] >> 16 | (rounded[1] & 0xffff0000);
    store(halves + (size_t)step * panel_width(true), (vec)words);
  }
}

/* A, whose element (i, k) is a[i * across + k * along]; one of the two is 1. */
typedef struct {
  const float *a;
  size_t across, along;
} left;

typedef float quad __attribute__((vector_size(16)));
#if defined(__clang__)
#define SHUFFLE(x, y, i, j, k, l) __builtin_shufflevector(x, y, i, j, k, l)
#else
typedef int32_t quad_index __attribute__((vector_size(16)));
#define SHUFFLE(x, y, i, j, k, l) __builtin_shuffle(x, y, (quad_index){i, j, k, l})
#endif

/* out[c * step + r] = in[r * stride + c] for r and c in [0, 4). */
INLINE void transpose_4x4(float *out, size_t step, const float *in, size_t stride) {
  quad x[4];
  for (int r = 0; r < 4; r++) memcpy(&x[r], in + (size_t)r * stride, sizeof x[r]);
  const quad low01 = SHUFFLE(x[0], x[1], 0, 4, 1, 5), low23 = SHUFFLE(x[2], x[3], 0, 4, 1, 5);
  const quad high01 = SHUFFLE(x[0], x[1], 2, 6, 3, 7), high23 = SHUFFLE(x[2], x[3], 2, 6, 3, 7);
  const quad y[4] = {
      SHUFFLE(low01, low23, 0, 1, 4, 5),
      SHUFFLE(low01, low23, 2, 3, 6, 7),
      SHUFFLE(high01, high23, 0, 1, 4, 5),
      SHUFFLE(high01, high23, 2, 3, 6, 7),
  };
  for (int c = 0; c < 4; c++) memcpy(out + (size_t)c * step, &y[c], sizeof y[c]);
}

/* `rows` rows of A, each of which lies in one piece, as a tile [depth][rows]. */
INLINE void pack_rows(int rows, float *tile, left from, int depth) {
  int k = 0;
  for (; k + 4 <= depth; k += 4) {
    for (int r = 0; r + 4 <= rows; r += 4) {
      transpose_4x4(tile + k * rows + r, (size_t)rows, from.a + (size_t)r * from.across + k, from.across);
    }
    for (int r = rows & ~3; r < rows; r++) {
      for (int i = k; i < k + 4; i++) tile[i * rows + r] = from.a[(size_t)r * from.across + (size_t)i];
    }
  }
  for (; k < depth; k++) {
    for (int r = 0; r < rows; r++) tile[k * rows + r] = from.a[(size_t)r * from.across + (size_t)k];
  }
}

static void pack_tile(int rows, float *tile, left from, int depth) { WITH_ROWS(rows, pack_rows, tile, from, depth) }

INLINE void copy(int count, float *out, const float *in) { memcpy(out, in, (size_t)count * sizeof(float)); }

/* The first row of tile `t` of `count`: all have nearly as many, for a tile of one row takes almost as long as one of four. */
INLINE int tile_start(int rows, int t, int count) { return rows * t / count; }

/* `rows` rows of A as `count` tiles, of which tile t begins at tile_start * BLOCK_DEPTH. */
static void pack_block(float *tiles, left from, int rows, int count, int depth) {
  if (from.across != 1) {
    for (int t = 0; t < count; t++) {
      const int row = tile_start(rows, t, count);
      const left rest = {from.a + (size_t)row * from.across, from.across, from.along};
      pack_tile(tile_start(rows, t + 1, count) - row, tiles + row * BLOCK_DEPTH, rest, depth);
    }
    return;
  }
  /* All tiles in one pass: a step of depth lies in a few lines of the cache, and the next one in another page. */
  for (int k = 0; k < depth; k++) {
    const float *a = from.a + (size_t)k * from.along;
    if (k + PACK_AHEAD < depth) prefetch((ahead){a + PACK_AHEAD * from.along, lines_of((size_t)rows)}, 0);
    for (int t = 0; t < count; t++) {
      const int row = tile_start(rows, t, count);
      const int tile_rows = tile_start(rows, t + 1, count) - row;
      WITH_ROWS(tile_rows, copy, tiles + row * BLOCK_DEPTH + k * tile_rows, a + row)
    }
  }
}

/*
 * The panels [first_panel, first_panel + panel_count) of the product; `to`, `panels` are those of all columns. There is room
 * for BLOCK_FLOATS in `tiles`, and for PANEL_FLOATS in `widened`.
 */
static void product(target to, left from, const float *panels, bool halves, int rows, int columns, int depth,
                    int first_panel, int panel_count, float *tiles, float *widened) {
  const int first_column = first_panel * PANEL;
  const int end = first_column + panel_count * PANEL;
  const int end_column = end < columns ? end : columns;
  const size_t panels_of_all = (size_t)((columns + PANEL - 1) / PANEL);
  /* Rows outside of depth: the sums of a block of rows stay in the second level cache from one block of depth to the next. */
  for (int i = 0; i < rows; i += BLOCK_ROWS) {
    const int block_rows = rows - i < BLOCK_ROWS ? rows - i : BLOCK_ROWS;
    const int tile_count = (block_rows + TILE_ROWS - 1) / TILE_ROWS;
    /* Spread over all tiles of a panel: memory far away has no time for the next panel during one of them. */
    const int share = (lines_of(GROUP * PANEL) + tile_count - 1) / tile_count;
    for (int k = 0; k < depth; k += BLOCK_DEPTH) {
      const int steps = depth - k < BLOCK_DEPTH ? depth - k : BLOCK_DEPTH;
      const size_t panel_floats = (size_t)steps * panel_width(halves);
      const float *block = panels + (size_t)k * panels_of_all * panel_width(halves);
      const float *first = block + (size_t)first_panel * panel_floats;
      const target part = {
          to.out + (size_t)i * to.stride, to.stride, k == 0 ? to.bias : NULL, to.accumulate || k > 0,
      };
      const left rest = {from.a + (size_t)i * from.across + (size_t)k * from.along, from.across, from.along};
      if (rows == 1) {
        target row = part;
        row.out += first_column;
        if (row.bias) row.bias += first_column;
        (halves ? row_times_halves : row_times_floats)(row, rest.a, rest.along, first, steps, end_column - first_column);
        continue;
      }
      pack_block(tiles, rest, block_rows, tile_count, steps);
      const float *panel = first;
      for (int j = first_column; j < end_column; j += PANEL) {
        const float *next = j + PANEL < end_column ? panel + panel_floats : NULL;
        const float *floats = panel;
        if (halves) {
          widen(widened, panel, (ahead){next, lines_of(GROUP * panel_width(true))}, steps);
          floats = widened;
          next = NULL;
        }
        for (int t = 0; t < tile_count; t++) {
          const int row = tile_start(block_rows, t, tile_count);
          const int tile_rows = tile_start(block_rows, t + 1, tile_count) - row;
          const target tile_to = {
              part.out + (size_t)row * part.stride + j, part.stride, part.bias ? part.bias + j : NULL, part.accumulate,
          };
          const ahead soon = {next ? next + (size_t)(t * (steps / GROUP) * share) * LINE_FLOATS : NULL, share};
          tile_times_panel(tile_rows, &tile_to, tiles + row * BLOCK_DEPTH, floats, soon, steps, end_column - j);
        }
        panel += panel_floats;
      }
    }
  }
}

/*
 * B [depth, columns], or, if `transposed`, given as [columns, depth], into panels; the missing columns are 0. Panels of
 * bfloat16 are packed as floats first, for which there is room in `wide`.
 */
static void pack_panels(float *panels, const float *b, int depth, int columns, bool transposed, bool halves, int first,
                        int count, float *wide) {
  const size_t across = transposed ? (size_t)depth : 1; /* from one column to the next */
  const size_t along = transposed ? 1 : (size_t)columns;
  const size_t panels_of_all = (size_t)((columns + PANEL - 1) / PANEL);
  for (int k = 0; k < depth; k += BLOCK_DEPTH) {
    const int steps = depth - k < BLOCK_DEPTH ? depth - k : BLOCK_DEPTH;
    for (int p = first; p < first + count; p++) {
      float *place = panels + ((size_t)k * panels_of_all + (size_t)p * (size_t)steps) * panel_width(halves);
      float *panel = halves ? wide : place;
      const float *from = b + (size_t)k * along + (size_t)p * PANEL * across;
      const int width = columns - p * PANEL < PANEL ? columns - p * PANEL : PANEL;
      if (transposed) {
        if (width < PANEL) memset(panel, 0, (size_t)steps * PANEL * sizeof(float));
        for (int c = 0; c < width; c += 4) {
          const float *rows = from + (size_t)c * across;
          const int group = width - c < 4 ? width - c : 4;
          int step = 0;
          if (group == 4) {
            for (; step + 4 <= steps; step += 4) transpose_4x4(panel + step * PANEL + c, PANEL, rows + step, across);
          }
          for (; step < steps; step++) {
            for (int i = 0; i < group; i++) panel[step * PANEL + c + i] = rows[(size_t)i * across + (size_t)step];
          }
        }
      } else {
        for (int step = 0; step < steps; step++) {
          memcpy(panel + step * PANEL, from + (size_t)step * along, (size_t)width * sizeof(float));
          memset(panel + step * PANEL + width, 0, (size_t)(PANEL - width) * sizeof(float));
        }
      }
      if (halves) narrow(place, panel, steps);
    }
  }
}

/* out [columns, rows] = inputT; of the rows of `input` from `first` on, `count` of them. */
static void transpose(float *out, const float *input, int rows, int columns, int first, int count) {
  for (int r = first; r < first + count; r += 8) {
    const int group = first + count - r < 8 ? first + count - r : 8;
    for (int c = 0; c < columns; c++) {
      for (int i = 0; i < group; i++) out[(size_t)c * rows + r + i] = input[(size_t)(r + i) * columns + c];
    }
  }
}
