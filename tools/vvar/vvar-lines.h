/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Markers for scripts/lines: NOPs by which vvar-lines-plugin.so knows what to
 * count. They cost a program nothing, work in user space and in the kernel, and
 * include nothing.
 *
 *	VVAR_LINES_START();
 *	usleep(1000);			(QEMU translates all code anew)
 *	VVAR_LINES_BEGIN(1);
 *	... what is counted, on one CPU ...
 *	VVAR_LINES_END(1);
 *	VVAR_LINES_STOP();
 *
 * BEGIN and END may be in different processes, on the same CPU. Numbers are
 * constants from 0 to 255.
 */
#ifndef VVAR_LINES_H
#define VVAR_LINES_H

#define VVAR_LINES_MAGIC	0x4c560000	/* "VL" in the upper half */

#define VVAR_LINES_K_START	1
#define VVAR_LINES_K_STOP	2
#define VVAR_LINES_K_BEGIN	3
#define VVAR_LINES_K_END	4
#define VVAR_LINES_K_GROUP	5

/* nopl imm(%rax,%rax,1): eight bytes, 0f 1f 84 00 and the number */
#define VVAR_LINES_MARK(kind, nr)					\
	({ asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long %c0"	\
			: : "i" (VVAR_LINES_MAGIC | (kind) << 8 | (nr)) \
			: "memory"); })

#define VVAR_LINES_START()	VVAR_LINES_MARK(VVAR_LINES_K_START, 0)
#define VVAR_LINES_STOP()	VVAR_LINES_MARK(VVAR_LINES_K_STOP, 0)
#define VVAR_LINES_BEGIN(op)	VVAR_LINES_MARK(VVAR_LINES_K_BEGIN, op)
#define VVAR_LINES_END(op)	VVAR_LINES_MARK(VVAR_LINES_K_END, op)
/* All that begins from here on, on any CPU, is counted apart from other groups */
#define VVAR_LINES_GROUP(nr)	VVAR_LINES_MARK(VVAR_LINES_K_GROUP, nr)

#endif
