// SPDX-License-Identifier: GPL-2.0
/*
 * A small fuzzer: memory-management system calls with arguments in and around
 * the VMAs of vvar and vDSO. Whatever they return, vvar must never become
 * writable or split, a store to it must fault, the vDSO of other processes must
 * stay what it is, and nobody may die.
 *
 * Each round is a process of its own, which depends on the seed and the number
 * of the round alone: "fuzz -s SEED -r ROUND -v" replays it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest.h"
#include "../vDSO/parse_vdso.h"
#include "areas.h"
#include "number.h"
#include "process.h"

#ifndef SYS_mseal
#define SYS_mseal		462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

#define ROUND_CALLS	100
#define ARENA		(16UL << 20)
#define MAX_VMAS	8

struct vma {
	unsigned long start, end;
	bool text;
	char kind;		/* [vvar], [vvar_hpet] */
};

/* What the kernel mapped, from find_vmas() */
static struct vma vma[MAX_VMAS];
static unsigned int nr_vmas;

/* Of a fresh process */
static struct vma fresh[MAX_VMAS];
static size_t text_off, gettime_off, block_len, text_len;
static unsigned int nr_vvars;
static char text_copy[1 << 16];
static bool sigbus_is_known;

static unsigned long page, arena;
static unsigned long rng_state;
/* volatile: a signal handler reads it */
static sigjmp_buf *volatile recover;
static bool verbose;
static int mem_fd, pipe_fd[2], uffd, shm_id;

/* Shared with the rounds */
static struct shared {
	unsigned long calls[64], done[64];
	unsigned long stores, reads, writable, split, strange;
} *sh;

static unsigned long rnd(unsigned long below)
{
	unsigned long x = rng_state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng_state = x;
	return (x * 0x2545f4914f6cdd1dUL >> 33) % below;
}

static bool one_in(unsigned int n)
{
	return !rnd(n);
}

static void say(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/*
 * The VMAs of vvar and vDSO as they are now. No stdio and no libc clock: this
 * runs when the vDSO that libc knows may be gone.
 */
static void find_vmas(void)
{
	static char buf[1 << 16];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;
	char *line, *end, name[64], prot[8];

	while (fd >= 0 && (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += n;
	close(fd);
	buf[len] = 0;
	nr_vmas = 0;
	for (line = buf; *line && nr_vmas < MAX_VMAS; line = end + 1) {
		struct vma *v = &vma[nr_vmas];

		end = strchrnul(line, '\n');
		if (!*end)
			break;
		*end = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %63s", &v->start,
			   &v->end, prot, name) != 4)
			continue;
		v->text = !strcmp(name, "[vdso]");
		v->kind = name[5];
		if (!v->text && strncmp(name, "[vvar", 5))
			continue;
		nr_vmas++;
		if (v->text)
			continue;
		if (strchr(prot, 'w') || strchr(prot, 'x')) {
			sh->writable++;
			say("wrong: %s", line);
		}
	}
}

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	if (recover)
		siglongjmp(*recover, sig);
	say("wrong: signal %d at %p", sig, si->si_addr);
	_exit(99);
}

static int load(unsigned long addr)
{
	sigjmp_buf env;
	int sig = sigsetjmp(env, 0);

	if (!sig) {
		recover = &env;
		*(volatile char *)addr;
	}
	recover = NULL;
	return sig;
}

static int store(unsigned long addr)
{
	sigjmp_buf env;
	int sig = sigsetjmp(env, 0);

	if (!sig) {
		recover = &env;
		*(volatile char *)addr = 0x5a;
	}
	recover = NULL;
	return sig;
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Call the vDSO, if it lies behind its vvar pages as it should */
static void read_clock(void)
{
	int (*gettime)(clockid_t clock, struct timespec *ts);
	struct timespec a, b, c;
	unsigned int i;
	sigjmp_buf env;

	if (nr_vmas != nr_vvars + 1 || !vma[nr_vvars].text)
		return;
	for (i = 0; i < nr_vvars; i++) {
		if (vma[i].end != vma[i + 1].start)
			return;
	}
	if (vma[nr_vvars].start != vma[0].start + text_off ||
	    vma[nr_vvars].end != vma[0].start + block_len)
		return;
	if (!sigsetjmp(env, 0)) {
		recover = &env;
		/* Another image, or one that was written to */
		if (!memcmp((void *)vma[nr_vvars].start, text_copy, text_len)) {
			gettime = (void *)(vma[nr_vvars].start + gettime_off);
			syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a);
			gettime(CLOCK_MONOTONIC, &b);
			syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c);
			sh->reads++;
			if (before(&b, &a) || before(&c, &b)) {
				sh->strange++;
				say("wrong: system call %ld.%09ld, vDSO %ld.%09ld",
				    a.tv_sec, a.tv_nsec, b.tv_sec, b.tv_nsec);
			}
		}
	}
	recover = NULL;
}

/* What must hold after any call */
static void check(void)
{
	unsigned long addr;
	unsigned int i, j;

	find_vmas();
	for (i = 0; i < nr_vmas; i++) {
		size_t len = vma[i].end - vma[i].start;

		if (vma[i].text)
			continue;
		for (j = 0; j < nr_vvars; j++) {
			if (fresh[j].kind == vma[i].kind &&
			    fresh[j].end - fresh[j].start == len)
				break;
		}
		if (j == nr_vvars) {
			sh->split++;
			say("wrong: vvar of %zu bytes", len);
		}
		addr = vma[i].start + rnd(len / page) * page;
		sh->stores++;
		if (!store(addr) ||
		    syscall(SYS_getrandom, addr, 1, 0) >= 0) {
			sh->writable++;
			say("wrong: a store to %#lx was possible", addr);
		}
		if (load(addr) == SIGBUS && !sigbus_is_known) {
			sh->strange++;
			say("wrong: SIGBUS at vvar + %#lx",
			    addr - vma[i].start);
		}
	}
	read_clock();
}

/* --- arguments ------------------------------------------------------- */

/*
 * In the arena. What ARCH_MAP_VDSO found no room for there lies between our own
 * memory.
 */
static unsigned long any_addr(void)
{
	unsigned long addr = 0;
	const struct vma *v;

	if (nr_vmas && !one_in(8)) {
		v = &vma[rnd(nr_vmas)];
		addr = one_in(2) ? v->start :
		       v->start + rnd((v->end - v->start) / page + 1) * page;
		if (one_in(8))
			addr -= page;
	}
	if (addr < arena || addr >= arena + ARENA)
		addr = arena + rnd(ARENA / page) * page;
	if (one_in(16))
		addr += rnd(page);
	return addr;
}

/* An address of vvar, not of the text: for calls that store */
static unsigned long vvar_addr(void)
{
	unsigned int i, first = rnd(nr_vmas + 1);

	for (i = 0; i < nr_vmas; i++) {
		const struct vma *v = &vma[(first + i) % nr_vmas];

		if (!v->text)
			return v->start + rnd(v->end - v->start);
	}
	return 0;
}

/* Stays inside the arena, or wraps: our own memory is not to be hit */
static size_t any_len(unsigned long addr)
{
	size_t len;

	switch (rnd(8)) {
	case 0:
		len = 0;
		break;
	case 1:
		return -(size_t)rnd(4 * page);
	case 2:
		len = rnd(4 * page);
		break;
	case 3:
		len = rnd(1 << 22);
		break;
	case 4:
		len = block_len;
		break;
	case 5:
		len = page;
		break;
	default:
		len = nr_vmas ? vma[rnd(nr_vmas)].end - vma[rnd(nr_vmas)].start
			      : page;
	}
	return len > arena + ARENA - addr ? arena + ARENA - addr : len;
}

static unsigned long any_prot(void)
{
	return one_in(16) ? rnd(UINT_MAX) : rnd(8);
}

/* Not MADV_HWPOISON and MADV_SOFT_OFFLINE: pages that others use */
static int any_advice(void)
{
	return one_in(16) ? 102 + (int)rnd(100) : (int)rnd(27);
}

/* --- calls ----------------------------------------------------------- */

static long do_munmap(void)
{
	unsigned long addr = any_addr();

	return munmap((void *)addr, any_len(addr));
}

static long do_mprotect(void)
{
	unsigned long addr = any_addr();

	return mprotect((void *)addr, any_len(addr), any_prot());
}

static long do_pkey_mprotect(void)
{
	static int key = -1;
	unsigned long addr = any_addr();

	if (key < 0 && one_in(2))
		key = syscall(SYS_pkey_alloc, 0, 0);
	return syscall(SYS_pkey_mprotect, addr, any_len(addr), any_prot(),
		       one_in(4) ? (int)rnd(20) - 2 : key);
}

static long do_mremap(void)
{
	unsigned long old = any_addr(), new = any_addr();
	size_t old_len = any_len(old);
	size_t new_len = one_in(2) ? old_len : any_len(new);
	long flags = one_in(8) ? rnd(16) : rnd(2) | (one_in(2) ? 3 : 1);

	/* A length that wraps would take what lies behind the arena */
	if (new_len > ARENA)
		new_len = page;
	if (new < arena || new + new_len > arena + ARENA)
		new = arena;
	return syscall(SYS_mremap, old, old_len, new_len, flags, new);
}

/* Whole VMAs to a place where they fit together: what CRIU does */
static long do_move_block(void)
{
	unsigned long to = arena + rnd((ARENA - block_len) / page) * page;
	unsigned int i;
	long ret = -1;

	for (i = 0; i < nr_vmas; i++) {
		size_t len = vma[i].end - vma[i].start;

		ret = syscall(SYS_mremap, vma[i].start, len, len,
			      MREMAP_MAYMOVE | MREMAP_FIXED,
			      to + (vma[i].start - vma[0].start) % block_len);
	}
	return ret;
}

static long do_madvise(void)
{
	unsigned long addr = any_addr();

	return madvise((void *)addr, any_len(addr), any_advice());
}

static long do_process_madvise(void)
{
	unsigned long addr = any_addr();
	struct iovec iov = { (void *)addr, any_len(addr) };
	int fd = syscall(SYS_pidfd_open, getpid(), 0);
	long ret = syscall(SYS_process_madvise, fd, &iov, 1, any_advice(), 0);

	close(fd);
	return ret;
}

static long do_mlock(void)
{
	unsigned long addr = any_addr();

	return syscall(SYS_mlock2, addr, any_len(addr), rnd(3));
}

static long do_munlock(void)
{
	unsigned long addr = any_addr();

	return munlock((void *)addr, any_len(addr));
}

static long do_mlockall(void)
{
	return one_in(2) ? munlockall() : mlockall(rnd(8));
}

static long do_msync(void)
{
	unsigned long addr = any_addr();

	return msync((void *)addr, any_len(addr), rnd(8));
}

static long do_mincore(void)
{
	unsigned long addr = any_addr();
	static unsigned char vec[ARENA >> 12];

	return mincore((void *)addr, any_len(addr), vec);
}

static long do_mbind(void)
{
	unsigned long addr = any_addr(), nodes = 1;

	return syscall(SYS_mbind, addr, any_len(addr), rnd(8), &nodes, 64,
		       rnd(8));
}

static long do_get_mempolicy(void)
{
	int mode;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, any_addr(),
		       MPOL_F_ADDR | (one_in(2) ? MPOL_F_NODE : 0));
}

static long do_move_pages(void)
{
	void *pages[4];
	int status[4], nodes[4] = { };
	unsigned int i;

	for (i = 0; i < 4; i++)
		pages[i] = (void *)any_addr();
	return syscall(SYS_move_pages, 0, 4, pages, one_in(2) ? nodes : NULL,
		       status, rnd(8));
}

static long do_remap_file_pages(void)
{
	unsigned long addr = any_addr();

	return syscall(SYS_remap_file_pages, addr, any_len(addr), 0, rnd(4),
		       0);
}

/* Over a part, or next door */
static long do_mmap(void)
{
	unsigned long addr = any_addr() & -page;
	size_t len = any_len(addr);

	if (len > ARENA)
		len = page;
	return (long)mmap((void *)addr, len, rnd(8),
			  MAP_PRIVATE | MAP_ANONYMOUS |
			  (one_in(2) ? MAP_FIXED : MAP_FIXED_NOREPLACE), -1, 0);
}

static long do_shmat(void)
{
	return (long)shmat(shm_id, (void *)any_addr(),
			   SHM_RND | (one_in(2) ? SHM_REMAP : 0));
}

static long do_arch_prctl(void)
{
	return syscall(SYS_arch_prctl, one_in(2) ? AREAS_MAP_64 :
		       AREAS_MAP_X32 + (int)rnd(3),
		       one_in(8) ? any_addr() :
		       arena + rnd((ARENA - block_len) / page) * page);
}

/* Make room for another image */
static long do_munmap_all(void)
{
	unsigned int i;
	long ret = -1;

	for (i = 0; i < nr_vmas; i++)
		ret = munmap((void *)vma[i].start, vma[i].end - vma[i].start);
	return ret;
}

static long do_uffd(void)
{
	unsigned long addr = any_addr() & -page;
	struct uffdio_register reg = {
		.range = { addr, any_len(addr) & -page },
		.mode = rnd(8),
	};
	struct uffdio_range range = reg.range;
	long ret = ioctl(uffd, UFFDIO_REGISTER, &reg);

	if (!ret)
		ioctl(uffd, UFFDIO_UNREGISTER, &range);
	return ret;
}

static long do_uffd_copy(void)
{
	unsigned long dst = vvar_addr() & -page;
	struct uffdio_zeropage zero = { .range = { dst, page } };
	struct uffdio_copy copy = {
		.dst = dst,
		.src = (unsigned long)text_copy & -page,
		.len = page,
	};

	return one_in(2) ? ioctl(uffd, UFFDIO_ZEROPAGE, &zero) :
	       ioctl(uffd, UFFDIO_COPY, &copy);
}

static long do_prctl(void)
{
	unsigned long addr = any_addr();

	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, any_len(addr),
		     one_in(4) ? NULL : "name");
}

static long do_mseal(void)
{
	unsigned long addr = any_addr();

	return syscall(SYS_mseal, addr, any_len(addr), one_in(8) ? rnd(4) : 0);
}

static long do_vm_readv(void)
{
	char buf[64];
	struct iovec to = { buf, sizeof(buf) };
	struct iovec from = { (void *)any_addr(), sizeof(buf) };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static long do_vm_writev(void)
{
	char buf[64] = { };
	struct iovec from = { buf, 1 + rnd(sizeof(buf)) };
	struct iovec to = { (void *)vvar_addr(), from.iov_len };
	long ret = process_vm_writev(getpid(), &from, 1, &to, 1, 0);

	if (ret > 0 && to.iov_base) {
		sh->writable++;
		say("wrong: process_vm_writev to %p", to.iov_base);
	}
	return ret;
}

static long do_mem_read(void)
{
	char buf[64];

	return pread(mem_fd, buf, sizeof(buf), any_addr());
}

static long do_mem_write(void)
{
	unsigned long addr = vvar_addr();
	long ret = pwrite(mem_fd, "x", 1, addr);

	if (ret > 0 && addr) {
		sh->writable++;
		say("wrong: write of /proc/self/mem at %#lx", addr);
	}
	return ret;
}

static long do_pipe(void)
{
	char buf[64];
	unsigned long addr = any_addr();
	struct iovec iov = { (void *)addr, 1 + rnd(sizeof(buf)) };
	long ret;

	if (one_in(2))
		ret = vmsplice(pipe_fd[1], &iov, 1, SPLICE_F_NONBLOCK);
	else
		ret = write(pipe_fd[1], iov.iov_base, iov.iov_len);
	if (ret > 0)
		ret = read(pipe_fd[0], buf, ret);
	return ret;
}

/* A system call that stores where it is told to */
static long do_read_into(void)
{
	unsigned long addr = vvar_addr();
	char c;
	long ret;

	if (write(pipe_fd[1], "x", 1) != 1)
		return -1;
	ret = read(pipe_fd[0], (void *)addr, 1);
	if (ret > 0 && addr) {
		sh->writable++;
		say("wrong: read(2) into %#lx", addr);
	}
	if (ret < 0 && read(pipe_fd[0], &c, 1) != 1)
		return -1;
	return ret;
}

static long do_futex(void)
{
	static const int op[] = {
		FUTEX_WAKE, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, FUTEX_WAKE_OP,
		FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_CMP_REQUEUE,
	};

	return syscall(SYS_futex, vvar_addr() & -4UL, op[rnd(6)], 1, 1,
		       vvar_addr() & -4UL, 0);
}

static long do_fork(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		check();
		_exit(0);
	}
	if (pid < 0)
		return -1;
	status = child_status(pid);
	if (status) {
		sh->strange++;
		say("wrong: child's status %#x", status);
	}
	return 0;
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
	{ "munmap", do_munmap },
	{ "mprotect", do_mprotect },
	{ "pkey_mprotect", do_pkey_mprotect },
	{ "mremap", do_mremap },
	{ "mremap of all", do_move_block },
	{ "madvise", do_madvise },
	{ "process_madvise", do_process_madvise },
	{ "mlock2", do_mlock },
	{ "munlock", do_munlock },
	{ "mlockall", do_mlockall },
	{ "msync", do_msync },
	{ "mincore", do_mincore },
	{ "mbind", do_mbind },
	{ "get_mempolicy", do_get_mempolicy },
	{ "move_pages", do_move_pages },
	{ "remap_file_pages", do_remap_file_pages },
	{ "mmap", do_mmap },
	{ "shmat", do_shmat },
	{ "ARCH_MAP_VDSO", do_arch_prctl },
	{ "munmap of all", do_munmap_all },
	{ "UFFDIO_REGISTER", do_uffd },
	{ "UFFDIO_COPY", do_uffd_copy },
	{ "PR_SET_VMA", do_prctl },
	{ "mseal", do_mseal },
	{ "process_vm_readv", do_vm_readv },
	{ "process_vm_writev", do_vm_writev },
	{ "/proc/self/mem read", do_mem_read },
	{ "/proc/self/mem write", do_mem_write },
	{ "write, vmsplice", do_pipe },
	{ "read into vvar", do_read_into },
	{ "futex", do_futex },
	{ "fork", do_fork },
};

/* Away from everything that this program needs: see any_len() */
static void move_to_arena(void)
{
	void *p = mmap(NULL, ARENA + 2 * page, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned long at;
	unsigned int i;

	if (p == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	/* A page on either side stays, so that nothing else comes close */
	arena = (unsigned long)p + page;
	munmap((void *)arena, ARENA);
	at = arena + ARENA / 2;
	for (i = 0; i < nr_vmas; i++) {
		size_t len = vma[i].end - vma[i].start;

		if (mremap((void *)vma[i].start, len, len,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   at + (vma[i].start - vma[0].start)) == MAP_FAILED) {
			say("mremap: %s", strerror(errno));
			_exit(1);
		}
	}
	find_vmas();
}

static void run_round(unsigned long seed, unsigned long round, unsigned int nr)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct uffdio_api api = { .api = UFFD_API };
	unsigned int i, c;
	long ret;

	rng_state = (seed * 1000003 + round) * 0x9e3779b97f4a7c15UL | 1;
	for (i = 0; i < 8; i++)
		rnd(1);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	alarm(60);
	mem_fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ioctl(uffd, UFFDIO_API, &api);
	if (mem_fd < 0 || pipe(pipe_fd)) {
		say("/proc/self/mem or pipe: %s", strerror(errno));
		_exit(1);
	}
	move_to_arena();
	for (i = 0; i < nr; i++) {
		c = rnd(ARRAY_SIZE(calls));
		errno = 0;
		ret = calls[c].call();
		sh->calls[c]++;
		sh->done[c] += ret >= 0 || ret < -4095;
		if (verbose)
			say("round %lu, call %u: %s = %#lx, errno %d", round, i,
			    calls[c].name, ret, ret == -1 ? errno : 0);
		check();
	}
	_exit(0);
}

static void find_vdso(void)
{
	unsigned long text = getauxval(AT_SYSINFO_EHDR);
	unsigned int i;

	find_vmas();
	for (i = 0; i < nr_vmas && !vma[i].text; i++)
		fresh[i] = vma[i];
	nr_vvars = i;
	if (!i || i + 1 != nr_vmas || vma[i].start != text)
		ksft_exit_skip("no vvar followed by a vDSO in /proc/self/maps\n");
	text_off = text - vma[0].start;
	text_len = vma[i].end - text;
	block_len = vma[i].end - vma[0].start;
	if (text_len > sizeof(text_copy))
		ksft_exit_fail_msg("a vDSO of %zu bytes\n", text_len);
	memcpy(text_copy, (void *)text, text_len);
	vdso_init_from_sysinfo_ehdr(text);
	gettime_off = (unsigned long)vdso_sym("LINUX_2.6",
					      "__vdso_clock_gettime") - text;
}

/* The stock kernel has nothing behind some pages of vvar */
static bool some_page_gives_sigbus(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct sigaction old;
	unsigned long addr;
	bool found = false;

	sigaction(SIGBUS, &sa, &old);
	for (addr = vma[0].start; addr < vma[0].start + text_off; addr += page)
		found |= load(addr) == SIGBUS;
	sigaction(SIGBUS, &old, NULL);
	return found;
}

static unsigned long read_taint(void)
{
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long bits = 0;

	if (!f || fscanf(f, "%lu", &bits) != 1)
		ksft_exit_fail_msg("/proc/sys/kernel/tainted: %s\n",
				   strerror(errno));
	fclose(f);
	return bits;
}

static void print_usage(FILE *to)
{
	fprintf(to,
		"usage: fuzz [-s SEED] [-n CALLS] [-r ROUND] [-v]\n"
		"  -s  start from SEED (default: the time)\n"
		"  -n  system calls, %d a round (default 10000)\n"
		"  -r  this round only\n"
		"  -v  print each call\n", ROUND_CALLS);
}

int main(int argc, char **argv)
{
	unsigned long nr = 10000, round, first = 0, rounds, taint, dead = 0;
	unsigned long seed = time(NULL);
	unsigned int i, never = 0;
	int opt, status;
	bool one = false;
	pid_t pid;

	while ((opt = getopt(argc, argv, "s:n:r:vh")) != -1) {
		switch (opt) {
		case 's':
			seed = parse_number(optarg, "seed", 0, ULONG_MAX);
			break;
		case 'n':
			nr = parse_number(optarg, "calls", 0, ULONG_MAX);
			break;
		case 'r':
			first = parse_number(optarg, "round", 0, ULONG_MAX);
			one = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			print_usage(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	}
	if (optind < argc || !nr) {
		fprintf(stderr, "fuzz: %s\n", nr ? "too many arguments" :
			"-n 0: nothing to do");
		print_usage(stderr);
		return 2;
	}

	page = sysconf(_SC_PAGESIZE);
	ksft_print_header();
	ksft_set_plan(7);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	find_vdso();
	sigbus_is_known = some_page_gives_sigbus();
	shm_id = shmget(IPC_PRIVATE, page, 0600);
	taint = read_taint();
	rounds = one ? 1 : (nr + ROUND_CALLS - 1) / ROUND_CALLS;
	ksft_print_msg("seed %lu, %lu round(s)%s\n", seed, rounds,
		       sigbus_is_known ? ", some vvar pages give SIGBUS" : "");
	fflush(stdout);

	for (round = first; round < first + rounds; round++) {
		pid = fork();
		if (!pid)
			run_round(seed, round, ROUND_CALLS);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
		if (status) {
			dead++;
			ksft_print_msg("round %lu ended with status %#x\n",
				       round, status);
			ksft_print_msg("replay: fuzz -s %lu -r %lu -v\n",
				       seed, round);
		}
		if (memcmp((void *)getauxval(AT_SYSINFO_EHDR), text_copy,
			   text_len))
			break;
	}
	if (shm_id >= 0)
		shmctl(shm_id, IPC_RMID, NULL);

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		never += !sh->calls[i];
		ksft_print_msg("%s: %lu calls, %lu succeeded\n", calls[i].name,
			       sh->calls[i], sh->done[i]);
	}
	if (one)
		ksft_test_result_skip("each call was made: one round only\n");
	else
		ksft_test_result(!never, "each call was made: %u were not\n",
				 never);
	ksft_test_result(sh->stores && !sh->writable,
			 "vvar was never writable: %lu stores tried, %lu wrong\n",
			 sh->stores, sh->writable);
	ksft_test_result(sh->stores && !sh->split,
			 "vvar was never split: %lu times\n", sh->split);
	ksft_test_result(sh->reads && !sh->strange,
			 "the vDSO worked: %lu reads, %lu wrong\n", sh->reads,
			 sh->strange);
	ksft_test_result(!dead, "no process died: %lu did\n", dead);
	ksft_test_result(!memcmp((void *)getauxval(AT_SYSINFO_EHDR), text_copy,
				 text_len),
			 "the vDSO of other processes is unchanged\n");
	ksft_test_result(read_taint() == taint,
			 "the kernel is as tainted as before: %#lx, %#lx\n",
			 taint, read_taint());
	ksft_finished();
}
