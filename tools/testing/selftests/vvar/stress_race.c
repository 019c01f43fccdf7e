// SPDX-License-Identifier: GPL-2.0
/* The stress test: the job that moves, unmaps and protects what its threads read. */
#define _GNU_SOURCE
#include <elf.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../kselftest.h"
#include "areas.h"
#include "stress.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

/* Many accesses, any of which may meet a hole: where the VMAs are moved */
static void *racer(void *arg)
{
	sigjmp_buf env;
	unsigned long base;

	rnd_start((unsigned long)arg + ((unsigned long)getpid() << 8));
	own_pipe();
	while (!stopping()) {
		base = vd_base();
		if (!rnd(32))
			sleep_ms(2);
		switch (sigsetjmp(env, 0)) {
		case 0:
			break;
		case SIGSYS:
			counted(PKEY_DENIED);
			continue;
		default:
			counted(FAULT);
			continue;
		}
		recover = &env;
		switch (rnd(4)) {
		case 0:
			touch_kernel(base);
			break;
		case 1:
			touch_page(base);
			break;
		default:
			read_clock(base);
		}
		recover = NULL;
	}
	return NULL;
}

static void must_fail(const char *what, int err, long ret)
{
	if (ret != -1)
		wrong("%s was not refused", what);
	else if (errno != err && errno != ENOMEM)
		wrong("%s: errno %d, not %d", what, errno, err);
}

static void try_partial(unsigned long base)
{
	unsigned int i = rnd(vd.nr);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	if (len < 2 * (size_t)page)
		return;
	must_fail("munmap of the first page", EINVAL, munmap(start, page));
	must_fail("munmap of the last page", EINVAL,
		  munmap(start + len - page, page));
	must_fail("mprotect of one page", EINVAL,
		  mprotect(start, page, PROT_NONE));
	must_fail("growth", EFAULT,
		  (long)mremap(start, len, len + page, MREMAP_MAYMOVE));
	counted(PARTIAL);
}

static void try_writable(unsigned long base)
{
	unsigned int i = rnd(vd.nr - 1);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	must_fail("mprotect to writable", EACCES,
		  mprotect(start, len, PROT_READ | PROT_WRITE));
	must_fail("getrandom(2) into vvar", EFAULT,
		  syscall(SYS_getrandom, start, 1, 0));
	counted(WRITABLE);
}

static void protect(unsigned long base)
{
	unsigned int i = rnd(vd.nr - 1);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	if (mprotect(start, len, PROT_NONE) ||
	    mprotect(start, len, PROT_READ))
		wrong("mprotect: %s", strerror(errno));
	counted(MPROTECT);
}

static void pkey(unsigned long base)
{
	static int key = -2;
	sigjmp_buf env;
	unsigned int i = rnd(vd.nr - 1);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	if (key == -2) {
		key = pkey_alloc(0, 0);
		if (key < 0) {
			skip(PKEY, "pkey_alloc: %s", strerror(errno));
			skip(PKEY_DENIED, "pkey_alloc: %s", strerror(errno));
		}
	}
	if (key < 0)
		return;
	if (pkey_mprotect(start, len, PROT_READ, key))
		wrong("pkey_mprotect: %s", strerror(errno));
	counted(PKEY);
	/* Only this thread: a key's rights are a register */
	pkey_set(key, PKEY_DISABLE_ACCESS);
	if (!sigsetjmp(env, 0)) {
		recover = &env;
		touch((unsigned long)start);
		wrong("vvar was read in spite of its protection key");
	} else {
		counted(PKEY_DENIED);
	}
	recover = NULL;
	pkey_set(key, 0);
	if (pkey_mprotect(start, len, PROT_READ, 0))
		wrong("pkey_mprotect: %s", strerror(errno));
}

/* A child's vvar is empty, by request, until it is mapped anew */
static bool wiped;

static void advise(unsigned long base)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
		MADV_POPULATE_READ, MADV_COLLAPSE, MADV_DODUMP, MADV_WIPEONFORK,
	};
	unsigned int i = rnd(vd.nr);
	int what = advice[rnd(ARRAY_SIZE(advice))];

	/*
	 * Most are refused; which ones is not this test's question. Not
	 * MADV_DONTFORK: there is no way back for VM_IO.
	 */
	if (!madvise((void *)(base + vd.start[i]), vd.end[i] - vd.start[i],
		     what) && what == MADV_WIPEONFORK)
		wiped = true;
	counted(MADVISE);
}

/*
 * @door: two page tables of its own, and the first half of a third one, of which
 * vvar has the second half.
 */
static void next_door(char *door)
{
	char *half = door + 2 * PMD_BYTES;
	size_t len = PMD_BYTES / 2;

	/* Small pages first, or there would be nothing to collapse */
	madvise(door, 2 * PMD_BYTES, MADV_NOHUGEPAGE);
	memset(door, 1, 2 * PMD_BYTES);
	madvise(door, 2 * PMD_BYTES, MADV_HUGEPAGE);
	if (!madvise(door, 2 * PMD_BYTES, MADV_COLLAPSE))
		counted(COLLAPSE);
	else if (errno == EINVAL)
		skip(COLLAPSE, "madvise: no MADV_COLLAPSE");
	if (madvise(door, 2 * PMD_BYTES, MADV_DONTNEED))
		wrong("MADV_DONTNEED: %s", strerror(errno));
	else
		counted(DONTNEED);

	if (mmap(half, len, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != half) {
		if (errno != ENOMEM)
			wrong("mmap next door: %s", strerror(errno));
		return;
	}
	memset(half, 1, len);
	/* The page table has vvar in it: no huge page can take its place */
	madvise(door + PMD_BYTES, PMD_BYTES + len, MADV_COLLAPSE);
	madvise(half, len, MADV_DONTNEED);
	if (munmap(half, len))
		wrong("munmap next door: %s", strerror(errno));
	else
		counted(DOOR);
}

static bool move_all(unsigned long from, unsigned long to)
{
	unsigned int i;

	for (i = 0; i < vd.nr; i++) {
		size_t len = vd.end[i] - vd.start[i];

		if (mremap((void *)(from + vd.start[i]), len, len,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   to + vd.start[i]) == MAP_FAILED) {
			wrong("mremap of VMA %u from %#lx to %#lx: %s", i,
			      from, to, strerror(errno));
			return false;
		}
	}
	set_base(to);
	return true;
}

/*
 * One mm, one thread that moves, unmaps and protects, and racers. The places:
 * 0 and 1 end vvar, the first area of it, at the end of a page table with nothing
 * else in it, so that mremap moves the table itself (try_realign_addr()); 2 has
 * neighbours, in its own page table too.
 */
void job_race(void)
{
	pthread_t thread[3];
	pthread_attr_t attr;
	unsigned long at[3], hole, base;
	unsigned int i, to, here = 3;
	unsigned int step;
	char *door;
	void *p;
	pid_t pid;

	p = mmap(NULL, 16 * PMD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		wrong("mmap: %s", strerror(errno));
		return;
	}
	hole = ((unsigned long)p + PMD_BYTES - 1) & ~(PMD_BYTES - 1);
	munmap(p, 16 * PMD_BYTES);
	at[0] = hole + 2 * PMD_BYTES - vd.end[0];
	at[1] = hole + 5 * PMD_BYTES - vd.end[0];
	at[2] = hole + 10 * PMD_BYTES + PMD_BYTES / 2;
	door = mmap((void *)(hole + 8 * PMD_BYTES), 2 * PMD_BYTES,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (door == MAP_FAILED) {
		wrong("mmap next door: %s", strerror(errno));
		return;
	}

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1 << 16);
	for (i = 0; i < ARRAY_SIZE(thread); i++) {
		if (pthread_create(&thread[i], &attr, racer,
				   (void *)(unsigned long)i)) {
			wrong("pthread_create failed");
			_exit(1);
		}
	}

	while (!stopping()) {
		base = vd.base;
		/* In turn, too: chance leaves one out for long on a slow kernel */
		step = rnd(2) ? rnd(16) :
		       8 + __atomic_fetch_add(&sh->turn, 1, __ATOMIC_RELAXED) % 8;
		switch (step) {
		case 0 ... 4:
			/* To and fro, often */
			do {
				to = rnd(2) && here < 2 ? !here : rnd(ARRAY_SIZE(at));
			} while (to == here);
			if (!move_all(base, at[to]))
				goto out;
			counted(MREMAP);
			if (to < 2 && here < 2)
				counted(MREMAP_PT);
			here = to;
			break;
		case 5 ... 7:
			munmap((void *)base, vd.len);
			to = rnd(ARRAY_SIZE(at));
			if (syscall(SYS_arch_prctl, AREAS_MAP_64,
				    at[to]) < 0) {
				if (sh->skip[C_MAP64][0])
					goto out;
				wrong("ARCH_MAP_VDSO_64: %s", strerror(errno));
				goto out;
			}
			set_base(at[to]);
			here = to;
			wiped = false;
			if (memcmp((void *)(at[to] + vd.text), ELFMAG, SELFMAG)) {
				wrong("ARCH_MAP_VDSO_64 took another address");
				goto out;
			}
			read_clock(at[to]);
			counted(MAP64);
			break;
		case 8:
			try_partial(base);
			break;
		case 9:
			try_writable(base);
			break;
		case 10:
			protect(base);
			break;
		case 11:
			pkey(base);
			break;
		case 12:
			if (mlockall(MCL_CURRENT)) {
				if (errno == EPERM)
					skip(MLOCKALL, "needs CAP_IPC_LOCK");
			} else {
				counted(MLOCKALL);
			}
			munlockall();
			break;
		case 13:
			advise(base);
			break;
		case 14:
			if (here != 2 && !move_all(base, at[2]))
				goto out;
			here = 2;
			next_door(door);
			break;
		case 15:
			pid = fork();
			if (!pid) {
				if (!wiped)
					touch_all(base);
				read_clock(base);
				_exit(0);
			}
			if (reap(pid, "fork of a threaded process"))
				counted(FORK);
		}
		read_clock(vd.base);
	}
out:
	while (!stopping())	/* the racers go on */
		sleep_ms(10);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
}
