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
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vvar-latency.h"

static const char usage[] =
"usage: vvar-latency-load touch N [KIB]  N first touches of each kind of page;\n"
"                                        KIB: while a thread maps and unmaps that much\n"
"       vvar-latency-load storm N        N processes: fork, exec, read the clock\n"
"       vvar-latency-load clock          read the clock once\n";

static int stop;

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

static void *hammer(void *arg)
{
	size_t len = *(size_t *)arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
			       0);

		if (p == MAP_FAILED || munmap(p, len))
			exit(fail("mmap", errno));
	}
	return NULL;
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
	ret = touch_room(&r);
	if (ret == -ENOENT) {
		fputs("vvar-latency-load: no [vvar], no [vdso]: vdso=0?\n",
		      stderr);
		return 1;
	}
	if (ret)
		return fail("making room for a vDSO", -ret);

	if (pressure) {
		ret = pthread_create(&thread, NULL, hammer, &pressure);
		if (ret)
			return fail("pthread_create", ret);
	}
	for (i = 0; i < n; i++) {
		ret = touch_map_vdso(&r);
		if (ret)
			return fail("ARCH_MAP_VDSO_64 (CONFIG_CHECKPOINT_RESTORE)",
				    -ret);
		vvar[i] = touch(r.at);
		text[i] = touch(r.at + r.vvar);
		ret = touch_unmap_vdso(&r);
		if (ret)
			return fail("munmap", -ret);

		z = touch_map_zero(&r);
		if (!z)
			return fail("mmap", errno);
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
	if (n && argc == 3 && !strcmp(argv[1], "storm"))
		return do_storm(argv[0], n);
	if (n && !strcmp(argv[1], "touch") && (argc == 3 || (argc == 4 && kib)))
		return do_touch(n, kib << 10);
	fputs(usage, stderr);
	return 2;
}
