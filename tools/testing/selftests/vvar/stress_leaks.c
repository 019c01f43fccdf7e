// SPDX-License-Identifier: GPL-2.0
/* The stress test: what the kernel says, and whether it kept anything. */
#define _GNU_SOURCE
#include <dirent.h>

#include "../kselftest.h"
#include "stress.h"

/* Reports of the kernel since @fd was opened at the end of its log */
unsigned int splats(int fd)
{
	static const char * const bad[] = {
		"WARNING:", "BUG:", "Oops", "general protection", "KASAN",
		"KCSAN", "UBSAN", "kmemleak:", "suspicious RCU", "possible ",
		"INFO: task", "detected stall", "Bad page", "Bad rss",
		"corruption", "non-zero pgtables", "pagealloc:",
	};
	unsigned int i, nr = 0;
	char buf[2048];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0 || errno == EPIPE) {
		if (n < 0)
			continue;	/* overwritten: the next one, then */
		buf[n] = 0;
		/* A whole kernel has races, and a title does not tell whose */
		if (strstr(buf, "BUG: KCSAN:") && !strstr(buf, "vvar") &&
		    !strstr(buf, "vdso") && !strstr(buf, "vclock"))
			continue;
		/* In kernel/sched/deadline.c; a stock 6.12 says it, too */
		if (strstr(buf, "WARNING:") &&
		    strstr(buf, " inactive_task_timer+")) {
			ksft_print_msg("kernel, as stock: %s", buf);
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			if (strstr(buf, bad[i])) {
				ksft_print_msg("kernel: %s", buf);
				nr++;
				break;
			}
		}
	}
	return nr;
}

static unsigned int count_caches(struct resources *r)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[512];

	while (f && r->nr_caches < ARRAY_SIZE(r->cache) &&
	       fgets(line, sizeof(line), f)) {
		struct cache *c = &r->cache[r->nr_caches];

		/* "slabinfo - version", and a line of headings */
		if (sscanf(line, "%31s %lu %*u %*u %lu", c->name, &c->objects,
			   &c->per_slab) == 3)
			r->nr_caches++;
	}
	if (f)
		fclose(f);
	return r->nr_caches;
}

/* What is freed later - by RCU, task work, shrinkers, CPUs' own lists - first */
static void settle(void)
{
	char path[300];
	struct dirent *d;
	unsigned int i;
	DIR *dir;

	for (i = 0; i < 3; i++) {
		sleep_ms(1000);
		put_text("/proc/sys/vm/drop_caches", "3");
		dir = opendir("/sys/kernel/slab");
		while (dir && (d = readdir(dir))) {
			snprintf(path, sizeof(path),
				 "/sys/kernel/slab/%s/shrink", d->d_name);
			put_text(path, "1");
		}
		if (dir)
			closedir(dir);
	}
	put_text("/proc/sys/vm/stat_refresh", "1");
}

void resources(struct resources *r)
{
	FILE *f = fopen("/proc/sys/fs/file-nr", "r");
	char line[128];

	settle();
	memset(r, 0, sizeof(*r));
	r->page_tables = meminfo_kb("PageTables:");
	r->stolen_anon = vmstat("pgsteal_anon");
	r->stolen_file = vmstat("pgsteal_file");
	r->huge = vmstat("thp_fault_alloc");
	r->collapsed = vmstat("thp_collapse_alloc");
	count_caches(r);
	if (!f || fscanf(f, "%lu", &r->files) != 1)
		r->files = 0;
	if (f)
		fclose(f);
	f = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	while (f && fgets(line, sizeof(line), f))
		r->memtypes++;
	if (f)
		fclose(f);
}

/*
 * Each CPU's slab counts as in use, and what runs beside us has objects. Left out:
 * what was looked up since (kmalloc-rcl: long names), and a stock of each CPU's.
 */
static bool leaks(const struct cache *old, const struct cache *new)
{
	return strcmp(new->name, "inode_cache") &&
	       strcmp(new->name, "dentry") && strcmp(new->name, "vmap_area") &&
	       strncmp(new->name, "kmalloc-rcl-", 12) &&
	       new->objects > old->objects + 64 +
			      new->per_slab * sysconf(_SC_NPROCESSORS_CONF);
}

unsigned int leaking_caches(const struct resources *then,
			    const struct resources *after)
{
	static const struct cache none;
	unsigned int i, j, nr = 0;

	for (i = 0; i < after->nr_caches; i++) {
		const struct cache *c = &after->cache[i], *old = NULL;

		for (j = 0; j < then->nr_caches && !old; j++)
			if (!strcmp(then->cache[j].name, c->name))
				old = &then->cache[j];
		if (!old)
			old = &none;
		if (!leaks(old, c))
			continue;
		ksft_print_msg("cache %s: %lu objects before, %lu after\n",
			       c->name, old->objects, c->objects);
		nr++;
	}
	return nr;
}
