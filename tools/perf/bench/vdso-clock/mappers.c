// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: threads that work on mmap_lock */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "probe.h"

/* Holds mmap_lock for writing and reading as often as one thread can */
static void *mapper(void *arg)
{
	struct mapper *m = arg;

	vc_pin(m->c, m->nr);
	while (!READ_ONCE(*m->stop)) {
		void *p = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			       -1, 0);

		if (p != MAP_FAILED)
			munmap(p, m->size);
		WRITE_ONCE(m->rounds, m->rounds + 1);
	}
	return NULL;
}

/* Ends them; how many rounds they have done */
double vc_mappers_stop(struct mappers *all)
{
	double rounds = 0;

	WRITE_ONCE(all->stop, true);
	while (all->nr--) {
		pthread_join(all->m[all->nr].thread, NULL);
		rounds += all->m[all->nr].rounds;
	}
	free(all->m);
	return rounds;
}

/* 0 or -errno, to be stopped in either case. @round: what one round takes */
int vc_mappers_start(struct mappers *all, const struct vc_conf *c,
		     size_t size, uint64_t *round)
{
	unsigned long from;
	double start;
	uint64_t t;
	int err;

	all->nr = 0;
	all->stop = false;
	all->m = calloc(c->threads, sizeof(*all->m));
	if (!all->m)
		return -ENOMEM;
	while (all->nr < c->threads) {
		struct mapper *m = &all->m[all->nr];

		m->c = c;
		m->size = size;
		m->nr = all->nr + 1;
		m->stop = &all->stop;
		err = pthread_create(&m->thread, NULL, mapper, m);
		if (err)
			return -err;
		all->nr++;
	}
	start = vc_now();
	t = ticks();
	from = READ_ONCE(all->m[0].rounds);
	while (READ_ONCE(all->m[0].rounds) < from + 20 && vc_now() - start < 10)
		;
	*round = (ticks() - t) / 20;
	return 0;
}

/* Up to so many ticks: xorshift, the same waits in each run */
void vc_random_wait(uint64_t most)
{
	static uint64_t x = 88172645463325252ULL;
	uint64_t start = ticks(), wait;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	wait = x % (most + 1);
	while (ticks() - start < wait)
		;
}
