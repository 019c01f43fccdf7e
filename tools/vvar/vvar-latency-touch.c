// SPDX-License-Identifier: GPL-2.0
/*
 * First touches of vvar, vDSO text and the zero page without exec, on fresh mappings
 * that x86 makes. Elsewhere of vvar alone, in the mapping that a process has: from 7.x on
 * it can drop the pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tsc.h"
#include "vvar-latency.h"

#define ARCH_MAP_VDSO_64	0x2003

/* Ticks of 8 instructions a round, six of them slow or not */
static __attribute__((noinline)) u64 work(unsigned int rounds, bool slow)
{
	u64 begin = ordered_tsc();
#ifdef __x86_64__
	u32 x = 3;

	if (slow)
		asm volatile("1:\n\t.rept 6\n\timull %1, %1\n\t.endr\n\t"
			     "decl %0\n\tjnz 1b"
			     : "+r" (rounds), "+r" (x) : : "cc");
	else
		asm volatile("1:\n\t.rept 6\n\tnop\n\t.endr\n\t"
			     "decl %0\n\tjnz 1b" : "+r" (rounds) : : "cc");
#endif
	return ordered_tsc() - begin;
}

/*
 * Does the TSC count instructions, as under QEMU's -icount shift=0? No CPU takes
 * one tick for each of six chained multiplications and of six NOPs.
 */
bool touch_counts(void)
{
	int i, good = 0;

	for (i = 0; i < 8; i++) {
		u64 slow = work(1000, true) - work(500, true);
		u64 fast = work(1000, false) - work(500, false);

		/* An interrupt may fall into one of them */
		good += slow == 4000 && fast == 4000;
	}
	return good >= 4;
}

/* Ticks of one load */
u64 touch(const char *p)
{
	u64 begin = ordered_tsc();

	*(volatile const char *)p;
	return ordered_tsc() - begin;
}

int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* Nearest rank */
u64 percentile(const u64 *sorted, size_t n, unsigned int percent)
{
	size_t rank = (n * percent + 99) / 100;

	return sorted[rank ? rank - 1 : 0];
}

/* Where this process has, say, [vvar]. 1 if it has it. */
int touch_find(const char *name, unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int found = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, name) &&
		    sscanf(line, "%lx-%lx", start, end) == 2)
			found = 1;
	}
	if (f)
		fclose(f);
	return found;
}

#ifdef __x86_64__
/*
 * Gives up this process's vvar and vDSO, which is the end of clock_gettime() in
 * libc, and finds room for fresh ones next to a page that is present: they find
 * a page table there, so that a first touch is measured and not the making of
 * one. 0 or -errno; -ENOENT if there is no vvar.
 */
int touch_room(struct room *r)
{
	static const char * const names[] = {
		"[vvar_hpet]", "[vvar]", "[vvar_vclock]", "[vdso]"
	};
	unsigned long start, end, time = 0, vvar = 0, size = 0;
	const size_t align = 2UL << 20;
	unsigned int i;
	char *p;

	r->page = sysconf(_SC_PAGESIZE);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!touch_find(names[i], &start, &end)) {
			if (i == 0 || i == 2)
				continue;
			return -ENOENT;
		}
		if (munmap((void *)start, end - start))
			return -errno;
		if (i == 1)
			time = size;
		size += end - start;
		if (i < 3)
			vvar = size;
	}
	r->time = time;
	r->vvar = vvar;
	r->size = size;

	p = mmap(NULL, 2 * align, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	p = (char *)(((uintptr_t)p + align - 1) & -align);
	madvise(p, align, MADV_NOHUGEPAGE);
	p += align / 2;
	*p = 1;
	r->at = p + r->page;
	return munmap(r->at, size + r->page) ? -errno : 0;
}

/* 0 or -errno */
int touch_map_vdso(const struct room *r)
{
	return syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, r->at) < 0 ? -errno : 0;
}

int touch_unmap_vdso(const struct room *r)
{
	return munmap(r->at, r->size) ? -errno : 0;
}

/* A page whose first touch finds the zero page; NULL with errno */
char *touch_map_zero(const struct room *r)
{
	char *p = mmap(r->at, r->page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		       MAP_FIXED_NOREPLACE, -1, 0);

	return p == r->at ? p : NULL;
}

#else /* !__x86_64__ */
int touch_room(struct room *r)
{
	unsigned long start, end;

	r->page = sysconf(_SC_PAGESIZE);
	if (!touch_find("[vvar]", &start, &end))
		return -ENOENT;
	r->at = (char *)start;
	r->time = 0;
	r->vvar = end - start;
	if (!touch_find("[vdso]", &start, &end))
		return -ENOENT;
	r->size = (char *)end - r->at;
	return 0;
}

int touch_map_vdso(const struct room *r)
{
	return madvise(r->at, r->vvar, MADV_DONTNEED) ? -errno : 0;
}

int touch_unmap_vdso(const struct room *r)
{
	(void)r;
	return 0;
}

char *touch_map_zero(const struct room *r)
{
	(void)r;
	errno = EOPNOTSUPP;
	return NULL;
}
#endif /* !__x86_64__ */
