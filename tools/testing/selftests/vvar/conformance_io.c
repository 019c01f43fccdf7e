// SPDX-License-Identifier: GPL-2.0
/*
 * The conformance test: what reads an area or writes to it for a process: other
 * processes, debuggers, io_uring, pipes, files, futexes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/futex.h>

#include "conformance.h"
#include "conformance_calls.h"
#include "ring.h"

long do_process_vm(const struct op *op, char *addr, size_t len)
{
	static char buf[64 * AREAS_PAGE];
	struct iovec local = { buf, len }, remote = { addr, len };

	if (op->a)
		return process_vm_writev(target, &local, 1, &remote, 1, 0);
	return process_vm_readv(target, &local, 1, &remote, 1, 0);
}

/* The area at this end, a buffer at the other */
long do_process_vm_local(const struct op *op, char *addr, size_t len)
{
	static char buf[64 * AREAS_PAGE];
	struct iovec local = { addr, len }, remote = { buf, len };

	if (op->a)
		return process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

long do_ptrace(const struct op *op, char *addr, size_t len)
{
	const uint64_t poke = 0x1122334455667788;
	long word;

	(void)len;
	if (op->a == PTRACE_PEEKDATA || op->a == PTRACE_PEEKTEXT) {
		word = ptrace(op->a, target, addr, 0);
		/* The word itself may be anything */
		return word == -1 && errno ? -1 : 0;
	}
	word = ptrace(op->a, target, addr, (long)poke);
	if (!word)
		say(" reads %lx", ptrace(PTRACE_PEEKTEXT, target, addr, 0));
	return word;
}

long do_proc_mem(const struct op *op, char *addr, size_t len)
{
	static char buf[64 * AREAS_PAGE];
	char path[64];
	long ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", target);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return -1;
	if (op->a)
		ret = pwrite(fd, buf, len, (uintptr_t)addr);
	else
		ret = pread(fd, buf, len, (uintptr_t)addr);
	close(fd);
	return ret;
}

long do_io_uring(const struct op *op, char *addr, size_t len)
{
	struct io_uring_params p = { 0 };
	struct iovec iov = { addr, len };
	int fd, file = memfd_create("conformance", 0);
	bool fixed = op->a == IORING_OP_READ_FIXED ||
		     op->a == IORING_OP_WRITE_FIXED;
	long ret;

	fd = syscall(SYS_io_uring_setup, 4, &p);
	if (fd < 0 || file < 0 || ftruncate(file, len))
		return -1;
	if (op->b && mprotect(addr, len, PROT_READ | PROT_WRITE))
		say(" mprotect %s", areas_outcome(-1));
	if (fixed) {
		ret = syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS,
			      &iov, 1);
		if (ret)
			return ret;
		say(" registered");
	}
	return ring_one(fd, &p, op->a, 0, file, addr, len);
}

long do_vmsplice(const struct op *op, char *addr, size_t len)
{
	struct iovec iov = { addr, len };
	int fds[2], file = memfd_create("conformance", 0);
	long ret;

	if (pipe2(fds, O_NONBLOCK) || file < 0)
		return -1;
	if (op->a) {	/* into the area */
		if (write(fds[1], "0123", 4) != 4)
			return -1;
		return vmsplice(fds[0], &iov, 1, 0);
	}
	ret = vmsplice(fds[1], &iov, 1, op->b);
	if (ret > 0)
		say(" splice %s", areas_outcome(splice(fds[0], NULL, file, NULL,
						       len, 0)));
	return ret;
}

long do_write(const struct op *op, char *addr, size_t len)
{
	int fds[2];

	if (op->a == TO_MEMFD)
		return write(memfd_create("conformance", 0), addr, len);
	if (op->a == TO_PIPE)
		return pipe2(fds, O_NONBLOCK) ?: write(fds[1], addr, len);
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ?:
	       send(fds[1], addr, len, MSG_DONTWAIT);
}

long do_read(const struct op *op, char *addr, size_t len)
{
	int fd = open("/dev/zero", O_RDONLY);

	(void)op;
	return read(fd, addr, len);
}

long do_futex(const struct op *op, char *addr, size_t len)
{
	struct timespec soon = { 0, 1000000 };
	static unsigned int other;

	(void)len;
	if ((op->a & FUTEX_CMD_MASK) == FUTEX_WAKE_OP)
		return syscall(SYS_futex, &other, op->a, 1, 1, addr,
			       FUTEX_OP(FUTEX_OP_OR, 1, FUTEX_OP_CMP_EQ, 0));
	/* A value that isn't there */
	return syscall(SYS_futex, addr, op->a, 0xdeadbeef, &soon, &other, 0);
}
