// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation on the ways that map, fault in, copy, move and replace vvar
 * and vDSO pages fails once: the first, then the second, and so on until the
 * operation makes no more. Then it either reports an error that user space
 * knows, or goes on without; tried again, it works; and nothing is left behind.
 *
 * By /proc/self/task/TID/fail-nth, see
 * Documentation/fault-injection/fault-injection.rst. Needs CONFIG_FAILSLAB and
 * CONFIG_FAIL_PAGE_ALLOC with CONFIG_FAULT_INJECTION_DEBUG_FS, and root. With
 * vvar.populate=0 there are faults to look at, without it there is populate.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "areas.h"
#include "process.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define HOOKS		DEBUGFS "vvar/"
/* More than any operation here allocates: not stopped before, it is not failing */
#define NTH_MAX		5000
/* Where no page table is: the kernel takes the hint */
#define FAR		0x200000000000UL

static char exec_arg[16];
static int nth_fd, exec_fd, pipe_fd[2], time_ns = -1;
static struct areas as;
static bool vvar_areas;

/* Ends of a child; others are signals */
enum {
	FAILED_CLEANLY,
	NOT_NOTICED,
	NO_MORE,	/* fewer than N allocations */
	NO_SETUP,
	WRONG,
	NR_ENDS
};

static void nth_set(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth_fd, text, len, 0) != len)
		_exit(NO_SETUP);
}

/* Has the Nth allocation come, and failed? It may be the page of this buffer. */
static bool nth_came(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) > 0)
		return !atoi(text);
	if (errno != EFAULT)
		_exit(NO_SETUP);
	return true;
}

static bool setup_mapped(void)
{
	return areas_find(&as, 0);
}

static bool setup_unmapped(void)
{
	unsigned int i;

	if (!areas_find(&as, 0))
		return false;
	for (i = 0; i < as.nr; i++) {
		if (munmap((void *)as.area[i].start,
			   as.area[i].end - as.area[i].start))
			return false;
	}
	return true;
}

static bool map_far(int which)
{
	return setup_unmapped() && syscall(SYS_arch_prctl, which, FAR) >= 0 &&
	       areas_find(&as, 0);
}

static bool setup_far(void)
{
	return map_far(AREAS_MAP_64);
}

/* The pages of an area that can be read: stock has SIGBUS behind the first */
static unsigned long readable_end(const struct area *a)
{
	return a->text || vvar_areas ? a->end : a->start + AREAS_PAGE;
}

static bool readable(void)
{
	unsigned long addr;
	unsigned int i;

	if (!areas_find(&as, 0))
		return false;
	for (i = 0; i < as.nr; i++) {
		for (addr = as.area[i].start; addr < readable_end(&as.area[i]);
		     addr += AREAS_PAGE) {
			if (areas_access(addr, false))
				return false;
		}
	}
	return true;
}

/* A failed try leaves none of the two VMAs, not one */
static bool none_mapped(void)
{
	areas_find(&as, 0);
	return !as.nr;
}

static long map_image(int which)
{
	return syscall(SYS_arch_prctl, which, FAR);
}

static long map_64(void)
{
	return map_image(AREAS_MAP_64);
}

static long map_32(void)
{
	return map_image(AREAS_MAP_32);
}

static long map_x32(void)
{
	return map_image(AREAS_MAP_X32);
}

/* A fault from user mode that gets no memory is taken again */
static long touch_user(void)
{
	unsigned long addr = as.area[0].start;

	for (; addr < readable_end(&as.area[0]); addr += AREAS_PAGE) {
		if (areas_access(addr, false)) {
			errno = EIO;
			return -1;
		}
	}
	return areas_access(as.area[as.nr - 1].start, false) ? -1 : 0;
}

static long touch_kernel(void)
{
	static char text[16];
	ssize_t n;

	/* 16 bytes fit into the pipe's page, which is there */
	n = write(pipe_fd[1], (void *)as.area[0].start, sizeof(text));
	if (n != sizeof(text))
		return -1;
	return read(pipe_fd[0], text, n) == n ? 0 : -1;
}

static bool setup_pipe(void)
{
	return setup_far() && !pipe(pipe_fd) &&
	       write(pipe_fd[1], "x", 1) == 1 && read(pipe_fd[0], &as, 1) == 1 &&
	       areas_find(&as, 0);
}

static long vm_readv(void)
{
	static char buf[AREAS_PAGE];
	struct iovec to = { buf, sizeof(buf) };
	struct iovec from = { (void *)as.area[as.nr - 1].start, sizeof(buf) };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) ==
	       sizeof(buf) ? 0 : -1;
}

static long do_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (!pid)
		_exit(readable() ? 0 : WRONG);
	if (child_status(pid))
		errno = EIO;
	else
		return 0;
	return -1;
}

static bool setup_exec(void)
{
	snprintf(exec_arg, sizeof(exec_arg), "%d", nth_fd);
	return setup_mapped();
}

/* The new program looks at the descriptor that it inherits: see main() */
static long do_exec(void)
{
	char * const argv[] = { "fail_nth", exec_arg, NULL };
	char * const none[] = { NULL };

	fexecve(exec_fd, argv, none);
	return -1;
}

static long do_mremap(void)
{
	const struct area *a = &as.area[0];
	size_t len = a->end - a->start;

	return mremap((void *)a->start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		      FAR + (1UL << 32)) == MAP_FAILED ? -1 : 0;
}

static long do_munmap(void)
{
	const struct area *a = &as.area[0];

	return munmap((void *)a->start, a->end - a->start);
}

static long do_mprotect(void)
{
	const struct area *a = &as.area[0];
	size_t len = a->end - a->start;

	return mprotect((void *)a->start, len, PROT_NONE) ?:
	       mprotect((void *)a->start, len, PROT_READ);
}

static long do_mlockall(void)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE);
}

static long do_unshare(void)
{
	if (unshare(CLONE_NEWTIME))
		return -1;
	return do_fork();
}

static bool setup_time_ns(void)
{
	if (unshare(CLONE_NEWTIME))
		return false;
	time_ns = open("/proc/self/ns/time_for_children", O_RDONLY);
	return time_ns >= 0 && setup_mapped();
}

static long do_setns(void)
{
	return setns(time_ns, CLONE_NEWTIME);
}

static long hook(const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), HOOKS "%s", name);
	return put_text(path, text) ? 0 : -1;
}

static long replace(void)
{
	return hook("replace", "2");
}

/* The HPET's registers, as the kernel itself has them: a reservation */
static long reserve(void)
{
	long ret = hook("slot", "fed00 UC-");

	if (!ret)
		/* A page of RAM, which needs none */
		hook("slot", "1 WB");
	return ret;
}

static long map_test_area(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", FAR);
	return hook("map", text);
}

static const struct op {
	const char	*name;
	bool		(*setup)(void);
	long		(*run)(void);
	bool		(*after_failure)(void);
	bool		(*after)(void);
	bool		may_die;	/* as exec behind its point of no return */
	bool		may_be_free;	/* of allocations */
	bool		needs_hooks;
} ops[] = {
	{ "map the 64-bit image", setup_unmapped, map_64, none_mapped, readable },
	{ "map the 32-bit image", setup_unmapped, map_32, none_mapped, readable },
	{ "map the x32 image", setup_unmapped, map_x32, none_mapped, readable },
	{ "first touch", setup_far, touch_user, readable, readable,
	  .may_be_free = true },
	{ "first touch by the kernel", setup_pipe, touch_kernel, readable,
	  readable, .may_be_free = true },
	{ "process_vm_readv", setup_far, vm_readv, readable, readable,
	  .may_be_free = true },
	{ "fork", setup_far, do_fork, readable, readable },
	{ "exec", setup_exec, do_exec, readable, readable, .may_die = true },
	{ "mremap", setup_far, do_mremap, readable, readable },
	{ "munmap", setup_mapped, do_munmap, setup_mapped, NULL,
	  .may_be_free = true },
	{ "mprotect", setup_mapped, do_mprotect, NULL, readable,
	  .may_be_free = true },
	{ "mlockall", setup_far, do_mlockall, readable, readable,
	  .may_be_free = true },
	{ "unshare and fork", setup_far, do_unshare, readable, readable },
	{ "setns", setup_time_ns, do_setns, readable, readable },
	{ "replace a slot", setup_far, replace, readable, readable,
	  .may_be_free = true, .needs_hooks = true },
	{ "reserve an IO page", setup_mapped, reserve, readable, readable,
	  .needs_hooks = true },
	{ "map another area", setup_mapped, map_test_area, readable, readable,
	  .needs_hooks = true },
};

static bool clean_error(const struct op *op, int err)
{
	if (err == ENOMEM || err == EAGAIN || err == EFAULT)
		return true;
	/* exec: no page for the arguments, for the program's headers */
	return op->may_die && (err == E2BIG || err == ENOEXEC);
}

static void child(const struct op *op, unsigned int n)
{
	char path[64];
	bool came;
	long ret;
	int err;

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", getpid());
	nth_fd = open(path, O_RDWR);
	if (nth_fd < 0 || !op->setup())
		_exit(NO_SETUP);

	nth_set(n);
	ret = op->run();
	err = errno;
	came = nth_came();
	nth_set(0);

	if (ret >= 0) {
		if (op->after && !op->after())
			_exit(WRONG);
		_exit(came ? NOT_NOTICED : NO_MORE);
	}
	if (!came || !clean_error(op, err)) {
		ksft_print_msg("%s, allocation %u%s: %s\n", op->name, n,
			       came ? "" : " did not come", strerror(err));
		_exit(WRONG);
	}
	if (op->after_failure && !op->after_failure()) {
		ksft_print_msg("%s, allocation %u: wrong after %s\n", op->name,
			       n, strerror(err));
		_exit(WRONG);
	}
	if (op->run() < 0 || (op->after && !op->after())) {
		ksft_print_msg("%s, allocation %u: not after another try: %s\n",
			       op->name, n, strerror(errno));
		_exit(WRONG);
	}
	_exit(FAILED_CLEANLY);
}

static void each_allocation(const struct op *op)
{
	unsigned int ends[NR_ENDS] = { 0 }, died = 0, n;
	int status, end = WRONG;

	if (op->needs_hooks && access(HOOKS, X_OK)) {
		ksft_test_result_skip("%s: no %s\n", op->name, HOOKS);
		return;
	}
	for (n = 1; n <= NTH_MAX; n++) {
		pid_t pid = fork();

		if (pid < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
		if (!pid)
			child(op, n);
		if (waitpid(pid, &status, 0) != pid)
			ksft_exit_fail_msg("waitpid: %s\n", strerror(errno));
		/* 127: libc, between exec and main() */
		if (WIFSIGNALED(status) ||
		    (op->may_die && WEXITSTATUS(status) == 127)) {
			end = op->may_die ? NR_ENDS : WRONG;
			died++;
			if (end == WRONG)
				ksft_print_msg("%s, allocation %u: signal %d\n",
					       op->name, n, WTERMSIG(status));
		} else {
			end = WEXITSTATUS(status);
			if (end >= NR_ENDS)
				end = WRONG;
			ends[end]++;
		}
		if (end == NO_MORE || end == NO_SETUP || end == WRONG)
			break;
	}
	n--;
	ksft_test_result(end == NO_MORE && (n || op->may_be_free),
			 "%s: %u allocations: %u clean errors, %u not noticed, %u killed%s\n",
			 op->name, n, ends[FAILED_CLEANLY], ends[NOT_NOTICED],
			 died, end == NO_SETUP ? "; cannot be set up" :
			 end == WRONG ? "; wrong" : "");
}

static void put(const char *path, const char *text)
{
	if (!put_text(path, text))
		ksft_exit_skip("%s: %s: needs a debug kernel\n", path,
			       strerror(errno));
}

static unsigned long count_lines(const char *path)
{
	unsigned long n = 0;
	char line[256];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n;
}

static unsigned long page_tables(void)
{
	unsigned long kb = 0;
	char line[128];
	FILE *f;

	/* CPUs keep counts of their own: have them added up */
	put("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "PageTables: %lu", &kb);
	if (f)
		fclose(f);
	return kb;
}

/* In memory: no file system's failures are of interest, nor what 9p makes of them */
static int copy_of_this_program(void)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = memfd_create("fail_nth", MFD_CLOEXEC);
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) ||
	    sendfile(to, from, NULL, st.st_size) != st.st_size)
		ksft_exit_fail_msg("cannot copy this program: %s\n",
				   strerror(errno));
	close(from);
	return to;
}

/*
 * After fork the page of libc's rseq area is to be copied, and who was preempted
 * and gets no memory for it is killed, in code that is none of ours.
 */
static void leave_rseq(void)
{
	if (__rseq_size && syscall(SYS_rseq, (char *)__builtin_thread_pointer() +
				   __rseq_offset, sizeof(struct rseq),
				   RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		ksft_exit_fail_msg("rseq: %s\n", strerror(errno));
}

#define MEMTYPES	DEBUGFS "x86/pat_memtype_list"

int main(int argc, char **argv)
{
	unsigned long memtypes, tables, now;
	unsigned int i;

	vvar_areas = !access("/sys/module/vvar", F_OK);
	if (argc == 2) {
		nth_fd = atoi(argv[1]);
		i = nth_came() ? NOT_NOTICED : NO_MORE;
		nth_set(0);
		return readable() ? i : WRONG;
	}
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (access("/proc/self/fail-nth", W_OK))
		ksft_exit_skip("no /proc/self/fail-nth: needs a debug kernel\n");
	/* Sleeping and high allocations too, and no stack trace for each */
	put(DEBUGFS "failslab/ignore-gfp-wait", "N");
	put(DEBUGFS "failslab/verbose", "0");
	put(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	put(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	put(DEBUGFS "fail_page_alloc/min-order", "0");
	put(DEBUGFS "fail_page_alloc/verbose", "0");
	setvbuf(stdout, NULL, _IONBF, 0);
	exec_fd = copy_of_this_program();
	leave_rseq();

	ksft_set_plan(ARRAY_SIZE(ops) + 2);
	/* What reading them takes is not a leak */
	page_tables();
	tables = page_tables();
	memtypes = count_lines(MEMTYPES);
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		each_allocation(&ops[i]);

	now = count_lines(MEMTYPES);
	ksft_test_result(now == memtypes, "memtypes: %lu before, %lu after\n",
			 memtypes, now);
	/* Freed ones may wait for RCU */
	for (i = 0; i < 50 && (now = page_tables()) > tables; i++)
		usleep(100000);
	ksft_test_result(now <= tables, "page tables: %lu KiB before, %lu after\n",
			 tables, now);
	ksft_finished();
}
