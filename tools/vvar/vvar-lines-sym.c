// SPDX-License-Identifier: GPL-2.0
/* Symbols of a kernel that runs with nokaslr, from its System.map */
#include <stdlib.h>
#include <string.h>

#include "vvar-lines-plugin.h"

struct sym *syms;
u32 nr_syms;

static int by_addr(const void *a, const void *b)
{
	const struct sym *x = a, *y = b;

	return x->addr == y->addr ? 0 : x->addr < y->addr ? -1 : 1;
}

int syms_read(const char *map)
{
	FILE *f = fopen(map, "re");
	u32 room = 0;
	char line[512], name[256], type;
	u64 addr;

	if (!f) {
		fprintf(stderr, "vvar-lines: %s: %m\n", map);
		return -1;
	}
	nr_syms = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx %c %255s", &addr, &type, name) != 3)
			continue;
		if (nr_syms == room) {
			room = room ? 2 * room : 65536;
			syms = realloc(syms, room * sizeof(*syms));
			if (!syms)
				abort();
		}
		syms[nr_syms].addr = addr;
		syms[nr_syms].what = 0;
		syms[nr_syms++].name = strdup(name);
	}
	fclose(f);
	qsort(syms, nr_syms, sizeof(*syms), by_addr);
	if (!syms_addr("init_top_pgt")) {
		fprintf(stderr, "vvar-lines: %s: %u symbols and no init_top_pgt among them: not the System.map of an x86_64 kernel\n",
			map, nr_syms);
		return -1;
	}
	return 0;
}

u32 syms_at(u64 addr)
{
	u32 lo = 0, hi = nr_syms;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (syms[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return nr_syms;
	/* The first of several names */
	for (lo--; lo && syms[lo - 1].addr == syms[lo].addr; lo--)
		;
	return lo;
}

u64 syms_addr(const char *name)
{
	u32 i;

	for (i = 0; i < nr_syms; i++) {
		if (!strcmp(syms[i].name, name))
			return syms[i].addr;
	}
	return 0;
}
