/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests of vvar and vDSO mappings: find them, make them afresh, touch them.
 */
#ifndef VVAR_AREAS_H
#define VVAR_AREAS_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AREAS_PAGE	4096UL
#define AREAS_MAX	8

/* <asm/prctl.h> does not get on with all libc headers */
#define AREAS_MAP_X32	0x2001
#define AREAS_MAP_32	0x2002
#define AREAS_MAP_64	0x2003

/* A VMA of clock data ([vvar], later [vvar_vclock]) or of vDSO text */
struct area {
	unsigned long start;
	unsigned long end;
	bool text;
	char name[32];
};

struct areas {
	unsigned int nr;
	struct area area[AREAS_MAX];
};

static inline unsigned long area_pages(const struct area *a)
{
	return (a->end - a->start) / AREAS_PAGE;
}

static inline bool areas_is_name(const char *name)
{
	return !strncmp(name, "[vvar", 5) || !strcmp(name, "[vdso]");
}

/* The areas of a process, 0 for this one, lowest address first */
static inline bool areas_find(struct areas *as, int pid)
{
	char path[64] = "/proc/self/maps", line[512];
	FILE *maps;

	as->nr = 0;
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	if (!maps)
		return false;
	while (as->nr < AREAS_MAX && fgets(line, sizeof(line), maps)) {
		struct area *a = &as->area[as->nr];

		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %31s", &a->start,
			   &a->end, a->name) != 3 || !areas_is_name(a->name))
			continue;
		a->text = !strcmp(a->name, "[vdso]");
		as->nr++;
	}
	fclose(maps);
	return as->nr >= 2;
}

static inline const struct area *areas_named(const struct areas *as,
					     const char *name)
{
	unsigned int i;

	for (i = 0; i < as->nr; i++) {
		if (!strcmp(as->area[i].name, name))
			return &as->area[i];
	}
	return NULL;
}

/* The page that debugfs vvar/replace replaces: hvclock's, which has moved in 7.3 */
static inline unsigned long areas_replaced(const struct areas *as)
{
	const struct area *vvar = areas_named(as, "[vvar]");
	const struct area *vclock = areas_named(as, "[vvar_vclock]");

	return vclock ? vclock->start + AREAS_PAGE : vvar->start + 2 * AREAS_PAGE;
}

/*
 * Replace this process's areas by new ones that nobody has touched, of the
 * image that @map (AREAS_MAP_*) asks for, where the old ones were if there is
 * room: libc goes on calling into the 64-bit image there. Where no call maps an
 * image, the areas stay and lose their pages.
 */
#ifdef SYS_arch_prctl
static inline bool areas_renew(struct areas *as, int map)
{
	unsigned long addr = 0;
	unsigned int i;

	if (!areas_find(as, 0))
		return false;
	addr = as->area[0].start;
	for (i = 0; i < as->nr; i++)
		munmap((void *)as->area[i].start,
		       as->area[i].end - as->area[i].start);
	/* The size of the image, or -1 */
	return syscall(SYS_arch_prctl, map, addr) >= 0 && areas_find(as, 0);
}
#else
static inline bool areas_renew(struct areas *as, int map)
{
	unsigned int i;

	(void)map;
	if (!areas_find(as, 0))
		return false;
	for (i = 0; i < as->nr; i++) {
		if (madvise((void *)as->area[i].start,
			    as->area[i].end - as->area[i].start, MADV_DONTNEED))
			return false;
	}
	return true;
}
#endif

static sigjmp_buf areas_back;

static inline void areas_on_signal(int sig)
{
	siglongjmp(areas_back, sig);
}

/* One load, or one store: 0, or the signal that it gave */
static inline int areas_access(unsigned long addr, bool store)
{
	static struct sigaction old[2];
	struct sigaction sa = { .sa_handler = areas_on_signal };
	volatile char *p = (volatile char *)addr;
	int sig;

	sigaction(SIGBUS, &sa, &old[0]);
	sigaction(SIGSEGV, &sa, &old[1]);
	sig = sigsetjmp(areas_back, 1);
	if (!sig) {
		if (store)
			*p = 0x55;
		else
			(void)*p;
	}
	sigaction(SIGBUS, &old[0], NULL);
	sigaction(SIGSEGV, &old[1], NULL);
	return sig;
}

static inline void areas_touch(const struct areas *as)
{
	unsigned long addr;
	unsigned int i;

	for (i = 0; i < as->nr; i++) {
		for (addr = as->area[i].start; addr < as->area[i].end;
		     addr += AREAS_PAGE)
			areas_access(addr, false);
	}
}

/* How a call ended: its value, or the name of its errno */
static inline const char *areas_outcome(long ret)
{
	static char text[32];

	if (ret != -1)
		snprintf(text, sizeof(text), "%ld", ret);
	else
		snprintf(text, sizeof(text), "%s", strerrorname_np(errno) ?:
			 strerror(errno));
	return text;
}

#endif /* VVAR_AREAS_H */
