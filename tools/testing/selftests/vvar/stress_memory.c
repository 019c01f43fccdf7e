// SPDX-License-Identifier: GPL-2.0
/* The stress test: memory pressure. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../kselftest.h"
#include "stress.h"

char min_free[24];

unsigned long meminfo_kb(const char *what)
{
	char line[128];
	unsigned long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, what, strlen(what))) {
			kb = strtoul(line + strlen(what) + 1, NULL, 10);
			break;
		}
	}
	if (f)
		fclose(f);
	return kb;
}

/* The victim, if it comes to that */
static void first_to_die(void)
{
	if (!put_text("/proc/self/oom_score_adj", "1000"))
		wrong("oom_score_adj: %s", strerror(errno));
}

/* The sum of what /proc/vmstat has under names that begin with @name */
unsigned long vmstat(const char *name)
{
	unsigned long sum = 0, n;
	char line[128];
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line, "%*s %lu", &n) == 1)
			sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

/* Pages of files that can be read again: what reclaim takes without swap */
static void fill_page_cache(void)
{
	static char buf[1 << 16];
	DIR *dir = opendir("/usr/bin");
	struct dirent *d;
	size_t done = 0;
	ssize_t n;
	int fd;

	while (dir && done < PAGE_CACHE_BYTES && !stopping() &&
	       (d = readdir(dir))) {
		fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
			done += n;
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/*
 * Page cache and huge pages, until little is left. Every third time, as much has to
 * stay free as is free: reclaim starts at once, and long before the OOM killer.
 */
void job_pressure(void)
{
	const size_t step = 8 << 20;
	unsigned long total = meminfo_kb("MemTotal:"), left;
	char *chunk[4096], text[24];
	unsigned int n, i, max, round = 0;
	int fd;

	first_to_die();
	setpriority(PRIO_PROCESS, 0, -10);
	while (!stopping()) {
		char path[] = "/tmp/vvar-stress.XXXXXX";

		fd = mkstemp(path);
		unlink(path);
		left = total / 8 + rnd(total / 4 * 3);
		max = ARRAY_SIZE(chunk);
		if (round++ % 3 == 0) {
			fill_page_cache();
			snprintf(text, sizeof(text), "%lu",
				 meminfo_kb("MemFree:") / 8 * 7);
			if (!put_text(MIN_FREE, text))
				wrong("%s: %s", MIN_FREE, strerror(errno));
			left = 0;
			max = 8;
		}
		for (n = 0; n < max && !stopping(); n++) {
			if (meminfo_kb("MemAvailable:") < left)
				break;
			chunk[n] = mmap(NULL, step, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (chunk[n] == MAP_FAILED)
				break;
			madvise(chunk[n], step, MADV_HUGEPAGE);
			for (i = 0; i < step; i += page)
				chunk[n][i] = 1;
			if (fd >= 0 && n % 8 == 0 &&
			    write(fd, chunk[n], step) < 0 && errno != ENOSPC)
				wrong("write: %s", strerror(errno));
		}
		while (n--)
			munmap(chunk[n], step);
		close(fd);
		put_text(MIN_FREE, min_free);
		read_clock(vd.base);
		counted(PRESSURE);
		sleep_ms(200);
	}
}
