// SPDX-License-Identifier: GPL-2.0
/*
 * The conformance test: each page, by pagemap, load and store, and the same in a
 * time namespace.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/fs.h>

#include "conformance.h"

/*
 * /proc/PID/pagemap
 */
void see_pagemap(void)
{
	struct page_region region;
	struct pm_scan_arg scan;
	unsigned int i, p;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		_exit(1);
	for (i = 0; i < as.nr; i++) {
		const struct area *a = &as.area[i];

		for (p = 0; p < area_pages(a); p++) {
			long ret;

			say("%s%s = ", mark_of(a, p), label(a, p));
			say_pagemap(a->start + p * AREAS_PAGE);
			memset(&region, 0, sizeof(region));
			scan = (struct pm_scan_arg) {
				.size = sizeof(scan),
				.start = a->start + p * AREAS_PAGE,
				.end = a->start + (p + 1) * AREAS_PAGE,
				.vec = (uintptr_t)&region,
				.vec_len = 1,
				.return_mask = 0xff & ~PAGE_IS_SOFT_DIRTY,
			};
			ret = ioctl(fd, PAGEMAP_SCAN, &scan);
			say(", scan %s categories %#llx\n", areas_outcome(ret),
			    (unsigned long long)region.categories);
		}
	}
	close(fd);
}

void see_reads(void)
{
	unsigned int i, p;

	for (i = 0; i < as.nr; i++) {
		for (p = 0; p < area_pages(&as.area[i]); p++) {
			say("%s%s load = %s\n", mark_of(&as.area[i], p),
			    label(&as.area[i], p),
			    access_outcome(as.area[i].start + p * AREAS_PAGE,
					   false));
		}
	}
}

void see_stores(void)
{
	unsigned int i, p;

	for (i = 0; i < as.nr; i++) {
		for (p = 0; p < area_pages(&as.area[i]); p++) {
			say("%s store = %s\n", label(&as.area[i], p),
			    access_outcome(as.area[i].start + p * AREAS_PAGE,
					   true));
		}
	}
}

/*
 * In a time namespace the pages of the time data change places
 */
void see_timens(void)
{
	struct timespec now, direct;
	int status;

	if (unshare(CLONE_NEWTIME)) {
		say("unshare = %s\n", areas_outcome(-1));
		_exit(0);
	}
	put_text("/proc/self/timens_offsets", "monotonic 100000 0\n");
	if (!fork()) {
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &direct);
		now = direct;
		/* libc calls the 64-bit image, where it was */
		if (native) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			say("vDSO and system call %s\n",
			    labs(now.tv_sec - direct.tv_sec) < 10 ? "agree" :
			    "disagree");
		}
		say("the offset is %sthere\n",
		    now.tv_sec >= 100000 ? "" : "not ");
		see_reads();
		see_stores();
		see_pagemap();
		_exit(0);
	}
	wait(&status);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
