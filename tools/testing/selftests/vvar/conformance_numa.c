// SPDX-License-Identifier: GPL-2.0
/* The conformance test: memory policies, and moving pages. */
#define _GNU_SOURCE
#include <linux/mempolicy.h>

#include "conformance.h"
#include "conformance_calls.h"

long do_get_mempolicy(const struct op *op, char *addr, size_t len)
{
	unsigned long mask[16] = { 0 };
	int mode = -1;
	long ret = syscall(SYS_get_mempolicy, &mode,
			   op->a & MPOL_F_NODE ? NULL : mask, 8 * sizeof(mask),
			   addr, op->a);

	(void)len;
	say(" mode %d mask %lx", mode, mask[0]);
	return ret;
}

long do_mbind(const struct op *op, char *addr, size_t len)
{
	unsigned long mask = 1;
	bool none = op->a == MPOL_DEFAULT || op->a == MPOL_LOCAL;
	long ret;

	ret = syscall(SYS_mbind, addr, len, op->a, none ? NULL : &mask,
		      none ? 0 : 8 * sizeof(mask), op->b);
	if (!ret) {
		say(" policy");
		say_policies();
	}
	return ret;
}

long do_home_node(const struct op *op, char *addr, size_t len)
{
	unsigned long mask = 1;

	if (syscall(SYS_mbind, addr, len, MPOL_BIND, &mask, 8 * sizeof(mask), 0))
		say(" mbind %s", areas_outcome(-1));
	return syscall(450, addr, len, op->a, 0);
}

long do_move_pages(const struct op *op, char *addr, size_t len)
{
	int node = 0, status = 12345;
	void *page = addr;
	long ret = syscall(SYS_move_pages, 0, 1, &page, op->a ? &node : NULL,
			   &status, op->b);

	(void)len;
	say(" status %d", status);
	return ret;
}

long do_migrate_pages(const struct op *op, char *addr, size_t len)
{
	unsigned long from = 1, to = 1;

	(void)op;
	(void)addr;
	(void)len;
	return syscall(SYS_migrate_pages, 0, 8 * sizeof(from), &from, &to);
}
