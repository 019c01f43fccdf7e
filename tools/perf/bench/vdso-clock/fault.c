// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: the first touch of each page */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "probe.h"

#define MAX_TARGETS	64

static void add_target(struct target *t, int *n, const char *name, int page,
		       long offset)
{
	if (*n == MAX_TARGETS)
		return;
	vc_page_name(t[*n].name, sizeof(t->name), name, page);
	t[*n].offset = offset;
	t[*n].zero = !strcmp(name, "zero");
	(*n)++;
}

static long vmstat_retry(int fd)
{
	static char text[1 << 15];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	char *p;

	if (got <= 0)
		return -1;
	text[got] = 0;
	p = strstr(text, "\nvma_lock_retry ");
	return p ? atol(p + sizeof("\nvma_lock_retry ") - 1) : -1;
}

/* How often each first touch had to start again under mmap_lock */
static void fault_retries(const struct vc_conf *c, struct room *r,
			  struct target *t, int nr)
{
	int i, k, n = c->loops < 32 ? c->loops : 32;
	int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	char name[80];
	double *val;

	if (fd < 0 || vmstat_retry(fd) < 0) {
		vc_skip(c, "fault.vvar.vma_lock_retry",
			"no vma_lock_retry in /proc/vmstat (CONFIG_PER_VMA_LOCK_STATS)");
		if (fd >= 0)
			close(fd);
		return;
	}
	val = vc_alloc(n);
	for (k = 0; k < nr; k++) {
		for (i = 0; i < n; i++) {
			uintptr_t p = vc_fresh(r, &t[k]);
			long before = vmstat_retry(fd);

			if (p)
				vc_touch(p);
			val[i] = vmstat_retry(fd) - before;
		}
		snprintf(name, sizeof(name), "fault.%.39s.vma_lock_retry",
			 t[k].name);
		vc_emit(c, name, "count", true, val, n);
	}
	free(val);
	close(fd);
}

/* Faults that it takes until every page of a range is there */
static void fault_all(const struct vc_conf *c, struct room *r,
		      const char *name, struct target *t, int nr,
		      const char *kind)
{
	double flt = 0;
	int k, len = strlen(kind);

	if (vc_remap_clock(r))
		return;
	for (k = 0; k < nr; k++) {
		long before = vc_minflt();

		if (strncmp(t[k].name, kind, len))
			continue;
		vc_touch(r->clock + r->vvar + t[k].offset);
		flt += vc_minflt() - before;
	}
	vc_emit(c, name, "faults", true, &flt, 1);
}

static noinline uint64_t time_getppid(void)
{
	uint64_t t = ticks();

	syscall(__NR_getppid);
	return ticks() - t;
}

int vc_fault(const struct vc_conf *c)
{
	struct target t[MAX_TARGETS] = { 0 };
	double *warm, *pid, *none, start, overhead, nothing;
	unsigned long i, n = 0;
	struct room r = { 0 };
	const char *why;
	int k, nr = 0, err;
	char name[80];
	uint64_t took;
	size_t off;
	long flt;

	if (vc_pin(c, 0))
		return -errno;
	err = vc_room_init(&r, &why);
	if (err) {
		vc_say(c, 'w', "fault: %s: %s%s", why, strerror(-err),
		       err == -EINVAL ? " (no CONFIG_CHECKPOINT_RESTORE?)" : "");
		return VC_EXIT_FALLBACK;
	}
	for (off = 0; off < r.size; off += r.page) {
		bool text = off >= r.text, hpet = off < r.vvar;
		int page = (off - (text ? r.text : hpet ? 0 : r.vvar)) / r.page;

		if (vc_touch_page(r.clock + off, &took, &flt)) {
			add_target(t, &nr, text ? "text" : hpet ? "hpet" : "vvar",
				   page, off - r.vvar);
			continue;
		}
		snprintf(name, sizeof(name), "fault.vvar.page%d", page);
		vc_skip(c, name, NO_PAGE);
	}
	add_target(t, &nr, "zero", 0, 0);
	for (k = 0; k < nr; k++) {
		t[k].val = vc_alloc(c->loops);
		t[k].flt = vc_alloc(c->loops);
	}
	warm = vc_alloc(c->loops);
	pid = vc_alloc(c->loops);
	none = vc_alloc(c->loops);

	start = vc_now();
	for (i = 0; i < c->warmup + c->loops; i++) {
		long s = (long)i - (long)c->warmup;

		if (s > 0 && vc_expired(c, start))
			break;
		for (k = 0; k < nr; k++) {
			uintptr_t p = vc_fresh(&r, &t[k]);
			long before = vc_minflt();
			double val;

			if (!p)
				return -errno;
			val = vc_touch(p);
			if (s < 0)
				continue;
			t[k].flt[s] = vc_minflt() - before;
			t[k].val[s] = val;
		}
		if (s < 0) {
			time_getppid();
			vc_time_nothing();
			continue;
		}
		warm[s] = vc_touch(r.base);
		pid[s] = time_getppid();
		none[s] = vc_time_nothing();
		n++;
	}

	overhead = vc_median(warm, n);
	nothing = vc_median(none, n);
	for (k = 0; k < nr; k++) {
		snprintf(name, sizeof(name), "fault.%.39s", t[k].name);
		vc_emit_ticks(c, name, t[k].val, n, overhead, 1);
		snprintf(name, sizeof(name), "fault.%.39s.faults", t[k].name);
		vc_emit(c, name, "faults", true, t[k].flt, n);
	}
	fault_all(c, &r, "fault.vvar.all.faults", t, nr, "vvar");
	fault_all(c, &r, "fault.text.all.faults", t, nr, "text");
	vc_emit_ticks(c, "fault.getppid", pid, n, nothing, 1);
	vc_emit_ticks(c, "overhead.touch", warm, n, 0, 1);
	vc_emit_ticks(c, "overhead.timer", none, n, 0, 1);
	fault_retries(c, &r, t, nr);
	return 0;
}
