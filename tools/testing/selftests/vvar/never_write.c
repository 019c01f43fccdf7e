// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody writes to a vvar page, and nobody gets a private copy of one: every
 * way that root has is tried on every page, in a process of its own. After it
 * the mapping is as unwritable as before, its content is the same here and in
 * another process, and the clock that is read from it has not stopped, as it
 * would have in a copy.
 *
 * A debugger reads what the process itself reads, but for device registers, which
 * nobody reads unless he means to.
 *
 * vDSO text is different: a debugger's breakpoint is a private copy, which no
 * other process may see.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/elf.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>

#include "../kselftest.h"
#include "areas.h"
#include "clocksource.h"

#define PATTERN		0x5555555555555555UL
/* A word of each page that the kernel leaves alone */
#define SPOT		(AREAS_PAGE - 16)

#define REFUSED		1	/* the call itself has to fail */
#define WHOLE		2	/* once for the area, not for each page */
#define REMOTE		4	/* in the parent, on a stopped child */
#define REPLACES	8	/* puts other memory in the area's place */
#define FRESH		16	/* not touched before */
#define PART		32	/* of an area: not one of a single page */

struct attempt {
	const char *format;	/* of the name, for @a */
	long (*try)(const struct attempt *at, char *page, size_t len);
	unsigned int flags;
	long a, last;		/* as many calls as from @a to @last */
	long b;
};

static struct areas as;
static pid_t target;

/* What the child of an attempt found, shared with it */
static struct found {
	struct areas as;
	bool renewed;
	bool in_place;		/* [vvar] is where it was, and not writable */
	bool moved_writable;
	bool readable;
	bool ticks;
	int store;		/* signal of a store */
	long ret;
	int err;
	uint64_t before, after;
	const char *missing;	/* what it takes and this kernel does not have */
} *found;

/* A refusal of another kind */
static long missing(const char *what)
{
	found->missing = what;
	return -1;
}

static long by_mprotect(const struct attempt *at, char *page, size_t len)
{
	return mprotect(page, len, at->a);
}

static long by_pkey(const struct attempt *at, char *page, size_t len)
{
	int key = at->b ? syscall(SYS_pkey_alloc, 0, 0) : -1;

	if (at->b && key < 0)
		return missing("protection keys");
	return syscall(SYS_pkey_mprotect, page, len, at->a, key);
}

static long by_madvise(const struct attempt *at, char *page, size_t len)
{
	/* Poison is for ever, and for everybody */
	if (at->a == MADV_HWPOISON || at->a == 101)
		return -1;
	return madvise(page, len, at->a);
}

static long by_process_madvise(const struct attempt *at, char *page, size_t len)
{
	struct iovec iov = { page, len };
	int fd = syscall(SYS_pidfd_open, getpid(), 0);

	return syscall(SYS_process_madvise, fd, &iov, 1, at->a, 0);
}

static long by_moving(const struct attempt *at, char *page, size_t len)
{
	char *to = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	(void)at;
	to = mremap(page, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (to == MAP_FAILED)
		return -1;
	if (mprotect(to, len, PROT_READ | PROT_WRITE)) {
		/* Back, so that the clock can be read */
		if (mremap(to, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			   page) != page)
			_exit(3);
		return -1;
	}
	return 0;
}

static long by_mremap(const struct attempt *at, char *page, size_t len)
{
	size_t new = at->b ? len + at->b * AREAS_PAGE : len;

	return mremap(page, at->b == -9 ? 0 : len, at->b == -9 ? len : new,
		      at->a) == MAP_FAILED ? -1 : 0;
}

static long by_mapping_over(const struct attempt *at, char *page, size_t len)
{
	int fd = at->a ? memfd_create("never_write", 0) : -1;

	if (fd >= 0 && ftruncate(fd, len))
		return -1;
	return mmap(page, len, PROT_READ | PROT_WRITE, MAP_FIXED |
		    (fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS), fd,
		    0) == MAP_FAILED ? -1 : 0;
}

static long by_moving_over(const struct attempt *at, char *page, size_t len)
{
	char *from = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)at;
	return mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, page) ==
	       MAP_FAILED ? -1 : 0;
}

static long by_shmat(const struct attempt *at, char *page, size_t len)
{
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0600);
	char *to = shmat(id, page, at->a);
	int err = errno;

	shmctl(id, IPC_RMID, NULL);
	errno = err;
	return to == (void *)-1 ? -1 : 0;
}

static long by_remap_file_pages(const struct attempt *at, char *page,
				size_t len)
{
	return syscall(SYS_remap_file_pages, page, len, 0, at->a, 0);
}

static long by_read(const struct attempt *at, char *page, size_t len)
{
	static const uint64_t pattern = PATTERN;
	int fds[2], fd = memfd_create("never_write", 0);
	struct iovec iov = { page + SPOT, sizeof(pattern) };

	(void)len;
	if (pwrite(fd, &pattern, 8, 0) != 8 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ||
	    write(fds[1], &pattern, 8) != 8)
		_exit(2);
	switch (at->a) {
	case 0:
		return read(fd, page + SPOT, 8);
	case 1:
		return pread(fd, page + SPOT, 8, 0);
	case 2:
		return preadv(fd, &iov, 1, 0);
	case 3:
		return recv(fds[0], page + SPOT, 8, 0);
	default:
		return getrandom(page + SPOT, 8, 0);
	}
}

/* What else makes the kernel store at an address */
static long by_result(const struct attempt *at, char *page, size_t len)
{
	(void)len;
	switch (at->a) {
	case 0:
		return syscall(SYS_clock_gettime, CLOCK_REALTIME, page + SPOT);
	case 1:
		return syscall(SYS_getcpu, page + SPOT, NULL, NULL);
	case 2:
		return syscall(SYS_rt_sigaction, SIGUSR1, NULL,
			       page + SPOT - 64, 8);
	case 3:
		return syscall(SYS_getcwd, page + SPOT, 8);
	default:
		return syscall(SYS_uname, page + SPOT);
	}
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* The thread ID that a clone stores when it starts and ends */
static long by_clone(const struct attempt *at, char *page, size_t len)
{
	static char stack[16 * AREAS_PAGE];
	pid_t pid;

	(void)len;
	pid = clone(do_nothing, stack + sizeof(stack), CLONE_VM | CLONE_VFORK |
		    SIGCHLD | at->a, NULL, page + SPOT, NULL, page + SPOT);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	/* It is not told that the store failed */
	return pid < 0 ? -1 : 0;
}

static long by_futex(const struct attempt *at, char *page, size_t len)
{
	struct timespec soon = { 0, 1000000 };
	static unsigned int other;

	(void)len;
	if ((at->a & FUTEX_CMD_MASK) == FUTEX_WAKE_OP)
		return syscall(SYS_futex, &other, at->a, 1, 1, page + SPOT,
			       FUTEX_OP(FUTEX_OP_SET, 0x555, FUTEX_OP_CMP_EQ,
					0));
	return syscall(SYS_futex, page + SPOT, at->a, 0, &soon, &other, 0);
}

static long by_vmsplice(const struct attempt *at, char *page, size_t len)
{
	static const uint64_t pattern = PATTERN;
	struct iovec iov = { page + SPOT, 8 };
	int fds[2];

	(void)at;
	(void)len;
	if (pipe(fds) || write(fds[1], &pattern, 8) != 8)
		_exit(2);
	return vmsplice(fds[0], &iov, 1, 0);
}

static long by_io_uring(const struct attempt *at, char *page, size_t len)
{
	static const uint64_t pattern = PATTERN;
	struct io_uring_params p = { 0 };
	struct iovec iov = { page, len };
	int fd = syscall(SYS_io_uring_setup, 4, &p);
	int file = memfd_create("never_write", 0);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	char *ring;

	if (pwrite(file, &pattern, 8, 0) != 8)
		_exit(2);
	if (fd < 0)
		return missing("io_uring");
	if (at->a == IORING_OP_READ_FIXED &&
	    syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1))
		return -1;
	ring = mmap(NULL, 4 * AREAS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, AREAS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   IORING_OFF_SQES);
	if (ring == MAP_FAILED || sqe == MAP_FAILED)
		_exit(2);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = at->a;
	sqe->fd = file;
	sqe->addr = (uintptr_t)page + SPOT;
	sqe->len = 8;
	*(unsigned int *)(ring + p.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(ring + p.sq_off.tail), 1,
			 __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL,
		    0) != 1)
		return -1;
	cqe = (void *)(ring + p.cq_off.cqes);
	if (cqe->res < 0) {
		errno = -cqe->res;
		return -1;
	}
	return cqe->res;
}

static long by_userfaultfd(const struct attempt *at, char *page, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API, .features = at->b };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_register reg = {
		.range = { (uintptr_t)page, len }, .mode = at->a,
	};

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return missing("userfaultfd with these features");
	return ioctl(fd, UFFDIO_REGISTER, &reg);
}

static long by_uffd_fill(const struct attempt *at, char *page, size_t len)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_MOVE,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page, .src = (uintptr_t)buf, .len = len,
	};
	struct uffdio_zeropage zero = { .range = { (uintptr_t)page, len } };
	struct uffdio_move move = {
		.dst = (uintptr_t)page, .src = (uintptr_t)buf, .len = len,
	};

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return missing("userfaultfd with UFFDIO_MOVE");
	memset(buf, 0x55, len);
	if (at->a == 0)
		return ioctl(fd, UFFDIO_COPY, &copy);
	if (at->a == 1)
		return ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	return ioctl(fd, UFFDIO_MOVE, &move);
}

/* FOLL_FORCE: what ptrace() and /proc/PID/mem may do beyond the VMA's rights */
static long by_proc_mem(const struct attempt *at, char *page, size_t len)
{
	static const uint64_t pattern = PATTERN;
	char path[64] = "/proc/self/mem";
	long ret;
	int fd;

	(void)len;
	if (at->flags & REMOTE)
		snprintf(path, sizeof(path), "/proc/%d/mem", target);
	fd = open(path, O_RDWR);
	if (fd < 0)
		_exit(2);
	ret = pwrite(fd, &pattern, 8, (off_t)(page + SPOT));
	close(fd);
	return ret;
}

static long by_process_vm(const struct attempt *at, char *page, size_t len)
{
	static uint64_t pattern = PATTERN;
	struct iovec here = { &pattern, 8 }, there = { page + SPOT, 8 };

	(void)len;
	if (at->flags & REMOTE)
		return process_vm_writev(target, &here, 1, &there, 1, 0);
	/* Read into the page */
	return process_vm_readv(getpid(), &there, 1, &here, 1, 0);
}

static long by_ptrace(const struct attempt *at, char *page, size_t len)
{
	(void)len;
	return ptrace(at->a, target, page + SPOT, PATTERN);
}

static long by_store(const struct attempt *at, char *page, size_t len)
{
	(void)at;
	(void)len;
	errno = EFAULT;
	return areas_access((unsigned long)page + SPOT, true) ? -1 : 0;
}

#define W	PROT_WRITE
#define RW	(PROT_READ | PROT_WRITE)
#define PRIV	FUTEX_PRIVATE_FLAG
#define MOVE	MREMAP_MAYMOVE
#define WP	UFFDIO_REGISTER_MODE_WP
#define ASYNC	(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED)

static const struct attempt attempts[] = {
	{ "a store", by_store, REFUSED, 0, 0, 0 },
	{ "a store, untouched", by_store, REFUSED | FRESH, 0, 0, 0 },
	{ "mprotect(%ld)", by_mprotect, REFUSED | WHOLE, W, RW, 0 },
	{ "mprotect(%ld)", by_mprotect, REFUSED | WHOLE, W | PROT_EXEC,
	  RW | PROT_EXEC, 0 },
	{ "mprotect(%ld) of a page", by_mprotect, REFUSED, W, RW, 0 },
	{ "pkey_mprotect(%ld)", by_pkey, REFUSED | WHOLE, W, RW, 0 },
	{ "pkey_mprotect(%ld), new key", by_pkey, REFUSED | WHOLE, W, RW, 1 },
	{ "pkey_mprotect(%ld) of a page", by_pkey, REFUSED, W, RW, 1 },
	{ "madvise(%ld)", by_madvise, WHOLE, 0, 30, 0 },
	{ "madvise(%ld)", by_madvise, WHOLE, 100, 105, 0 },
	{ "madvise(%ld) of a page", by_madvise, 0, 0, 30, 0 },
	{ "madvise(%ld), untouched", by_madvise, WHOLE | FRESH, 0, 30, 0 },
	{ "process_madvise(%ld)", by_process_madvise, WHOLE, 0, 30, 0 },
	{ "mremap, mprotect", by_moving, REFUSED | WHOLE, 0, 0, 0 },
	{ "mremap, mprotect of a page", by_moving, REFUSED, 0, 0, 0 },
	{ "mremap(DONTUNMAP)", by_mremap, REFUSED | WHOLE,
	  MOVE | MREMAP_DONTUNMAP, 0, 0 },
	{ "mremap to grow", by_mremap, REFUSED | WHOLE, MOVE, 0, 1 },
	{ "mremap of length 0", by_mremap, REFUSED | WHOLE, MOVE, 0, -9 },
	{ "mremap of length 0 of a page", by_mremap, REFUSED, MOVE, 0, -9 },
	{ "mmap over a page", by_mapping_over, REFUSED | PART, 0, 0, 0 },
	{ "mmap of a file over a page", by_mapping_over, REFUSED | PART, 1, 0,
	  0 },
	{ "mmap over all", by_mapping_over, WHOLE | REPLACES, 0, 0, 0 },
	{ "mmap of a file over all", by_mapping_over, WHOLE | REPLACES, 1, 0, 0 },
	{ "mremap over a page", by_moving_over, REFUSED | PART, 0, 0, 0 },
	{ "mremap over all", by_moving_over, WHOLE | REPLACES, 0, 0, 0 },
	{ "shmat over a page", by_shmat, REFUSED | PART, SHM_REMAP, 0, 0 },
	{ "shmat over all", by_shmat, WHOLE | REPLACES, SHM_REMAP, 0, 0 },
	{ "remap_file_pages(%ld)", by_remap_file_pages, REFUSED, 0, 1, 0 },
	{ "read into it (%ld)", by_read, REFUSED, 0, 4, 0 },
	{ "a result into it (%ld)", by_result, REFUSED, 0, 4, 0 },
	{ "clone(CHILD_SETTID)", by_clone, 0, CLONE_CHILD_SETTID, 0, 0 },
	{ "clone(CHILD_CLEARTID)", by_clone, 0, CLONE_CHILD_CLEARTID, 0, 0 },
	{ "clone(PARENT_SETTID)", by_clone, 0, CLONE_PARENT_SETTID, 0, 0 },
	{ "futex(LOCK_PI)", by_futex, REFUSED, FUTEX_LOCK_PI, 0, 0 },
	{ "futex(LOCK_PI, private)", by_futex, REFUSED, FUTEX_LOCK_PI | PRIV,
	  0, 0 },
	{ "futex(WAKE_OP)", by_futex, REFUSED, FUTEX_WAKE_OP, 0, 0 },
	{ "futex(WAKE_OP, private)", by_futex, REFUSED, FUTEX_WAKE_OP | PRIV,
	  0, 0 },
	{ "vmsplice", by_vmsplice, REFUSED, 0, 0, 0 },
	{ "io_uring READ", by_io_uring, REFUSED, IORING_OP_READ, 0, 0 },
	{ "io_uring READ_FIXED", by_io_uring, REFUSED, IORING_OP_READ_FIXED, 0,
	  0 },
	{ "userfaultfd(%ld)", by_userfaultfd, REFUSED | WHOLE, 1, 7, 0 },
	{ "userfaultfd(WP, async)", by_userfaultfd, REFUSED | WHOLE, WP, 0,
	  ASYNC },
	{ "UFFDIO into it (%ld)", by_uffd_fill, REFUSED, 0, 2, 0 },
	{ "/proc/self/mem", by_proc_mem, REFUSED, 0, 0, 0 },
	{ "/proc/PID/mem", by_proc_mem, REFUSED | REMOTE, 0, 0, 0 },
	{ "/proc/PID/mem, untouched", by_proc_mem, REFUSED | REMOTE | FRESH,
	  0, 0, 0 },
	{ "process_vm_readv into it", by_process_vm, REFUSED, 0, 0, 0 },
	{ "process_vm_writev", by_process_vm, REFUSED | REMOTE, 0, 0, 0 },
	{ "PTRACE_POKETEXT", by_ptrace, REFUSED | REMOTE, PTRACE_POKETEXT, 0,
	  0 },
	{ "PTRACE_POKEDATA", by_ptrace, REFUSED | REMOTE, PTRACE_POKEDATA, 0,
	  0 },
	{ "PTRACE_POKETEXT, untouched", by_ptrace, REFUSED | REMOTE | FRESH,
	  PTRACE_POKETEXT, 0, 0 },
};

static uint64_t spot(const char *page)
{
	return *(volatile const uint64_t *)(page + SPOT);
}

/*
 * The vDSO's coarse clock is read from vvar alone. After a few ticks that of a
 * copied page is behind the system call's.
 */
static bool clock_ticks(void)
{
	struct timespec vdso, kernel, nap = { 0, 30000000 };
	long behind;

	syscall(SYS_nanosleep, &nap, NULL);
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &kernel);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &vdso);
	behind = (kernel.tv_sec - vdso.tv_sec) * 1000000000L + kernel.tv_nsec -
		 vdso.tv_nsec;
	return behind <= 0;
}

/* In a copy it does not: what the tests below rely on */
static void try_standstill(void)
{
	const struct area *a = areas_named(&as, "[vvar]");
	size_t len = a->end - a->start;
	unsigned long p;
	char *copy;
	pid_t pid = fork();

	if (!pid) {
		copy = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (copy == MAP_FAILED)
			_exit(2);
		for (p = 0; p < len; p += AREAS_PAGE)
			if (!areas_access(a->start + p, false))
				memcpy(copy + p, (void *)(a->start + p),
				       AREAS_PAGE);
		if (mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			   a->start) == MAP_FAILED)
			_exit(2);
		_exit(clock_ticks());
	}
	ksft_test_result(!child_status(pid),
			 "the clock of a copied page stands still\n");
}

/* In the child, after the attempt on page @p of area @i */
static void check_here(unsigned int i, unsigned int p)
{
	const struct area *a = &found->as.area[i];
	char *page = (char *)a->start + p * AREAS_PAGE;
	struct areas now;
	unsigned int j;
	FILE *maps;
	char line[256];

	areas_find(&now, 0);
	for (j = 0; j < now.nr; j++) {
		if (now.area[j].start == a->start &&
		    now.area[j].end == a->end &&
		    !strcmp(now.area[j].name, a->name))
			found->in_place = true;
	}
	maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "[vvar") && strchr(line, ' ')[2] == 'w')
			found->moved_writable = true;
	}
	if (maps)
		fclose(maps);
	if (!found->in_place)
		return;
	/* Whatever the attempt forbade */
	mprotect((void *)a->start, a->end - a->start, PROT_READ);
	found->store = areas_access((unsigned long)page + SPOT, true);
	found->readable = !areas_access((unsigned long)page, false);
	if (found->readable)
		found->after = spot(page);
	found->ticks = clock_ticks();
}

static void begin_child(const struct attempt *at, unsigned int i,
			unsigned int p)
{
	char *page;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	if (!areas_renew(&found->as, AREAS_MAP_64))
		_exit(2);
	page = (char *)found->as.area[i].start + p * AREAS_PAGE;
	if (!(at->flags & FRESH)) {
		areas_touch(&found->as);
		if (!areas_access((unsigned long)page, false))
			found->before = spot(page);
	}
	found->renewed = true;
}

/* One attempt on one page, or on all: 0, or what was wrong */
static const char *attempt(const struct attempt *at, unsigned int i,
			   unsigned int p, size_t len)
{
	const char *own = (char *)as.area[i].start + p * AREAS_PAGE;
	bool own_readable = !areas_access((unsigned long)own, false);
	uint64_t own_before = own_readable ? spot(own) : 0;
	const struct area *a;
	static char text[96];
	int status;
	pid_t pid;

	memset(found, 0, sizeof(*found));
	pid = fork();
	if (!pid) {
		begin_child(at, i, p);
		a = &found->as.area[i];
		if (at->flags & REMOTE) {
			ptrace(PTRACE_TRACEME, 0, 0, 0);
			raise(SIGSTOP);
		} else {
			errno = 0;
			found->ret = at->try(at, (char *)a->start +
					     p * AREAS_PAGE, len);
			found->err = errno;
		}
		check_here(i, p);
		_exit(0);
	}
	if (pid > 0 && at->flags & REMOTE &&
	    waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		target = pid;
		errno = 0;
		found->ret = at->try(at, (char *)found->as.area[i].start +
				     p * AREAS_PAGE, len);
		found->err = errno;
		/* Its own signals are its own again */
		ptrace(PTRACE_DETACH, pid, 0, 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return "no process to try it in";
	if (status) {
		snprintf(text, sizeof(text), "the process ended with %#x",
			 status);
		return text;
	}
	if (!found->renewed)
		return "no fresh areas";
	if (at->flags & REFUSED && found->ret != -1) {
		snprintf(text, sizeof(text), "not refused: %ld", found->ret);
		return text;
	}
	if (found->moved_writable)
		return "[vvar] is writable";
	if (own_readable && spot(own) != own_before)
		return "another process sees it";
	if (at->flags & REPLACES)
		return found->in_place ? "nothing was replaced" : NULL;
	if (!found->in_place)
		return "[vvar] is gone";
	if (!found->store)
		return "a store succeeds";
	if (found->readable && !(at->flags & FRESH) &&
	    found->before != found->after)
		return "the content changed";
	if (found->readable && found->after == PATTERN)
		return "the pattern is there";
	if (!found->ticks)
		return "the clock has stopped";
	return NULL;
}

static void try_attempt(const struct attempt *at, long a)
{
	struct attempt now = *at;
	unsigned int i, p, pages, tried = 0, bad = 0;
	const char *wrong;
	char name[64];
	int err = 0;

	now.a = a;
	snprintf(name, sizeof(name), at->format, a);
	for (i = 0; i < as.nr; i++) {
		if (as.area[i].text)
			continue;
		pages = at->flags & WHOLE ? 1 : area_pages(&as.area[i]);
		if (at->flags & PART && pages == 1)
			continue;
		for (p = 0; p < pages; p++) {
			wrong = attempt(&now, i, p, at->flags & WHOLE ?
					as.area[i].end - as.area[i].start :
					AREAS_PAGE);
			if (found->missing) {
				ksft_test_result_skip("%s: no %s\n", name,
						      found->missing);
				return;
			}
			tried++;
			if (wrong) {
				ksft_print_msg("%s on %s page %u: %s\n", name,
					       as.area[i].name, p, wrong);
				bad++;
			}
			err = found->ret == -1 ? found->err : 0;
		}
	}
	ksft_test_result(tried && !bad, "%s: %s, %u pages or areas\n", name,
			 err ? strerrorname_np(err) : "without effect", tried);
}

/*
 * vDSO text
 */
static unsigned long clock_addr;	/* of the vDSO's clock_gettime() */

/* An instruction that traps, and where the CPU is then */
#if defined(__x86_64__)
static const unsigned long breakpoint = 0xcc, breakpoint_mask = 0xff;
#define PC(regs)	((regs).rip)
#define PC_BEHIND	1
#elif defined(__aarch64__)
static const unsigned long breakpoint = 0xd4200000, breakpoint_mask = 0xffffffff;
#define PC(regs)	((regs).pc)
#define PC_BEHIND	0
#elif defined(__riscv)
/* libc's <sys/user.h> has no registers */
#include <asm/ptrace.h>
static const unsigned long breakpoint = 0x00100073, breakpoint_mask = 0xffffffff;
#define PC(regs)	((regs).pc)
#define PC_BEHIND	0
#endif

static bool get_regs(pid_t pid, struct user_regs_struct *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	return !ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
}

static bool set_pc(pid_t pid, unsigned long pc)
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (!get_regs(pid, &regs))
		return false;
	PC(regs) = pc;
	return !ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
}

/* A stopped child that calls the vDSO's clock when it is told to go on */
static pid_t start_victim(bool fresh)
{
	struct timespec now;
	struct areas own;
	int status;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		if (fresh && !areas_renew(&own, AREAS_MAP_64))
			_exit(2);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		clock_gettime(CLOCK_MONOTONIC, &now);
		_exit(42);
	}
	if (pid > 0 && (waitpid(pid, &status, 0) != pid ||
			!WIFSTOPPED(status))) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	return pid;
}

static void end_victim(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint64_t entry_of(pid_t pid, unsigned long addr)
{
	uint64_t entry;

	return pagemap_entry(pid, addr, &entry) ? entry : 0;
}

#define PFN(entry)	((entry) & ((1ULL << 55) - 1))
#define IS_FILE(entry)	((entry) >> 61 & 1)

static unsigned long peek(pid_t pid)
{
	return ptrace(PTRACE_PEEKTEXT, pid, clock_addr, 0);
}

enum { POKE, MEM };

/* Where the function begins */
static bool set_breakpoint(pid_t pid, int how)
{
	unsigned long word = (peek(pid) & ~breakpoint_mask) | breakpoint;
	char path[64];
	int fd;
	bool good;

	if (how == POKE)
		return !ptrace(PTRACE_POKETEXT, pid, clock_addr, word);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	good = fd >= 0 && pwrite(fd, &word, sizeof(word), clock_addr) == sizeof(word);
	if (fd >= 0)
		close(fd);
	return good;
}

/* How it goes on: breakpoint hit, ended as it should, or else */
static const char *go_on(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	ptrace(PTRACE_CONT, pid, 0, 0);
	if (waitpid(pid, &status, 0) != pid)
		return "lost";
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 42 ? "ended" : "failed";
	if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP &&
	    get_regs(pid, &regs) && PC(regs) == clock_addr + PC_BEHIND)
		return "hit";
	return "else";
}

static void try_breakpoint(int how, bool fresh)
{
	static const char * const hows[] = { "PTRACE_POKETEXT", "/proc/PID/mem" };
	pid_t a = start_victim(fresh), b = start_victim(fresh), c;
	unsigned long own = *(volatile unsigned long *)clock_addr, was, new;
	uint64_t ea, eb, eb_before;
	const char *what = hows[how];
	const char *state = fresh ? "fresh" : "inherited";

	if (a < 0 || b < 0)
		ksft_exit_fail_msg("no processes to debug\n");
	was = peek(b);		/* maps the page there */
	eb_before = entry_of(b, clock_addr);
	ksft_test_result(set_breakpoint(a, how) &&
			 (peek(a) & breakpoint_mask) == breakpoint,
			 "%s, %s: the breakpoint is there\n", what, state);
	ksft_test_result(peek(b) == was && was == own,
			 "%s, %s: another process has none\n", what, state);
	ksft_test_result(*(volatile unsigned long *)clock_addr == own,
			 "%s, %s: this process has none\n", what, state);
	c = start_victim(true);
	ksft_test_result(c > 0 && peek(c) == own,
			 "%s, %s: a new mapping has none\n", what, state);
	end_victim(c);
	ea = entry_of(a, clock_addr);
	eb = entry_of(b, clock_addr);
	ksft_test_result(PFN(ea) && PFN(eb) && PFN(ea) != PFN(eb) &&
			 !IS_FILE(ea) && IS_FILE(eb) &&
			 PFN(eb) == PFN(eb_before),
			 "%s, %s: it is in a private page\n", what, state);
	ksft_test_result(!strcmp(go_on(b), "ended"),
			 "%s, %s: another process runs on\n", what, state);
	ksft_test_result(!strcmp(go_on(a), "hit"),
			 "%s, %s: it is hit\n", what, state);
	/* Over it, as a debugger goes */
	new = (peek(a) & ~breakpoint_mask) | (own & breakpoint_mask);
	ptrace(PTRACE_POKETEXT, a, clock_addr, new);
	ksft_test_result(set_pc(a, clock_addr) && peek(a) == own && !strcmp(go_on(a), "ended"),
			 "%s, %s: and taken away\n", what, state);
}

#define BREAKPOINT_TESTS	8

/* A copy made by a store: inherited, then dropped */
static void try_copy(void)
{
	const struct area *vdso;
	struct areas own;
	volatile char *byte;
	uint64_t shared, copied, back;
	int status;
	char was;
	pid_t pid = fork();

	if (!pid) {
		if (!areas_renew(&own, AREAS_MAP_64))
			_exit(1);
		vdso = areas_named(&own, "[vdso]");
		byte = (char *)vdso->end - 1;
		was = *byte;
		shared = entry_of(0, (unsigned long)byte);
		if (mprotect((void *)vdso->start, vdso->end - vdso->start,
			     PROT_READ | PROT_WRITE | PROT_EXEC))
			_exit(2);
		*byte = was + 1;
		copied = entry_of(0, (unsigned long)byte);
		if (PFN(copied) == PFN(shared) || IS_FILE(copied))
			_exit(3);
		pid = fork();
		if (!pid) {
			if (*byte != (char)(was + 1))
				_exit(1);
			*byte = was + 2;
			_exit(0);
		}
		waitpid(pid, &status, 0);
		if (status || *byte != (char)(was + 1))
			_exit(4);
		if (madvise((void *)vdso->start, vdso->end - vdso->start,
			    MADV_DONTNEED) || *byte != was)
			_exit(5);
		back = entry_of(0, (unsigned long)byte);
		_exit(PFN(back) == PFN(shared) ? 0 : 6);
	}
	waitpid(pid, &status, 0);
	if (status)
		ksft_print_msg("status %#x\n", status);
	ksft_test_result(!status,
			 "a stored byte is private, inherited and dropped\n");
}

static void try_process_vm(void)
{
	pid_t pid = start_victim(true);
	unsigned long word = breakpoint;
	struct iovec here = { &word, 4 }, there = { (void *)clock_addr, 4 };
	long ret = process_vm_writev(pid, &here, 1, &there, 1, 0);
	int err = errno;

	ksft_test_result(ret == -1 && err == EFAULT &&
			 !strcmp(go_on(pid), "ended"),
			 "process_vm_writev to vDSO text: EFAULT\n");
}

/*
 * Reads of another process's pages. PTRACE_PEEKDATA and /proc/PID/mem of RAM have
 * what the process itself reads there, as far as the clock leaves it alone
 * meanwhile; registers give EIO. Nobody gets a reference on either, which
 * process_vm_readv() would take.
 */
static bool reads_as(pid_t pid, int mem, unsigned long addr,
		     const char *own, unsigned int *compared)
{
	const unsigned int nr = AREAS_PAGE / sizeof(long);
	unsigned long before[nr], peeked[nr], read[nr], after[nr];
	struct iovec here = { read, AREAS_PAGE };
	struct iovec there = { (void *)addr, AREAS_PAGE };
	unsigned int i;

	*compared = 0;
	errno = 0;
	/* But the zero page is anybody's, where the kernel lets it be had */
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)AREAS_PAGE) {
		for (i = 0; i < nr; i++) {
			if (read[i])
				return false;
		}
	} else if (errno != EFAULT) {
		return false;
	}
	memcpy(before, own, AREAS_PAGE);
	for (i = 0; i < nr; i++) {
		errno = 0;
		peeked[i] = ptrace(PTRACE_PEEKDATA, pid,
				   addr + i * sizeof(long), 0);
		if (errno)
			return false;
	}
	if (pread(mem, read, AREAS_PAGE, addr) != (ssize_t)AREAS_PAGE)
		return false;
	memcpy(after, own, AREAS_PAGE);
	for (i = 0; i < nr; i++) {
		if (before[i] != after[i])
			continue;
		if (peeked[i] != before[i] || read[i] != before[i])
			return false;
		*compared += before[i] != 0;
	}
	return true;
}

static bool reads_give_eio(pid_t pid, int mem, unsigned long addr)
{
	unsigned long i, word;

	for (i = 0; i < AREAS_PAGE; i += sizeof(word)) {
		errno = 0;
		if (ptrace(PTRACE_PEEKDATA, pid, addr + i, 0) != -1 ||
		    errno != EIO)
			return false;
		if (pread(mem, &word, sizeof(word), addr + i) != -1 ||
		    errno != EIO)
			return false;
	}
	return true;
}

/* @fresh: of a process that has not touched them */
static void try_reads(bool fresh)
{
	const char *state = fresh ? "fresh" : "inherited";
	pid_t pid = start_victim(fresh);
	unsigned int i, p, words;
	struct areas its;
	char path[64];
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	if (pid < 0 || mem < 0 || !areas_find(&its, pid))
		ksft_exit_fail_msg("no process to read from\n");
	for (i = 0; i < as.nr; i++) {
		const struct area *a = &as.area[i];
		/* Registers while they are the clocksource's, else the zero page */
		bool ram = strcmp(a->name, "[vvar_hpet]") ||
			   !clocksource_is("hpet");
		bool good = true;

		if (a->text)
			continue;
		for (p = 0; p < area_pages(a); p++) {
			unsigned long at = p * AREAS_PAGE;

			if (!ram)
				good = good && reads_give_eio(pid, mem,
						its.area[i].start + at);
			else
				good = good && reads_as(pid, mem,
						its.area[i].start + at,
						(char *)a->start + at, &words);
			/* The time data is what the rest is about */
			if (!p && !strcmp(a->name, "[vvar]"))
				good = good && words;
		}
		ksft_test_result(good, "%s, %s: ptrace and /proc/PID/mem %s\n",
				 a->name, state,
				 ram ? "have its content" : "give EIO");
	}
	close(mem);
	end_victim(pid);
}

/* Not a copy: a debugger sees the clock go on */
static void try_time(void)
{
	const struct area *vvar;
	char then[AREAS_PAGE], now[AREAS_PAGE], path[64];
	pid_t pid = start_victim(true);
	struct areas its;
	bool good;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	if (pid < 0 || mem < 0 || !areas_find(&its, pid))
		ksft_exit_fail_msg("no process to read from\n");
	vvar = areas_named(&its, "[vvar]");
	good = vvar && pread(mem, then, AREAS_PAGE, vvar->start) ==
		       (ssize_t)AREAS_PAGE;
	usleep(100000);
	good = good && pread(mem, now, AREAS_PAGE, vvar->start) ==
		       (ssize_t)AREAS_PAGE && memcmp(then, now, AREAS_PAGE);
	ksft_test_result(good, "[vvar]: by /proc/PID/mem the clock goes on\n");
	close(mem);
	end_victim(pid);
}

int main(void)
{
	void *handle = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	unsigned int i, plan = 4 * BREAKPOINT_TESTS + 5;
	struct areas own;
	long a;
	pid_t pid;

	ksft_print_header();
	if (chdir("/tmp"))	/* not too long for a word */
		ksft_exit_fail_msg("/tmp: %s\n", strerror(errno));
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (!areas_find(&as, 0))
		ksft_exit_skip("no [vvar] and [vdso] in /proc/self/maps\n");
	pid = fork();
	if (!pid)
		_exit(!areas_renew(&own, AREAS_MAP_64));
	if (child_status(pid))
		ksft_exit_skip("no fresh areas: is CONFIG_CHECKPOINT_RESTORE off?\n");
	clock_addr = (unsigned long)dlsym(handle, "__vdso_clock_gettime") ?:
		     (unsigned long)dlsym(handle, "__kernel_clock_gettime");
	if (!handle || !clock_addr)
		ksft_exit_skip("no clock_gettime() in the vDSO\n");
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED)
		ksft_exit_fail_msg("no memory to share\n");

	for (i = 0; i < ARRAY_SIZE(attempts); i++)
		plan += attempts[i].last > attempts[i].a ?
			attempts[i].last - attempts[i].a + 1 : 1;
	plan += 2 * (as.nr - 1);
	ksft_set_plan(plan);

	ksft_test_result(clock_ticks(), "the clock of this process ticks\n");
	try_standstill();
	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		try_attempt(&attempts[i], attempts[i].a);
		for (a = attempts[i].a + 1; a <= attempts[i].last; a++)
			try_attempt(&attempts[i], a);
	}
	try_breakpoint(POKE, true);
	try_breakpoint(POKE, false);
	try_breakpoint(MEM, true);
	try_breakpoint(MEM, false);
	try_copy();
	try_process_vm();
	try_reads(true);
	try_reads(false);
	try_time();
	ksft_finished();
}
