// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: the first touch while others hold mmap_lock */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe.h"

/*
 * Mapping a fresh page has just waited for mmap_lock, so the other threads are
 * still waking up when it returns. A random wait of up to one of their rounds
 * makes the touch meet them at any point of their work. Meanwhile they have
 * flushed this CPU's TLB many times, which costs an emulated CPU more than the
 * fault itself, so a fault that isn't timed comes first: that of a file page,
 * which needs no mmap_lock and warms what all faults share. Not an anonymous
 * one: it would warm the yardstick's own code, too, and not vvar's.
 */
static int contend_touch(struct room *r, const struct target *target,
			 uint64_t round, uint64_t *t)
{
	uintptr_t file = r->base + ROOM_FILE, p;

	if (mmap((void *)file, r->page, PROT_READ, MAP_SHARED | MAP_FIXED,
		 r->file, 0) == MAP_FAILED)
		return errno;
	p = vc_fresh(r, target);
	if (!p)
		return errno;
	vc_random_wait(round);
	vc_touch(file);
	*t = vc_touch(p);
	return 0;
}

static int contend_size(const struct vc_conf *c, struct room *r,
			const char *label, size_t size)
{
	static const struct target clock = { .name = "vvar" };
	static const struct target zero = { .name = "zero", .zero = true };
	double *val[2], start, overhead, *warm, rounds;
	struct mappers mappers;
	unsigned long i, n = 0;
	uint64_t round;
	char name[80];
	int err;

	val[0] = vc_alloc(c->loops);
	val[1] = vc_alloc(c->loops);
	warm = vc_alloc(c->loops);
	err = -vc_mappers_start(&mappers, c, size, &round);
	start = vc_now();
	for (i = 0; !err && i < c->warmup + c->loops; i++) {
		long s = (long)i - (long)c->warmup;
		uint64_t t[3];

		if (s > 0 && vc_expired(c, start))
			break;
		/* The yardstick takes turns with what is measured */
		err = contend_touch(r, &clock, round, &t[0]);
		if (!err)
			err = contend_touch(r, &zero, round, &t[1]);
		t[2] = vc_touch(r->base);
		if (err || s < 0)
			continue;
		val[0][s] = t[0];
		val[1][s] = t[1];
		warm[s] = t[2];
		n++;
	}
	rounds = vc_mappers_stop(&mappers);
	if (!err) {
		overhead = vc_median(warm, n);
		snprintf(name, sizeof(name), "contend.%s.vvar", label);
		vc_emit_ticks(c, name, val[0], n, overhead, 1);
		snprintf(name, sizeof(name), "contend.%s.zero", label);
		vc_emit_ticks(c, name, val[1], n, overhead, 1);
		snprintf(name, sizeof(name), "contend.%s.rounds", label);
		vc_emit(c, name, "count", false, &rounds, 1);
		snprintf(name, sizeof(name), "overhead.contend.%s", label);
		vc_emit_ticks(c, name, warm, n, 0, 1);
	}
	free(val[0]);
	free(val[1]);
	free(warm);
	return -err;
}

int vc_contend(const struct vc_conf *c)
{
	static const struct {
		const char	*label;
		size_t		size;
	} sizes[] = {
		{ "64K", 64UL << 10 },
		{ "2M", 2UL << 20 },
	};
	struct room r = { 0 };
	unsigned int i;
	const char *why;
	int err;

	if (vc_pin(c, 0))
		return -errno;
	err = vc_room_init(&r, &why);
	if (err) {
		vc_say(c, 'w', "contend: %s: %s", why, strerror(-err));
		return VC_EXIT_FALLBACK;
	}
	r.file = memfd_create("vdso-clock", MFD_CLOEXEC);
	if (r.file < 0 || pwrite(r.file, "x", 1, 0) != 1 ||
	    ftruncate(r.file, r.page))
		return -errno;
	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++)
		err = contend_size(c, &r, sizes[i].label, sizes[i].size);
	return err;
}
