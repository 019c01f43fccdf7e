// SPDX-License-Identifier: GPL-2.0
/*
 * Work for vvar-latency to look at: first touches of vvar, vDSO text and the
 * zero page, on fresh mappings; processes that exec and read the clock.
 *
 * touch prints what the touches took as user space sees it, in TSC ticks (name,
 * count, p50, p90, p99, max): an outside check of what a trace says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tsc.h"
#include "vvar-latency.h"

static const char usage[] =
"usage: vvar-latency-load touch N [KIB]  N first touches of each kind of page;\n"
"                                        KIB: while a thread maps, protects and unmaps that much\n"
"       vvar-latency-load moved N        N first touches of a vvar that mremap() moved\n"
"       vvar-latency-load pages          read, then write fresh vDSO text; prints the pages\n"
"                                        of vDSO text that were there afterwards\n"
"       vvar-latency-load storm N        N processes: fork, exec, read the clock\n"
"       vvar-latency-load clock          read the clock once\n";

static int stop;
static u64 round_ticks;		/* of the thread below; 0: there is none */

static int fail(const char *what, int error)
{
	fprintf(stderr, "vvar-latency-load: %s: %s\n", what, strerror(error));
	return 1;
}

static void print(const char *name, u64 *val, size_t n)
{
	qsort(val, n, sizeof(*val), cmp_u64);
	printf("%s %zu %llu %llu %llu %llu\n", name, n,
	       (unsigned long long)percentile(val, n, 50),
	       (unsigned long long)percentile(val, n, 90),
	       (unsigned long long)percentile(val, n, 99),
	       (unsigned long long)val[n - 1]);
}

/* mprotect() keeps mmap_lock for as long as it changes PTEs */
static void *hammer(void *arg)
{
	size_t len = *(size_t *)arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		u64 begin = ordered_tsc();
		void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
			       0);

		if (p == MAP_FAILED || mprotect(p, len, PROT_READ) ||
		    munmap(p, len))
			exit(fail("mmap", errno));
		__atomic_store_n(&round_ticks, ordered_tsc() - begin,
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * Who has just mapped a page has just waited for mmap_lock, and the other thread
 * is still waking up. Up to one of its rounds later a touch meets it anywhere.
 */
static void meet(void)
{
	static u64 x = 88172645463325252ULL;
	u64 most = __atomic_load_n(&round_ticks, __ATOMIC_RELAXED);
	u64 begin = ordered_tsc();

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	while (ordered_tsc() - begin < x % (most + 1))
		;
}

/* 0, or an exit status after a message */
static int make_room(struct room *r)
{
	int ret = touch_room(r);

	if (ret == -ENOENT) {
		fputs("vvar-latency-load: no [vvar], no [vdso]: vdso=0?\n",
		      stderr);
		return 1;
	}
	return ret ? fail("making room for a vDSO", -ret) : 0;
}

static int map_vdso(const struct room *r)
{
	int ret = touch_map_vdso(r);

	return ret ? fail("ARCH_MAP_VDSO_64 (CONFIG_CHECKPOINT_RESTORE)", -ret) :
		     0;
}

static int do_touch(size_t n, size_t pressure)
{
	u64 *vvar = calloc(n, sizeof(*vvar));
	u64 *text = calloc(n, sizeof(*text));
	u64 *zero = calloc(n, sizeof(*zero));
	pthread_t thread;
	struct room r;
	size_t i;
	char *z;
	int ret;

	if (!vvar || !text || !zero)
		return fail("N touches", ENOMEM);
	ret = make_room(&r);
	if (ret)
		return ret;

	if (pressure) {
		ret = pthread_create(&thread, NULL, hammer, &pressure);
		if (ret)
			return fail("pthread_create", ret);
	}
	for (i = 0; i < n; i++) {
		ret = map_vdso(&r);
		if (ret)
			return ret;
		meet();
		vvar[i] = touch(r.at + r.time);
		meet();
		text[i] = touch(r.at + r.vvar);
		ret = touch_unmap_vdso(&r);
		if (ret)
			return fail("munmap", -ret);

		z = touch_map_zero(&r);
		if (!z)
			return fail("mmap", errno);
		meet();
		zero[i] = touch(z);
		if (munmap(z, r.page))
			return fail("munmap", errno);
	}
	if (pressure) {
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
	}
	print("vvar", vvar, n);
	print("vdso", text, n);
	print("zero", zero, n);
	return 0;
}

static int do_moved(size_t n)
{
	unsigned long start, end;
	struct room r;
	char *to, *p;
	int ret;

	ret = make_room(&r);
	if (ret)
		return ret;
	to = r.at + r.size + 16 * r.page;
	while (n--) {
		ret = map_vdso(&r);
		if (ret)
			return ret;
		if (!touch_find("[vvar]", &start, &end))
			return fail("[vvar] in /proc/self/maps", ENOENT);
		p = mremap((void *)start, end - start, end - start,
			   MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (p != to)
			return fail("mremap", errno);
		touch(p);
		if (munmap(p, end - start))
			return fail("munmap", errno);
		ret = touch_unmap_vdso(&r);
		if (ret)
			return fail("munmap", -ret);
	}
	return 0;
}

/* The page that is mapped at @p, or 0 */
static u64 pfn_of(const char *p, size_t page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	u64 entry = 0;

	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)p / page * sizeof(entry)) !=
		      sizeof(entry))
		entry = 0;
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

static int do_pages(void)
{
	unsigned int write;
	struct room r;
	char *text;
	int ret;

	ret = make_room(&r);
	if (ret)
		return ret;
	text = r.at + r.vvar;
	for (write = 0; write < 2; write++) {
		ret = map_vdso(&r);
		if (ret)
			return ret;
		if (mprotect(text, r.size - r.vvar, PROT_READ | PROT_WRITE))
			return fail("mprotect", errno);
		if (write)
			*(volatile char *)text = 0;
		else
			touch(text);
		printf("0x%llx\n", pfn_of(text, r.page));
		ret = touch_unmap_vdso(&r);
		if (ret)
			return fail("munmap", -ret);
	}
	return 0;
}

static int do_storm(const char *self, size_t n)
{
	int status;
	pid_t pid;

	while (n--) {
		pid = fork();
		if (pid < 0)
			return fail("fork", errno);
		if (!pid) {
			execl(self, self, "clock", NULL);
			_exit(fail("exec", errno));
		}
		if (waitpid(pid, &status, 0) != pid)
			return fail("waitpid", errno);
		if (status) {
			fprintf(stderr, "vvar-latency-load: a child ended with wait status %#x\n",
				status);
			return 1;
		}
	}
	return 0;
}

/* A number above 0, or 0 */
static size_t number(const char *s)
{
	char *rest;
	size_t n = strtoul(s, &rest, 10);

	return *s == '-' || *rest || n > SIZE_MAX / 1024 ? 0 : n;
}

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? number(argv[2]) : 0;
	size_t kib = argc > 3 ? number(argv[3]) : 0;
	struct timespec ts;

	if (argc == 2 && !strcmp(argv[1], "clock"))
		return clock_gettime(CLOCK_MONOTONIC, &ts) ? 1 : 0;
	if (argc == 2 && !strcmp(argv[1], "pages"))
		return do_pages();
	if (n && argc == 3 && !strcmp(argv[1], "moved"))
		return do_moved(n);
	if (n && argc == 3 && !strcmp(argv[1], "storm"))
		return do_storm(argv[0], n);
	if (n && !strcmp(argv[1], "touch") && (argc == 3 || (argc == 4 && kib)))
		return do_touch(n, kib << 10);
	fputs(usage, stderr);
	return 2;
}
