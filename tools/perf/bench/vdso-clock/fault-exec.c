// SPDX-License-Identifier: GPL-2.0
/*
 * perf bench vdso-clock: the first touch of each page where no fresh vDSO can be
 * mapped: in programs of their own, which the helper runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "probe.h"

/* One first touch of each kind in a process that has just been exec'ed */
struct cold {
	uint64_t	vvar, text, zero, warm;
	/* -1: the mapping has no such page, or nothing behind it (-2) */
	long		vvar_flt, text_flt, zero_flt;
};

/* @arg: "fd,page" */
int vc_child_fault(const char *arg)
{
	struct cold *cold = mmap(NULL, sizeof(*cold), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t page = sysconf(_SC_PAGESIZE);
	struct vc_area area[8];
	int n = vc_find_areas(area, ARRAY_SIZE(area)), fd, nr;
	uintptr_t vvar, text;
	long before;
	pid_t pid;
	void *p;

	if (cold == MAP_FAILED || n < 2 || !arg ||
	    sscanf(arg, "%d,%d", &fd, &nr) != 2)
		return 1;
	vvar = vc_vvar_of(area, n)->start + nr * page;
	text = area[n - 1].start + nr * page;
	/* The start of the program has read the vDSO: page tables are there */
	cold->warm = vc_touch(area[n - 1].start);
	cold->vvar_flt = -1;
	if (vvar < area[n - 1].start &&
	    !vc_touch_page(vvar, &cold->vvar, &cold->vvar_flt))
		cold->vvar_flt = -2;
	cold->warm = vc_touch(area[n - 1].start);

	/* Fork copies the page tables of vvar, but not of the vDSO's text */
	cold->text_flt = -1;
	if (text < area[n - 1].end) {
		pid = vc_raw_fork();
		if (!pid) {
			cold->text = vc_touch((uintptr_t)cold);
			before = vc_minflt();
			cold->text = vc_touch(text);
			cold->text_flt = vc_minflt() - before;
			_exit(0);
		}
		if (vc_finish(pid))
			return 1;
	}

	/* Two pages, one present: the other one's page table is there */
	p = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	vc_touch((uintptr_t)p + page);
	before = vc_minflt();
	cold->zero = vc_touch((uintptr_t)p);
	cold->zero_flt = vc_minflt() - before;
	return write(fd, cold, sizeof(*cold)) != sizeof(*cold);
}

static void emit_cold(const struct vc_conf *c, const char *what, int page,
		      double *val, double *flt, unsigned long n,
		      double overhead)
{
	char name[40], faults[48];

	if (flt[0] == -1)
		return;
	vc_page_name(name, sizeof(name), what, page);
	if (flt[0] < 0) {
		vc_skip(c, name, NO_PAGE);
		return;
	}
	vc_emit_ticks(c, name, val, n, overhead, 1);
	snprintf(faults, sizeof(faults), "%s.faults", name);
	vc_emit(c, faults, "faults", true, flt, n);
}

int vc_fault_exec(const struct vc_conf *c)
{
	double *val[7], overhead = 0;
	struct cold cold = { 0 };
	int k, page, fd[2];
	char arg[32];

	if (vc_pin(c, 0) || pipe(fd))
		return -errno;
	for (k = 0; k < 7; k++)
		val[k] = vc_alloc(c->loops);
	for (page = 0; !page || cold.vvar_flt != -1 || cold.text_flt != -1;
	     page++) {
		double start = vc_now();
		unsigned long i, n = 0;

		snprintf(arg, sizeof(arg), "%d,%d", fd[1], page);
		for (i = 0; i < c->warmup + c->loops; i++) {
			long s = (long)i - (long)c->warmup;

			if (s > 0 && vc_expired(c, start))
				break;
			if (vc_finish(vc_spawn("child-fault", arg)) ||
			    read(fd[0], &cold, sizeof(cold)) != sizeof(cold))
				return -ECHILD;
			/* Nothing to measure: it is enough to know that */
			if (cold.vvar_flt < 0 && cold.text_flt < 0)
				s = 0;
			if (s < 0)
				continue;
			val[0][s] = cold.vvar;
			val[1][s] = cold.text;
			val[2][s] = cold.zero;
			val[3][s] = cold.warm;
			val[4][s] = cold.vvar_flt;
			val[5][s] = cold.text_flt;
			val[6][s] = cold.zero_flt;
			n = s + 1;
			if (cold.vvar_flt < 0 && cold.text_flt < 0)
				break;
		}
		if (!page)
			overhead = vc_median(val[3], n);
		emit_cold(c, "fault.vvar", page, val[0], val[4], n, overhead);
		emit_cold(c, "fault.text", page, val[1], val[5], n, overhead);
		if (page)
			continue;
		emit_cold(c, "fault.zero", 0, val[2], val[6], n, overhead);
		vc_emit_ticks(c, "overhead.touch", val[3], n, 0, 1);
	}
	for (k = 0; k < 7; k++)
		free(val[k]);
	return 0;
}
