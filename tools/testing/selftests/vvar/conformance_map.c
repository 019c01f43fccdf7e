// SPDX-License-Identifier: GPL-2.0
/* The conformance test: system calls that change, or ask about, mappings. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "conformance.h"
#include "conformance_calls.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

long do_mprotect(const struct op *op, char *addr, size_t len)
{
	return mprotect(addr, len, op->a);
}

long do_pkey_mprotect(const struct op *op, char *addr, size_t len)
{
	int key = op->b;

	if (key > 0) {
		key = syscall(SYS_pkey_alloc, 0, 0);
		say(" key %s", key < 0 ? areas_outcome(-1) : "allocated");
	}
	return syscall(SYS_pkey_mprotect, addr, len, op->a, key);
}

long do_madvise(const struct op *op, char *addr, size_t len)
{
	return madvise(addr, len, op->a);
}

long do_process_madvise(const struct op *op, char *addr, size_t len)
{
	struct iovec iov = { addr, len };
	int fd = syscall(SYS_pidfd_open, op->flags & REMOTE ? target : getpid(),
			 0);
	long ret;
	int err;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_process_madvise, fd, &iov, 1, op->a, 0);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

long do_mincore(const struct op *op, char *addr, size_t len)
{
	unsigned char vec[64] = { 0 };
	long ret, i;

	(void)op;
	if (op->a && setresuid(65534, 65534, 65534))
		_exit(1);
	memset(vec, 0xaa, sizeof(vec));
	ret = mincore(addr, len, vec);
	for (i = 0; i < (long)(len / AREAS_PAGE); i++)
		say(" %02x", vec[i]);
	return ret;
}

long do_mlock(const struct op *op, char *addr, size_t len)
{
	return mlock2(addr, len, op->a);
}

long do_munlock(const struct op *op, char *addr, size_t len)
{
	if (op->a)
		mlock(addr, len);
	return munlock(addr, len);
}

long do_mlockall(const struct op *op, char *addr, size_t len)
{
	(void)addr;
	(void)len;
	return mlockall(op->a);
}

long do_munlockall(const struct op *op, char *addr, size_t len)
{
	(void)addr;
	(void)len;
	mlockall(op->a);
	return munlockall();
}

long do_msync(const struct op *op, char *addr, size_t len)
{
	return msync(addr, len, op->a);
}

long do_mremap(const struct op *op, char *addr, size_t len)
{
	size_t old = len, new = len;
	char *to = NULL, *at;

	if (op->b == SHRINK)
		new = len - AREAS_PAGE;
	else if (op->b == GROW)
		new = len + AREAS_PAGE;
	else if (op->b == EMPTY)
		old = 0;
	if (op->a & MREMAP_FIXED) {
		to = mmap(NULL, 16 * AREAS_PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (to == MAP_FAILED)
			_exit(1);
		to += AREAS_PAGE;
	}
	at = mremap(addr, old, new, (int)op->a, to);
	if (at == MAP_FAILED)
		return -1;
	say("%s", at == addr ? " in place" : at == to ? " at the place" :
	    " elsewhere");
	if (new && !on_hole)
		say(" load %s", access_outcome((long)at, false));
	return 0;
}

long do_munmap(const struct op *op, char *addr, size_t len)
{
	(void)op;
	return munmap(addr, len);
}

long do_mmap(const struct op *op, char *addr, size_t len)
{
	char *at = mmap(addr, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | op->a, -1, 0);

	return at == MAP_FAILED ? -1 : 0;
}

long do_shmat(const struct op *op, char *addr, size_t len)
{
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0600);
	char *at;
	int err;

	if (id < 0)
		return -1;
	at = shmat(id, addr, op->a);
	err = errno;
	shmctl(id, IPC_RMID, NULL);
	errno = err;
	return at == (void *)-1 ? -1 : 0;
}

long do_shmdt(const struct op *op, char *addr, size_t len)
{
	(void)op;
	(void)len;
	return shmdt(addr);
}

long do_mseal(const struct op *op, char *addr, size_t len)
{
	long ret = syscall(462, addr, len, 0);

	say(" mseal %s", areas_outcome(ret));
	if (op->a == 0)
		return munmap(addr, len);
	if (op->a == 1)
		return mprotect(addr, len, PROT_NONE);
	return madvise(addr, len, MADV_DONTNEED);
}

long do_remap_file_pages(const struct op *op, char *addr, size_t len)
{
	return syscall(SYS_remap_file_pages, addr, len, 0, op->a, 0);
}

long do_set_vma_name(const struct op *op, char *addr, size_t len)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len,
		     op->a ? "conformance" : NULL);
}

long do_clear_refs(const struct op *op, char *addr, size_t len)
{
	char text[8];

	(void)addr;
	(void)len;
	snprintf(text, sizeof(text), "%ld\n", op->a);
	return put_text("/proc/self/clear_refs", text) ? 0 : -1;
}

long do_map_again(const struct op *op, char *addr, size_t len)
{
	if (op->b)
		say(" munmap %s", areas_outcome(munmap(addr, len)));
	/* An address of any value; the image's size on success */
	return syscall(SYS_arch_prctl, op->a, 0) > 0 ? 0 : -1;
}

/* A private copy, made through mprotect: seen, inherited and dropped again */
long do_copy(const struct op *op, char *addr, size_t len)
{
	char was;
	int status;

	if (mprotect(addr, len, PROT_READ | PROT_WRITE | PROT_EXEC))
		return -1;
	was = addr[16];
	addr[16] = was + 1;
	say(" ");
	say_pagemap((long)addr);
	if (op->a == 0) {
		if (!fork())
			_exit(addr[16] == (char)(was + 1));
		wait(&status);
		say(" child %d", WEXITSTATUS(status));
	} else if (op->a == 1) {
		say(" DONTNEED %s", areas_outcome(madvise(addr, len,
							  MADV_DONTNEED)));
		say(" %d", addr[16] - was);
	} else {
		say(" mremap %s", areas_outcome(mremap(addr, len, len,
						       MREMAP_MAYMOVE) ==
						MAP_FAILED ? -1 : 0));
		say(" %d", addr[16] - was);
	}
	return 0;
}
