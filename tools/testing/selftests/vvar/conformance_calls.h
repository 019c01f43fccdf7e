/* SPDX-License-Identifier: GPL-2.0 */
/* A system call of the conformance test: conformance_calls.c has the table. */
#ifndef VVAR_CONFORMANCE_CALLS_H
#define VVAR_CONFORMANCE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SHOW	1	/* say what became of the mappings */
#define FLAGS	2	/* and of VmFlags */
#define READS	4	/* reads what is behind the page */
#define ADDR	8	/* the value is an address */
#define ONCE	16	/* about the process: the first area only */
#define REMOTE	32	/* runs in the parent, on a stopped child */
#define PAGES	64	/* on pages only, not on the whole area */
#define TOUCHED	128	/* only when all pages have been touched */
#define DEBUGS	256	/* reads as a debugger does */

struct op {
	const char *name;
	long (*call)(const struct op *op, char *addr, size_t len);
	unsigned int flags;
	long a;
	long b;
};

/* b of mremap, a of write */
enum { SAME, SHRINK, GROW, EMPTY };
enum { TO_MEMFD, TO_PIPE, TO_SOCKET };

extern pid_t target;		/* of a REMOTE op */
extern bool on_hole;		/* the op is about a page with nothing there */

/* conformance_map.c */
long do_mprotect(const struct op *op, char *addr, size_t len);
long do_pkey_mprotect(const struct op *op, char *addr, size_t len);
long do_madvise(const struct op *op, char *addr, size_t len);
long do_process_madvise(const struct op *op, char *addr, size_t len);
long do_mincore(const struct op *op, char *addr, size_t len);
long do_mlock(const struct op *op, char *addr, size_t len);
long do_munlock(const struct op *op, char *addr, size_t len);
long do_mlockall(const struct op *op, char *addr, size_t len);
long do_munlockall(const struct op *op, char *addr, size_t len);
long do_msync(const struct op *op, char *addr, size_t len);
long do_mremap(const struct op *op, char *addr, size_t len);
long do_munmap(const struct op *op, char *addr, size_t len);
long do_mmap(const struct op *op, char *addr, size_t len);
long do_shmat(const struct op *op, char *addr, size_t len);
long do_shmdt(const struct op *op, char *addr, size_t len);
long do_mseal(const struct op *op, char *addr, size_t len);
long do_remap_file_pages(const struct op *op, char *addr, size_t len);
long do_set_vma_name(const struct op *op, char *addr, size_t len);
long do_clear_refs(const struct op *op, char *addr, size_t len);
long do_map_again(const struct op *op, char *addr, size_t len);
long do_copy(const struct op *op, char *addr, size_t len);

/* conformance_uffd.c */
long do_userfaultfd(const struct op *op, char *addr, size_t len);
long do_uffd_fill(const struct op *op, char *addr, size_t len);

/* conformance_numa.c */
long do_get_mempolicy(const struct op *op, char *addr, size_t len);
long do_mbind(const struct op *op, char *addr, size_t len);
long do_home_node(const struct op *op, char *addr, size_t len);
long do_move_pages(const struct op *op, char *addr, size_t len);
long do_migrate_pages(const struct op *op, char *addr, size_t len);

/* conformance_io.c */
long do_process_vm(const struct op *op, char *addr, size_t len);
long do_process_vm_local(const struct op *op, char *addr, size_t len);
long do_ptrace(const struct op *op, char *addr, size_t len);
long do_proc_mem(const struct op *op, char *addr, size_t len);
long do_io_uring(const struct op *op, char *addr, size_t len);
long do_vmsplice(const struct op *op, char *addr, size_t len);
long do_write(const struct op *op, char *addr, size_t len);
long do_read(const struct op *op, char *addr, size_t len);
long do_futex(const struct op *op, char *addr, size_t len);

#endif /* VVAR_CONFORMANCE_CALLS_H */
