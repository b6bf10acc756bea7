// SPDX-License-Identifier: BSD-3-Clause
// LD_PRELOAD: what a limit refuses, also to root, whom limits on processes do not bind.
//   REFUSE_THREADS_BEYOND=K  more than K threads at a time, beside the first
//   REFUSE_RESTART=1         a program's wish to start itself again with other variables
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long alive;

struct Start {
  void* (*run)(void*);
  void* argument;
};

static void* live(void* given) {
  const struct Start start = *(struct Start*)given;
  free(given);
  void* const result = start.run(start.argument);
  atomic_fetch_sub(&alive, 1);
  return result;
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) =
      (int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*))dlsym(RTLD_NEXT, "pthread_create");
  const char* most = getenv("REFUSE_THREADS_BEYOND");
  struct Start* start = malloc(sizeof *start);
  if (start == NULL || (most != NULL && atomic_load(&alive) >= atol(most))) {
    free(start);
    return EAGAIN;
  }
  *start = (struct Start){run, argument};
  atomic_fetch_add(&alive, 1);
  const int refusal = create(thread, attributes, live, start);
  if (refusal != 0) {
    atomic_fetch_sub(&alive, 1);
    free(start);
  }
  return refusal;
}

int execve(const char* path, char* const arguments[], char* const environment[]) {
  int is_refused = 0, is_restart = 0;
  for (char* const* each = environment; each != NULL && *each != NULL; ++each) {
    is_refused |= strcmp(*each, "REFUSE_RESTART=1") == 0;
    is_restart |= strncmp(*each, "QUANTIMED_STARTED=", strlen("QUANTIMED_STARTED=")) == 0;
  }
  if (is_refused && is_restart) {
    errno = EPERM;
    return -1;
  }
  int (*execute)(const char*, char* const[], char* const[]) =
      (int (*)(const char*, char* const[], char* const[]))dlsym(RTLD_NEXT, "execve");
  return execute(path, arguments, environment);
}
