// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: where vvar, vDSO and their fresh mappings are, and touches of them */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "probe.h"

/* The [vvar*] and [vdso] lines of maps, in address order */
int vc_find_areas(struct vc_area *area, int max)
{
	static char maps[1 << 16];
	size_t len = 0;
	ssize_t got;
	char *line, *save;
	int n = 0, fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((got = read(fd, maps + len, sizeof(maps) - 1 - len)) > 0)
		len += got;
	close(fd);
	maps[len] = 0;
	for (line = strtok_r(maps, "\n", &save); line && n < max;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, '[');
		unsigned long from, to;

		if (!name || (strncmp(name, "[vvar", 5) &&
			      strcmp(name, "[vdso]")))
			continue;
		if (sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		area[n].start = from;
		area[n].end = to;
		snprintf(area[n].name, sizeof(area[n].name), "%s", name);
		n++;
	}
	return n;
}

/* Which of them has the time data: device registers may lie in front of it */
const struct vc_area *vc_vvar_of(const struct vc_area *area, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (!strncmp(area[i].name, "[vvar]", 6))
			return &area[i];
	}
	return area;
}

static sigjmp_buf bus_jmp;

static void on_bus(int sig)
{
	siglongjmp(bus_jmp, sig);
}

noinline uint64_t vc_touch(uintptr_t p)
{
	uint64_t t = ticks();

	READ_ONCE(*(const char *)p);
	return ticks() - t;
}

/* 32-bit libc enters the kernel through the vDSO, which would touch it */
static long raw_syscall(long nr, long a, void *b)
{
#ifdef __i386__
	long ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (nr), "b" (a), "c" (b)
		     : "memory");
	return ret;
#else
	return syscall(nr, a, b);
#endif
}

pid_t vc_raw_fork(void)
{
#ifdef __i386__
	return raw_syscall(__NR_fork, 0, NULL);
#else
	return fork();
#endif
}

long vc_minflt(void)
{
	struct rusage ru;

	raw_syscall(__NR_getrusage, RUSAGE_THREAD, &ru);
	return ru.ru_minflt;
}

/* Is there anything to read? Touches the page: ticks and faults that it took. */
bool vc_touch_page(uintptr_t page, uint64_t *t, long *flt)
{
	struct sigaction sa = { .sa_handler = on_bus }, old, old_segv;
	bool ok = false;

	sigaction(SIGBUS, &sa, &old);
	sigaction(SIGSEGV, &sa, &old_segv);
	if (!sigsetjmp(bus_jmp, 1)) {
		long before = vc_minflt();

		*t = vc_touch(page);
		*flt = vc_minflt() - before;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);
	return ok;
}

static int map_anon(uintptr_t at, size_t size, int prot)
{
	void *p = mmap((void *)at, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		       -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

#if defined(__x86_64__) && defined(__LP64__)
#define ARCH_MAP_VDSO	0x2003	/* ARCH_MAP_VDSO_64 */

static void move_clock(struct room *r, const struct vc_area *area, int n)
{
	int i;

	for (i = 0; i < n; i++)
		munmap((void *)area[i].start, area[i].end - area[i].start);
	r->clock = r->base + ROOM_CLOCK;
}

/* A fresh vvar and vDSO, no page of them present */
int vc_remap_clock(struct room *r)
{
	munmap((void *)r->clock, r->size);
	if (syscall(__NR_arch_prctl, ARCH_MAP_VDSO, r->clock) <= 0)
		return -errno;
	/* arch_prctl takes the address as a hint */
	if (msync((void *)r->clock, r->size, MS_ASYNC))
		return -EEXIST;
	return 0;
}
#else
static void move_clock(struct room *r, const struct vc_area *area,
		       int n __maybe_unused)
{
	r->clock = area[0].start;
}

/* They stay where they are: from 7.x on, vvar pages can be dropped like others */
int vc_remap_clock(struct room *r)
{
	return madvise((void *)r->clock, r->size, MADV_DONTNEED) ? -errno : 0;
}
#endif

static int remap_zero(struct room *r)
{
	return map_anon(r->base + ROOM_ZERO, r->page, PROT_READ);
}

/* From here on libc must not read the clock: its vDSO goes away */
int vc_room_init(struct room *r, const char **why)
{
	struct vc_area area[8];
	int err, n = vc_find_areas(area, ARRAY_SIZE(area));
	void *p;

	*why = "the mappings of this process";
	if (n < 0)
		return n;
	if (n < 2)
		return -ENOENT;
	r->page = sysconf(_SC_PAGESIZE);
	r->size = area[n - 1].end - area[0].start;
	r->vvar = vc_vvar_of(area, n)->start - area[0].start;
	r->text = area[n - 1].start - area[0].start;

	*why = "address space";
	p = mmap(NULL, 2 * ROOM_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	r->base = ((uintptr_t)p + ROOM_SIZE - 1) & ~(ROOM_SIZE - 1);
	err = map_anon(r->base, r->page, PROT_READ | PROT_WRITE);
	if (err)
		return err;
	WRITE_ONCE(*(char *)r->base, 1);

	*why = "a fresh vvar and vDSO";
	move_clock(r, area, n);
	return vc_remap_clock(r);
}

void vc_page_name(char *to, size_t len, const char *name, int page)
{
	if (page)
		snprintf(to, len, "%s.page%d", name, page);
	else
		snprintf(to, len, "%s", name);
}

/* A fresh mapping, and the address in it; 0 if it can't be had */
uintptr_t vc_fresh(struct room *r, const struct target *t)
{
	if (t->zero)
		return remap_zero(r) ? 0 : r->base + ROOM_ZERO;
	return vc_remap_clock(r) ? 0 : r->clock + r->vvar + t->offset;
}
