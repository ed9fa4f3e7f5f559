/*
 * Threads that walk one list. The one that calls `charloom_run` is number 0; the others live as long as the engine.
 * Whoever waits looks at a word in memory for some tenths of a millisecond (0.4 on an Intel Xeon) and then sleeps.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include "vectors.h"

enum { SPINS = 20000, LINE_BYTES = 64 };

/* A number that threads wait for, alone in its cache line. */
typedef struct {
  _Alignas(LINE_BYTES) atomic_uint value;
} signal_word;

typedef struct {
  signal_word job;     /* number of the latest job */
  signal_word arrived; /* threads that have come to the current barrier */
  signal_word passed;  /* barriers passed so far */
  signal_word asleep;  /* threads that sleep until one of these changes */
  atomic_bool refused; /* whether a command met an index out of range */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int threads;         /* how many there are */
  float *memory;
  uint32_t start, end; /* the job: commands of `memory` */
} team;

/* What of every command is a thread's, and how fast it is: commands/shares.ts knows this as a line of the memory. */
typedef struct {
  int32_t start, end; /* 65536ths of all grains */
  float spent;        /* milliseconds that all of the products would have taken of which it has done a share */
} share;

/* A thread in a job, and what of the current command is its own: see `take`. */
typedef struct {
  team *team;
  share *share;
  float *tiles; /* room for a packed block of A */
  float *panel; /* and for a panel of B */
  int thread, threads;
  int first, count;
} worker;

INLINE void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Returns once the word is no longer `value`. */
static void wait_while(team *team, signal_word *word, unsigned value) {
  for (int spins = 0; spins < SPINS; spins++) {
    if (atomic_load_explicit(&word->value, memory_order_acquire) != value) return;
    relax();
  }
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->asleep.value, 1);
  while (atomic_load(&word->value) == value) pthread_cond_wait(&team->changed, &team->mutex);
  atomic_fetch_sub(&team->asleep.value, 1);
  pthread_mutex_unlock(&team->mutex);
}

/* After a word has changed: whoever goes to sleep has counted itself before it looks at the word again. */
static void wake(team *team) {
  if (atomic_load(&team->asleep.value) == 0) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->changed);
  pthread_mutex_unlock(&team->mutex);
}

/* Waits until all threads of the job are here. */
static void barrier(worker *self) {
  team *team = self->team;
  if (self->threads == 1) return;
  const unsigned passed = atomic_load(&team->passed.value);
  if (atomic_fetch_add(&team->arrived.value, 1) == (unsigned)self->threads - 1) {
    atomic_store(&team->arrived.value, 0);
    atomic_store(&team->passed.value, passed + 1);
    wake(team);
  } else {
    wait_while(team, &team->passed, passed);
  }
}

/* So many 65536ths of all grains, to the nearest whole one. */
INLINE int part(int grains, int of65536) { return (int)(((int64_t)grains * of65536 + 32768) >> 16); }

/* Divides `units` into runs of whole grains, one for each thread, and takes this thread's; a single grain is for `home`. */
INLINE void take(worker *self, int units, int grain, int home) {
  self->first = 0;
  self->count = units;
  if (self->threads == 1) return;
  if (units <= grain) {
    if (self->thread != home) self->count = 0;
    return;
  }
  const int grains = (units + grain - 1) / grain;
  const int first = part(grains, self->share->start) * grain, next = part(grains, self->share->end) * grain;
  self->first = first < units ? first : units;
  self->count = (next < units ? next : units) - self->first;
}

/* Whether the time that a command takes, of so many units, tells how fast a thread is: if every one has several grains. */
INLINE bool tells_speed(const worker *self, int units, int grain) {
  return self->threads > 1 && units >= 8 * self->threads * grain;
}

INLINE double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

/* This thread began its share of such a command at `begun`, and is done: adds up how long all `units` would have taken it. */
INLINE void tell_speed(worker *self, double begun, int units) {
  self->share->spent += (float)((milliseconds() - begun) * units / self->count);
}

/* An index is out of range: the host will hear of it. Returns 0, which is an index of everything. */
INLINE int refuse(worker *self) {
  atomic_store(&self->team->refused, true);
  return 0;
}

/* `index`, if it is in [0, count). */
INLINE int checked(worker *self, int32_t index, int count) {
  return (uint32_t)index < (uint32_t)count ? index : refuse(self);
}
