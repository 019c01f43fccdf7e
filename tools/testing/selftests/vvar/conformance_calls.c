// SPDX-License-Identifier: GPL-2.0
/*
 * The conformance test: the table of system calls, and what runs each of
 * them on an area and on each of its pages.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>

#include "conformance.h"
#include "conformance_calls.h"
#include "ring.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

pid_t target;		/* of a REMOTE op */
bool on_hole;		/* the op is about a page with nothing there */

/* What is where the areas were, and the areas wherever they are now */
static void say_layout(bool vmflags)
{
	unsigned long start, end, first = as.area[0].start;
	unsigned long last = as.area[as.nr - 1].end;
	FILE *maps = fopen(vmflags ? "/proc/self/smaps" : "/proc/self/maps",
			   "r");
	char line[512], perms[8], rest[64], name[64];
	const char *word[3];
	bool area = false;
	int column;

	if (!maps)
		_exit(1);
	while (fgets(line, sizeof(line), maps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %63[^\n]", &start, &end, perms,
			   rest) != 4) {
			if (area && !strncmp(line, "VmFlags:", 8))
				say(" %.*s", (int)strcspn(line, "\n"), line);
			continue;
		}
		area = sscanf(rest, "%*s %*s %*s %63s", name) == 1 &&
		       areas_is_name(name);
		if (!area && (end <= first || start >= last))
			continue;
		if (start >= first && start < last)
			say("; at %lu", (start - first) / AREAS_PAGE);
		else
			say("; moved");
		for (column = 0; column < 3; column++)
			word[column] = strtok(column ? NULL : rest, " ") ?: "?";
		say(" %lu %s %s %s %s %s", (end - start) / AREAS_PAGE, perms,
		    word[0], word[1], word[2], name);
	}
	fclose(maps);
}

static void run_op(const struct op *op, const struct area *a, int page,
		   bool touched)
{
	char *addr = (char *)a->start + (page < 0 ? 0 : page * AREAS_PAGE);
	size_t len = page < 0 ? a->end - a->start : AREAS_PAGE;
	long ret;

	if (op->flags & READS)
		say("%s", mark_of(a, page));
	else if (op->flags & DEBUGS && !a->text)
		say("improvement: ");
	say("%s%s %s", label(a, page), touched ? " touched" : "", op->name);
	on_hole = page >= 0 && is_hole(a, page);
	errno = 0;
	ret = op->call(op, addr, len);
	say(" = %s", op->flags & ADDR && ret != -1 ? "mapped" :
	    areas_outcome(ret));
	if (op->flags & (SHOW | FLAGS))
		say_layout(op->flags & FLAGS);
	say("\n");
}

/* A stopped child with fresh areas; false if there is none */
static bool stop_target(const struct image *image, bool touched)
{
	struct areas *shared = mmap(NULL, sizeof(*shared),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	if (shared == MAP_FAILED)
		return false;
	target = fork();
	if (!target) {
		arm_child();
		renew(image, touched);
		*shared = as;
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	as.nr = 0;
	if (target > 0 && waitpid(target, &status, 0) == target &&
	    WIFSTOPPED(status))
		as = *shared;
	munmap(shared, sizeof(*shared));
	return as.nr;
}

/* One op on one target, in a process of its own */
static bool one_op(const struct image *image, const struct op *op,
		   unsigned int i, int page, bool touched)
{
	bool good = true;
	int status;
	pid_t pid;

	if (op->flags & REMOTE) {
		good = stop_target(image, touched);
		if (good)
			run_op(op, &as.area[i], page, touched);
		if (target > 0) {
			kill(target, SIGKILL);
			waitpid(target, &status, 0);
		}
		return good;
	}
	pid = fork();
	if (!pid) {
		arm_child();
		renew(image, touched);
		run_op(op, &as.area[i], page, touched);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	say_death(status);
	return !status;
}

static bool each_target(const struct image *image, const struct op *op)
{
	/* Another image is the same code with other pages: once will do */
	unsigned int states = image->map == AREAS_MAP_64 ? 2 : 1;
	unsigned int i, touched;
	bool good = true;
	int page;

	fflush(stdout);
	for (i = 0; i < layout.nr; i++) {
		for (page = -1; page < (int)area_pages(&layout.area[i]);
		     page++) {
			if (page < 0 && op->flags & PAGES)
				continue;
			if (op->flags & ONCE && (i || page >= 0))
				continue;
			if (op->flags & TOUCHED) {
				good &= one_op(image, op, i, page, true);
				continue;
			}
			for (touched = 0; touched < states; touched++)
				good &= one_op(image, op, i, page, touched);
		}
	}
	return good;
}

struct call {
	const char *format;
	struct op op;
	long a0, a1;		/* range of op.a, or just op.a if empty */
};

#define ASYNC (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED)
#define PRIV FUTEX_PRIVATE_FLAG

static const struct call calls[] = {
	{ "mprotect(%ld)", { .call = do_mprotect, .flags = SHOW }, 0, 7 },
	{ "mprotect(GROWSDOWN)", { .call = do_mprotect, .flags = SHOW,
	  .a = PROT_READ | PROT_GROWSDOWN } },
	{ "mprotect(GROWSUP)", { .call = do_mprotect, .flags = SHOW,
	  .a = PROT_READ | PROT_GROWSUP } },
	{ "mprotect(8)", { .call = do_mprotect, .flags = SHOW, .a = 8 } },
	{ "pkey_mprotect(%ld, -1)", { .call = do_pkey_mprotect, .flags = SHOW,
	  .b = -1 }, 0, 7 },
	{ "pkey_mprotect(%ld, 0)", { .call = do_pkey_mprotect, .flags = SHOW,
	  .b = 0 }, 0, 7 },
	{ "pkey_mprotect(%ld, new)", { .call = do_pkey_mprotect, .flags = FLAGS,
	  .b = 1 }, 0, 7 },
	{ "madvise(%ld)", { .call = do_madvise, .flags = FLAGS }, 0, 30 },
	{ "madvise(%ld)", { .call = do_madvise, .flags = FLAGS }, 100, 105 },
	{ "process_madvise(%ld)", { .call = do_process_madvise }, 0, 30 },
	{ "process_madvise(%ld)", { .call = do_process_madvise }, 100, 105 },
	{ "process_madvise(another, %ld)", { .call = do_process_madvise,
	  .flags = REMOTE }, 0, 30 },
	{ "mincore", { .call = do_mincore } },
	{ "mincore by nobody", { .call = do_mincore, .a = 1 } },
	{ "mlock2(%ld)", { .call = do_mlock, .flags = FLAGS }, 0, 2 },
	{ "munlock", { .call = do_munlock, .flags = FLAGS } },
	{ "mlock, munlock", { .call = do_munlock, .flags = FLAGS, .a = 1 } },
	{ "mlockall(%ld)", { .call = do_mlockall, .flags = FLAGS | ONCE }, 0, 8 },
	{ "munlockall", { .call = do_munlockall, .flags = FLAGS | ONCE,
	  .a = MCL_CURRENT | MCL_FUTURE } },
	{ "msync(%ld)", { .call = do_msync }, 0, 7 },
	{ "mremap", { .call = do_mremap, .flags = SHOW } },
	{ "mremap(MAYMOVE)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE } },
	{ "mremap(FIXED)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED } },
	{ "mremap(DONTUNMAP)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_DONTUNMAP } },
	{ "mremap(DONTUNMAP, FIXED)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED } },
	{ "mremap shrink", { .call = do_mremap, .flags = SHOW, .b = SHRINK } },
	{ "mremap(FIXED) shrink", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED, .b = SHRINK } },
	{ "mremap grow", { .call = do_mremap, .flags = SHOW, .b = GROW } },
	{ "mremap(MAYMOVE) grow", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE, .b = GROW } },
	{ "mremap(FIXED) grow", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED, .b = GROW } },
	{ "mremap(MAYMOVE) of length 0", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE, .b = EMPTY } },
	{ "mremap(FIXED) of length 0", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED, .b = EMPTY } },
	{ "munmap", { .call = do_munmap, .flags = SHOW } },
	{ "mmap(FIXED) over it", { .call = do_mmap, .flags = SHOW,
	  .a = MAP_FIXED } },
	{ "mmap(FIXED_NOREPLACE) over it", { .call = do_mmap, .flags = SHOW,
	  .a = MAP_FIXED_NOREPLACE } },
	{ "shmat over it", { .call = do_shmat, .flags = SHOW } },
	{ "shmat(REMAP) over it", { .call = do_shmat, .flags = SHOW,
	  .a = SHM_REMAP } },
	{ "shmdt", { .call = do_shmdt, .flags = SHOW } },
	{ "mseal, munmap", { .call = do_mseal, .flags = FLAGS } },
	{ "mseal, mprotect", { .call = do_mseal, .flags = FLAGS, .a = 1 } },
	{ "mseal, madvise", { .call = do_mseal, .flags = FLAGS, .a = 2 } },
	{ "userfaultfd(%ld)", { .call = do_userfaultfd, .flags = FLAGS }, 0, 8 },
	{ "userfaultfd(%ld) async", { .call = do_userfaultfd, .flags = FLAGS,
	  .b = ASYNC }, 1, 7 },
	{ "UFFDIO into it %ld", { .call = do_uffd_fill,
	  .b = UFFD_FEATURE_MOVE }, 0, 4 },
	{ "UFFDIO_MOVE out of it", { .call = do_uffd_fill, .a = 5,
	  .b = UFFD_FEATURE_MOVE } },
	{ "remap_file_pages(%ld)", { .call = do_remap_file_pages,
	  .flags = SHOW }, 0, 1 },
	{ "get_mempolicy(ADDR)", { .call = do_get_mempolicy,
	  .a = MPOL_F_ADDR } },
	{ "get_mempolicy(ADDR, NODE)", { .call = do_get_mempolicy,
	  .a = MPOL_F_ADDR | MPOL_F_NODE } },
	{ "mbind(%ld)", { .call = do_mbind }, 0, 6 },
	{ "mbind(%ld, STRICT)", { .call = do_mbind, .b = MPOL_MF_STRICT },
	  0, 4 },
	{ "mbind(%ld, MOVE)", { .call = do_mbind, .b = MPOL_MF_MOVE }, 0, 4 },
	{ "mbind(%ld, MOVE_ALL, STRICT)", { .call = do_mbind,
	  .b = MPOL_MF_MOVE_ALL | MPOL_MF_STRICT }, 0, 4 },
	{ "set_mempolicy_home_node(%ld)", { .call = do_home_node }, 0, 1 },
	{ "move_pages query", { .call = do_move_pages,
	  .flags = PAGES | READS | TOUCHED } },
	{ "move_pages(MOVE)", { .call = do_move_pages,
	  .flags = PAGES | READS | TOUCHED, .a = 1, .b = MPOL_MF_MOVE } },
	{ "move_pages(MOVE_ALL)", { .call = do_move_pages,
	  .flags = PAGES | READS | TOUCHED, .a = 1, .b = MPOL_MF_MOVE_ALL } },
	{ "migrate_pages", { .call = do_migrate_pages, .flags = ONCE } },
	{ "process_vm_readv", { .call = do_process_vm, .flags = REMOTE } },
	{ "process_vm_writev", { .call = do_process_vm, .flags = REMOTE,
	  .a = 1 } },
	{ "process_vm_readv into it", { .call = do_process_vm_local } },
	{ "process_vm_writev from it", { .call = do_process_vm_local,
	  .flags = READS, .a = 1 } },
	{ "PTRACE_PEEKTEXT", { .call = do_ptrace,
	  .flags = REMOTE | PAGES | DEBUGS, .a = PTRACE_PEEKTEXT } },
	{ "PTRACE_PEEKDATA", { .call = do_ptrace,
	  .flags = REMOTE | PAGES | DEBUGS, .a = PTRACE_PEEKDATA } },
	{ "PTRACE_POKETEXT", { .call = do_ptrace, .flags = REMOTE | PAGES,
	  .a = PTRACE_POKETEXT } },
	{ "PTRACE_POKEDATA", { .call = do_ptrace, .flags = REMOTE | PAGES,
	  .a = PTRACE_POKEDATA } },
	{ "/proc/PID/mem read", { .call = do_proc_mem,
	  .flags = REMOTE | DEBUGS } },
	{ "/proc/PID/mem write", { .call = do_proc_mem, .flags = REMOTE,
	  .a = 1 } },
	{ "io_uring WRITE from it", { .call = do_io_uring, .flags = READS,
	  .a = IORING_OP_WRITE } },
	{ "io_uring READ into it", { .call = do_io_uring,
	  .a = IORING_OP_READ } },
	{ "io_uring WRITE_FIXED", { .call = do_io_uring,
	  .a = IORING_OP_WRITE_FIXED } },
	{ "io_uring READ_FIXED", { .call = do_io_uring,
	  .a = IORING_OP_READ_FIXED } },
	{ "io_uring READ_FIXED, writable", { .call = do_io_uring,
	  .a = IORING_OP_READ_FIXED, .b = 1 } },
	{ "vmsplice from it", { .call = do_vmsplice } },
	{ "vmsplice(GIFT) from it", { .call = do_vmsplice,
	  .b = SPLICE_F_GIFT } },
	{ "vmsplice into it", { .call = do_vmsplice, .a = 1 } },
	{ "write to a memfd", { .call = do_write, .flags = READS,
	  .a = TO_MEMFD } },
	{ "write to a pipe", { .call = do_write, .flags = READS,
	  .a = TO_PIPE } },
	{ "send", { .call = do_write, .flags = READS, .a = TO_SOCKET } },
	{ "read into it", { .call = do_read } },
	{ "futex(WAIT, private)", { .call = do_futex, .flags = PAGES | READS,
	  .a = FUTEX_WAIT | PRIV } },
	{ "futex(WAIT)", { .call = do_futex, .flags = PAGES | READS,
	  .a = FUTEX_WAIT } },
	{ "futex(WAKE, private)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_WAKE | PRIV } },
	{ "futex(WAKE)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_WAKE } },
	{ "futex(LOCK_PI)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_LOCK_PI } },
	{ "futex(LOCK_PI, private)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_LOCK_PI | PRIV } },
	{ "futex(WAKE_OP, private)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_WAKE_OP | PRIV } },
	{ "prctl(SET_VMA_ANON_NAME, %ld)", { .call = do_set_vma_name,
	  .flags = SHOW }, 0, 1 },
	{ "clear_refs %ld", { .call = do_clear_refs, .flags = FLAGS | ONCE },
	  1, 5 },
	{ "ARCH_MAP_VDSO again %#lx", { .call = do_map_again,
	  .flags = SHOW | ONCE }, AREAS_MAP_X32, AREAS_MAP_64 },
	{ "ARCH_MAP_VDSO after munmap %#lx", { .call = do_map_again,
	  .flags = SHOW, .b = 1 }, AREAS_MAP_X32, AREAS_MAP_64 },
	{ "store, fork", { .call = do_copy, .flags = SHOW } },
	{ "store, DONTNEED", { .call = do_copy, .flags = SHOW, .a = 1 } },
	{ "store, mremap", { .call = do_copy, .flags = SHOW, .a = 2 } },
};

/* Memory that is poisoned stays so, for every process on the machine */
static bool poisons(const struct call *call, long a)
{
	static int memory_failure = -1;
	char line[128];
	FILE *meminfo;

	if (memory_failure < 0) {
		memory_failure = 0;
		meminfo = fopen("/proc/meminfo", "r");
		while (meminfo && fgets(line, sizeof(line), meminfo))
			memory_failure |= !strncmp(line, "HardwareCor", 11);
		if (meminfo)
			fclose(meminfo);
	}
	return memory_failure && (a == MADV_HWPOISON || a == 101) &&
	       (call->op.call == do_madvise ||
		call->op.call == do_process_madvise);
}

static bool run_call(const struct image *image, const struct call *call)
{
	unsigned long before = lines;
	struct op op = call->op;
	bool good = true;
	char name[64];

	op.name = name;
	for (long a = call->a0; a <= call->a1; a++) {
		if (call->a0 != call->a1)
			op.a = a;
		snprintf(name, sizeof(name), call->format, op.a);
		if (poisons(call, op.a))
			say("%s not tried: CONFIG_MEMORY_FAILURE\n", name);
		else
			good &= each_target(image, &op);
	}
	print_report(image->name, "call");
	return good && lines > before;
}

bool observe_calls(const struct image *image)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		good &= run_call(image, &calls[i]);
	return good;
}
