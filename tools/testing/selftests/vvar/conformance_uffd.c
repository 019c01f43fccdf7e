// SPDX-License-Identifier: GPL-2.0
/* The conformance test: userfaultfd. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>

#include <linux/userfaultfd.h>

#include "conformance.h"
#include "conformance_calls.h"

long do_userfaultfd(const struct op *op, char *addr, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API, .features = op->b };
	struct uffdio_register reg = {
		.range = { (uintptr_t)addr, len },
		.mode = op->a,
	};
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)addr, len },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	long ret;

	if (fd < 0)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api)) {
		say(" UFFDIO_API");
		return -1;
	}
	ret = ioctl(fd, UFFDIO_REGISTER, &reg);
	if (ret || !(op->a & UFFDIO_REGISTER_MODE_WP))
		return ret;

	say(" registered, ioctls %#llx", (unsigned long long)reg.ioctls);
	ret = ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
	say(" WRITEPROTECT %s", areas_outcome(ret));
	if (op->b & UFFD_FEATURE_WP_ASYNC) {
		areas_access((long)addr, false);
		say(" ");
		say_pagemap((long)addr);
		if (!mprotect(addr, len, PROT_READ | PROT_WRITE)) {
			say(" store %s ", access_outcome((long)addr, true));
			say_pagemap((long)addr);
		}
	}
	return 0;
}

/* UFFDIO_COPY, ZEROPAGE, MOVE and CONTINUE into, and MOVE out of, an area */
long do_uffd_fill(const struct op *op, char *addr, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API, .features = op->b };
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_register reg = {
		.range = { (uintptr_t)buf, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)addr, .src = (uintptr_t)buf, .len = len,
	};
	struct uffdio_zeropage zero = { .range = { (uintptr_t)addr, len } };
	struct uffdio_continue cont = { .range = { (uintptr_t)addr, len } };
	struct uffdio_poison poison = { .range = { (uintptr_t)addr, len } };
	struct uffdio_move move = {
		.dst = (uintptr_t)addr, .src = (uintptr_t)buf, .len = len,
	};

	if (fd < 0 || buf == MAP_FAILED || ioctl(fd, UFFDIO_API, &api))
		return -1;
	switch (op->a) {
	case 0:
		return ioctl(fd, UFFDIO_COPY, &copy);
	case 1:
		return ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	case 2:
		return ioctl(fd, UFFDIO_CONTINUE, &cont);
	case 3:
		return ioctl(fd, UFFDIO_POISON, &poison);
	case 4:
		memset(buf, 1, len);
		return ioctl(fd, UFFDIO_MOVE, &move);
	default:
		if (ioctl(fd, UFFDIO_REGISTER, &reg))
			return -1;
		move.dst = (uintptr_t)buf;
		move.src = (uintptr_t)addr;
		return ioctl(fd, UFFDIO_MOVE, &move);
	}
}
