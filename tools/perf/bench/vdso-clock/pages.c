// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: what each page is */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "probe.h"

/* The line of a file that holds the range addr is in: "from-to rest" */
static bool range_line(const char *file, uint64_t addr, char *rest, size_t len)
{
	FILE *f = fopen(file, "r");
	char line[256];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "0x");
		unsigned long long from, to;
		int used = 0;

		if (!p || sscanf(p, "%llx-%llx%n", &from, &to, &used) != 2 ||
		    addr < from || addr >= to)
			continue;
		p[used + strcspn(p + used, "\n")] = 0;
		snprintf(rest, len, "%s", p + used);
		found = true;
	}
	fclose(f);
	return found;
}

static const char *cache_type(uintptr_t page, uint64_t pfn)
{
	/* By PAT, PCD and PWT, as Linux programs the PAT register */
	static const char * const type[] = {
		"WB", "WC", "UC-", "UC", "WB", "WP", "UC-", "WT"
	};
	static char text[256];
	char *p;

	if (range_line("/sys/kernel/debug/page_tables/current_user", page,
		       text, sizeof(text)) ||
	    range_line("/sys/kernel/debug/page_tables/current_kernel", page,
		       text, sizeof(text)))
		return type[!!strstr(text, "PAT") << 2 |
			    !!strstr(text, "PCD") << 1 | !!strstr(text, "PWT")];
	if (pfn && range_line("/sys/kernel/debug/x86/pat_memtype_list",
			      pfn * sysconf(_SC_PAGESIZE), text, sizeof(text))) {
		p = strrchr(text, ' ');
		return p ? p + 1 : text;
	}
	return "?";
}

static uint64_t frame_of(uintptr_t page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry),
		  page / sysconf(_SC_PAGESIZE) * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

/* pagemap says nothing about vvar: a page is present if it takes no fault */
static bool faults(uintptr_t page)
{
	long before = vc_minflt();

	vc_touch(page);
	return vc_minflt() > before;
}

static void page_latency(const struct vc_conf *c, const char *area, int len,
			 int nr, uintptr_t page)
{
	double *val = vc_alloc(c->loops), *none = vc_alloc(c->loops);
	double start = vc_now();
	unsigned long k, n = 0;
	char name[80];

	for (k = 0; k < c->warmup; k++)
		vc_touch(page);
	while (n < c->loops && !(n && vc_expired(c, start))) {
		none[n] = vc_time_nothing();
		val[n++] = vc_touch(page);
	}
	snprintf(name, sizeof(name), "pages.%.*s.%d.read", len, area, nr);
	vc_emit_ticks(c, name, val, n, vc_median(none, n), 1);
	snprintf(name, sizeof(name), "overhead.pages.%.*s.%d", len, area, nr);
	vc_emit_ticks(c, name, none, n, 0, 1);
	free(val);
	free(none);
}

static void one_page(const struct vc_conf *c, const struct vc_area *area,
		     uintptr_t page, bool *some_type)
{
	int nr = (page - area->start) / sysconf(_SC_PAGESIZE);
	int len = strcspn(area->name + 1, "]");
	const char *type = "-";
	char frame[32] = "-";
	uint64_t pfn, t;
	long flt;
	bool is;

	if (!vc_touch_page(page, &t, &flt)) {
		vc_say(c, 'r', "%-14s %4d %-8s %-8s %-5s %s", area->name, nr,
		       "no", "SIGBUS", type, frame);
		return;
	}
	is = !faults(page);
	if (is) {
		pfn = frame_of(page);
		type = cache_type(page, pfn);
		*some_type |= *type != '?';
		if (pfn)
			snprintf(frame, sizeof(frame), "0x%llx",
				 (unsigned long long)pfn);
	}
	vc_say(c, 'r', "%-14s %4d %-8s %-8s %-5s %s", area->name, nr,
	       flt ? "no" : "yes", "yes", type, frame);
	if (!c->emulated)
		page_latency(c, area->name + 1, len, nr, page);
}

int vc_pages(const struct vc_conf *c)
{
	struct vc_area area[8];
	int i, n = vc_find_areas(area, ARRAY_SIZE(area));
	bool some_type = false;
	uintptr_t page;
	uint64_t t;
	long flt;

	if (n <= 0)
		return n ? n : -ENOENT;
	if (vc_pin(c, 0))
		return -errno;
	/* Whatever the counting itself must fault in */
	vc_touch_page((uintptr_t)area, &t, &flt);
	vc_say(c, 'r', "%-14s %4s %-8s %-8s %-5s %s", "area", "page",
	       "present", "readable", "cache", "frame");
	for (i = 0; i < n; i++)
		for (page = area[i].start; page < area[i].end;
		     page += sysconf(_SC_PAGESIZE))
			one_page(c, &area[i], page, &some_type);
	if (c->emulated)
		vc_skip(c, "pages.read",
			"an emulated CPU ignores cache types: a read's latency says nothing");
	if (!some_type)
		vc_skip(c, "pages.cache",
			"cache types are in /sys/kernel/debug/page_tables (CONFIG_PTDUMP_DEBUGFS, root)");
	return 0;
}
