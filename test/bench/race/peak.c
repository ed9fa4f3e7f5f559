/*
 * The most that this machine can do with vectors in registers. Without FUSED: with those of 128 bits, as WebAssembly SIMD
 * must, a multiplication, then an addition, never both in one instruction. With it: the widest there are, and both in one
 * instruction. A contestant of the race (contestant-process.ts): `peak THREADS`, the amount of work is floating-point
 * operations. `peak THREADS loop` is the inner loop of a matrix product instead: how much of the peak is left once its
 * factors have to be loaded, from the first cache, and nothing else has to be done. Compile with -march=native (instructions
 * of three operands, as V8 uses them, spare the copies that would get in the way) and, without FUSED, -ffp-contract=off, or
 * the compiler fuses them where it can.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#if defined(FUSED) && defined(__AVX512F__)
#define BYTES 64
#elif defined(FUSED) && defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define LANES (BYTES / 4)

typedef float vector __attribute__((vector_size(BYTES)));

/* Makes the compiler believe that a register has changed, so that it computes every product anew. */
#if defined(__x86_64__) || defined(__i386__)
#define TOUCH(v) __asm__ volatile("" : "+v"(v))
#elif defined(__aarch64__)
#define TOUCH(v) __asm__ volatile("" : "+w"(v))
#else
#define TOUCH(v) __asm__ volatile("" : "+m"(v))
#endif

/* ... and here, that memory has. */
#define FORGET(array) __asm__ volatile("" : "+m"(array))

/* Sums that do not wait for each other: more than an addition takes cycles times those that begin in one. */
#define SUMS 12
#define STEPS 100000L
#define MAX_THREADS 256

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

struct task {
  double seconds;
  double operations;
};

static void *multiply_and_add(void *argument) {
  struct task *task = argument;
  double end = now() + task->seconds;
  vector a = {1e-9f, 2e-9f, 3e-9f, 4e-9f}, b = {1, 2, 3, 4}, sums[SUMS]; /* other lanes: 0 */
  memset(sums, 0, sizeof sums);
  task->operations = 0;
  do {
    for (long step = 0; step < STEPS; step++) {
#pragma GCC unroll 12
      for (int i = 0; i < SUMS; i++) {
        /* Both: of a factor that it knows, or knows not to change, the compiler would make no product. */
        TOUCH(a);
        TOUCH(b);
        sums[i] += a * b;
      }
    }
    task->operations += 2.0 * LANES * SUMS * STEPS;
  } while (now() < end);
  for (int i = 0; i < SUMS; i++) TOUCH(sums[i]);
  return NULL;
}

/* A tile of the simd engine (panelProduct in matmul.ts): so many rows by two vectors, so many steps of depth, packed alike. */
#define ROWS 4
#define DEPTH 256
#define TILES 64

static void *multiply_tiles(void *argument) {
  struct task *task = argument;
  double end = now() + task->seconds;
  _Alignas(64) float a[DEPTH][ROWS] = {{0}};
  vector b[DEPTH][2], sums[ROWS][2];
  memset(b, 0, sizeof b);
  task->operations = 0;
  do {
    for (int tile = 0; tile < TILES; tile++) {
      FORGET(a);
      FORGET(b);
      memset(sums, 0, sizeof sums);
#pragma GCC unroll 16
      for (int k = 0; k < DEPTH; k++) {
#pragma GCC unroll 4
        for (int row = 0; row < ROWS; row++) {
          vector factor = a[k][row] - (vector){0}; /* in all lanes */
          sums[row][0] += factor * b[k][0];
          sums[row][1] += factor * b[k][1];
        }
      }
      for (int row = 0; row < ROWS; row++) {
        TOUCH(sums[row][0]);
        TOUCH(sums[row][1]);
      }
    }
    task->operations += 2.0 * LANES * 2 * ROWS * DEPTH * TILES;
  } while (now() < end);
  return NULL;
}

static void work(void *(*what)(void *), int threads, double seconds) {
  pthread_t handles[MAX_THREADS];
  struct task tasks[MAX_THREADS];
  double start = now(), operations = 0;
  for (int i = 0; i < threads; i++) {
    tasks[i].seconds = seconds;
    if (pthread_create(&handles[i], NULL, what, &tasks[i]) != 0) exit(1);
  }
  for (int i = 0; i < threads; i++) {
    pthread_join(handles[i], NULL);
    operations += tasks[i].operations;
  }
  printf("{\"amount\":%.0f,\"seconds\":%.9f}\n", operations, now() - start);
  fflush(stdout);
}

int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : 1;
  int loop = count > 2 && strcmp(arguments[2], "loop") == 0;
  char line[64];
  double seconds;
  struct rusage usage;
  if (threads < 1 || threads > MAX_THREADS) return 2;
  printf("{\"ready\":true}\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "go %lf", &seconds) != 1) return 2;
    work(loop ? multiply_tiles : multiply_and_add, threads, seconds);
  }
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"peakMemoryBytes\":%ld}\n", 1024 * usage.ru_maxrss);
  return 0;
}
