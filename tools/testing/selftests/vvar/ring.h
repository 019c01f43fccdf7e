/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests that have io_uring read or write a mapping
 */
#ifndef VVAR_RING_H
#define VVAR_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One submission: the result of the call, or of the completion */
static inline long ring_one(int fd, const struct io_uring_params *p, int opcode,
			    unsigned int flags, int file, void *addr, size_t len)
{
	char *ring = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = mmap(NULL, 4096,
					PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					IORING_OFF_SQES);
	struct io_uring_cqe *cqe;

	if (ring == MAP_FAILED || sqe == MAP_FAILED)
		return -1;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->flags = flags;
	sqe->fd = file;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	((unsigned int *)(ring + p->sq_off.array))[0] = 0;
	__atomic_store_n((unsigned int *)(ring + p->sq_off.tail), 1,
			 __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL,
		    0) != 1)
		return -1;
	cqe = (void *)(ring + p->cq_off.cqes);
	if (cqe->res < 0) {
		errno = -cqe->res;
		return -1;
	}
	return cqe->res;
}

#endif /* VVAR_RING_H */
