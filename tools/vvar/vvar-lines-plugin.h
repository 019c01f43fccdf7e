/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VVAR_LINES_PLUGIN_H
#define VVAR_LINES_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef unsigned long long u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

#define NOTHING	(~0ULL)

struct sym {
	u64	addr;
	char	*name;
	u8	what;
};

/* what */
#define SYM_OURS	1
#define SYM_LOCKS	2	/* takes the lock of its argument */
#define SYM_IRQ		4	/* an interrupt's first instruction */
#define SYM_MAKES	8	/* writes our objects when they are made */

/* ---- vvar-lines-sym.c ---- */

extern struct sym *syms;
extern u32 nr_syms;

/* 0 or -1, after a message on stderr */
int syms_read(const char *map);
/* The symbol that @addr is in or behind: an index, or nr_syms */
u32 syms_at(u64 addr);
u64 syms_addr(const char *name);

/* ---- vvar-lines-ram.c: the guest's memory, as a file ---- */

int ram_open(const char *file);
/* Of kernel addresses. NOTHING: not mapped, or not in RAM. */
u64 ram_phys(u64 vaddr);
u64 ram_u64(u64 vaddr);
/* P records: the slab of a page frame; C, M: where per-CPU data and struct pages are */
void ram_page(FILE *out, u64 pfn);
void ram_cpus(FILE *out, unsigned int nr);

#endif
