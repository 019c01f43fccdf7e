// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU TCG plugin: which 64-byte lines of physical memory an operation reads
 * and writes, by the markers of vvar-lines.h. Arguments:
 *   map=FILE   the guest kernel's System.map (which must run with nokaslr)
 *   ours=FILE  names of functions, one a line: what they and all that they call
 *              touch is marked as theirs
 *   ram=FILE   the guest's memory (-object memory-backend-file,share=on)
 *   out=FILE   records, for vvar-lines
 *   profile=on instructions by function as well
 *
 * CPUs have to take turns (-accel tcg,thread=single): there is no locking here.
 *
 * Records, of one line each (addresses are hexadecimal):
 *   B group op cpu         an operation begins
 *   L paddr vaddr how functions...   how: 1 read, 2 written, 4 by ours,
 *                            8 by others
 *   K paddr vaddr instructions function paddrs...  a lock, and lines touched under it
 *   F function instructions
 *   E instructions         its end
 *   O paddr                one of our objects has been made there
 *   P pfn first-pfn cache size   a slab page
 *   C cpu offset           per-CPU data
 *   M vmemmap              where the struct pages are
 *   N paddr                where node 0's struct pglist_data is
 *   Z                      all is here
 *   X message              what is wrong with the markers
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-lines.h"
#include "vvar-lines-plugin.h"
#include "vvar-lines-qemu.h"

/* ---- state ---- */

#define DIRECT_MAP_END	0xffffc88000000000ULL	/* with four levels */

#define MAX_CPUS	256
#define MAX_HELD	8
#define MAX_FNS		4
#define MAX_CALLS	256
#define STACK_SHIFT	14

#define LINE_READ	1
#define LINE_WRITTEN	2
#define LINE_OURS	4
#define LINE_OTHERS	8

struct line {
	u64	nr;			/* physical address / 64 */
	u64	vaddr;
	u8	how, nr_fns;
	u32	fn[MAX_FNS];
	u64	hold[MAX_HELD];		/* the last holding that it was touched in */
};

struct held {
	u64	vaddr, nr;
	u64	insns, serial;
	u32	fn;
	u32	*touched;		/* indices into lines */
	u32	n, room;
};

/* What one CPU is at */
struct cpu {
	bool	open;
	int	group, op;
	u64	insns, block;		/* done, and of the block that runs */
	struct line *line;
	u32	n, room;
	u32	*hash, mask;
	struct held held[MAX_HELD];
	int	nr_held;
	u64	serial;
	u64	calls[MAX_CALLS];	/* where return addresses are, outermost first */
	int	nr_calls;
	u64	ours;			/* that of the first of our functions, or 0 */
	u64	stack;			/* the last of all */
	unsigned int irqs;
	u32	*profile;
};

/* An instruction, or a block (@at: how many it has) */
struct site {
	u32	fn;
	u16	at;
	u8	is;
};

#define IS_CALL		1
#define IS_RET		2
#define IS_ATOMIC	4	/* in a function that takes a lock */

static struct cpu cpus[MAX_CPUS];
static unsigned int nr_cpus;
static plugin_id self;
static FILE *out;
static bool all;	/* is all code watched, or only markers and makers? */
static bool started, stopped, profile;
static int group;
static u64 *pages;	/* a bit for each page frame seen */
static u64 max_pfn;

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* What is wrong with the markers is said once */
static void wrong(const char *fmt, ...)
{
	va_list args;

	if (stopped)
		return;
	stopped = true;
	fputs("X ", out);
	va_start(args, fmt);
	vfprintf(out, fmt, args);
	va_end(args);
	fputc('\n', out);
	fflush(out);
}

/* ---- lines ---- */

static void rehash(struct cpu *c, u32 size)
{
	u32 i, h;

	c->hash = must(realloc(c->hash, size * sizeof(*c->hash)));
	memset(c->hash, 0, size * sizeof(*c->hash));
	c->mask = size - 1;
	for (i = 0; i < c->n; i++) {
		for (h = c->line[i].nr * 0x9e3779b1u; c->hash[h & c->mask]; h++)
			;
		c->hash[h & c->mask] = i + 1;
	}
}

static struct line *line_of(struct cpu *c, u64 nr)
{
	struct line *l;
	u32 h;

	for (h = nr * 0x9e3779b1u; c->hash[h & c->mask]; h++) {
		l = &c->line[c->hash[h & c->mask] - 1];
		if (l->nr == nr)
			return l;
	}
	if (c->n == c->room) {
		c->room *= 2;
		c->line = must(realloc(c->line, c->room * sizeof(*c->line)));
	}
	l = &c->line[c->n];
	memset(l, 0, sizeof(*l));
	l->nr = nr;
	c->hash[h & c->mask] = ++c->n;
	if (c->n > c->mask / 2)
		rehash(c, 2 * (c->mask + 1));
	return l;
}

static void touch(struct cpu *c, u64 nr, u64 vaddr, bool store, u32 fn)
{
	struct line *l = line_of(c, nr);
	int i;

	/* What it is called by: what is written, and the kernel's name says more */
	if (!l->how || (vaddr >> 63 && !(l->vaddr >> 63)) ||
	    (store && !(l->how & LINE_WRITTEN) && vaddr >> 63))
		l->vaddr = vaddr;
	l->how |= store ? LINE_WRITTEN : LINE_READ;
	/* Another task may run before ours returns, on a stack of its own */
	l->how |= c->ours && !((c->ours ^ c->stack) >> STACK_SHIFT) ?
		  LINE_OURS : LINE_OTHERS;
	for (i = 0; i < l->nr_fns && l->fn[i] != fn; i++)
		;
	if (i == l->nr_fns && i < MAX_FNS)
		l->fn[l->nr_fns++] = fn;
	for (i = 0; i < MAX_HELD; i++) {
		struct held *h = &c->held[i];

		if (!h->vaddr || l->hold[i] == h->serial)
			continue;
		l->hold[i] = h->serial;
		if (h->n == h->room) {
			h->room = h->room ? 2 * h->room : 64;
			h->touched = must(realloc(h->touched,
						  h->room * sizeof(u32)));
		}
		h->touched[h->n++] = l - c->line;
	}
}

/* ---- locks ---- */

static void lock(struct cpu *c, u64 nr, u64 vaddr, u32 fn, u64 now)
{
	int i;

	for (i = 0; i < MAX_HELD; i++) {
		struct held *h = &c->held[i];

		if (h->vaddr)
			continue;
		h->vaddr = vaddr;
		h->nr = nr;
		h->insns = now;
		h->serial = ++c->serial;
		h->fn = fn;
		h->n = 0;
		c->nr_held++;
		return;
	}
}

static const char *fn_name(u32 fn)
{
	return fn < nr_syms ? syms[fn].name : "user";
}

/* The next write to a lock's word is its release: nobody else has a turn */
static void unlock(struct cpu *c, struct held *h, u64 now)
{
	u32 i;

	fprintf(out, "K %llx %llx %llu %s", h->nr << 6, h->vaddr,
		now - h->insns, fn_name(h->fn));
	for (i = 0; i < h->n; i++)
		fprintf(out, " %llx", c->line[h->touched[i]].nr << 6);
	fputc('\n', out);
	h->vaddr = 0;
	c->nr_held--;
}

/* ---- callbacks ---- */

static void on_block(unsigned int cpu, void *arg)
{
	struct cpu *c = &cpus[cpu];
	const struct site *s = arg;

	if (!c->open || c->irqs)
		return;
	c->insns += c->block;
	c->block = s->at;
	if (profile)
		c->profile[s->fn] += s->at;
}

static void on_memory(unsigned int cpu, u32 info, uint64_t vaddr, void *arg)
{
	struct cpu *c = &cpus[cpu];
	const struct site *s = arg;
	struct qemu_plugin_hwaddr *at;
	bool store;
	u64 paddr, size, now;
	int i;

	if (!c->open || c->irqs)
		return;
	store = qemu_plugin_mem_is_store(info);
	if (s->is & IS_CALL && store) {
		if (c->nr_calls == MAX_CALLS) {
			c->nr_calls /= 2;
			memmove(c->calls, c->calls + c->nr_calls,
				c->nr_calls * sizeof(*c->calls));
		}
		c->calls[c->nr_calls++] = vaddr;
		c->stack = vaddr;
	} else if (s->is & IS_RET && !store) {
		for (i = c->nr_calls; i && c->calls[i - 1] != vaddr; i--)
			;
		if (i)
			c->nr_calls = i - 1;
		if (c->ours == vaddr)
			c->ours = 0;
		c->stack = vaddr;
	}
	at = qemu_plugin_get_hwaddr(info, vaddr);
	if (!at || qemu_plugin_hwaddr_is_io(at))
		return;
	paddr = qemu_plugin_hwaddr_phys_addr(at);
	size = 1ULL << qemu_plugin_mem_size_shift(info);
	if (paddr >> 12 < max_pfn)
		pages[paddr >> 18] |= 1ULL << (paddr >> 12 & 63);
	touch(c, paddr >> 6, vaddr, store, s->fn);
	if ((paddr & 63) + size > 64 && (paddr & 4095) + size <= 4096)
		touch(c, (paddr >> 6) + 1, vaddr + size - 1, store, s->fn);

	if (!store || !(vaddr >> 63))
		return;
	now = c->insns + s->at;
	for (i = 0; c->nr_held && i < MAX_HELD; i++) {
		if (c->held[i].vaddr == vaddr) {
			unlock(c, &c->held[i], now);
			return;
		}
	}
	if (s->is & IS_ATOMIC)
		lock(c, paddr >> 6, vaddr, s->fn, now);
}

static void on_ours(unsigned int cpu, void *arg)
{
	struct cpu *c = &cpus[cpu];

	if (c->open && !c->irqs && !c->ours && c->nr_calls)
		c->ours = c->calls[c->nr_calls - 1];
}

static void on_irq(unsigned int cpu, void *arg)
{
	cpus[cpu].irqs++;
}

static void on_iret(unsigned int cpu, void *arg)
{
	if (cpus[cpu].irqs)
		cpus[cpu].irqs--;
}

/*
 * Stores of functions that make our objects, not to the stack. QEMU 7.2 takes what
 * an interrupt pushes for stores of the instruction before, too.
 */
static void on_make(unsigned int cpu, u32 info, uint64_t vaddr, void *arg)
{
	struct qemu_plugin_hwaddr *at;

	if (!qemu_plugin_mem_is_store(info) || vaddr >= DIRECT_MAP_END ||
	    !(vaddr >> 63))
		return;
	at = qemu_plugin_get_hwaddr(info, vaddr);
	if (at && !qemu_plugin_hwaddr_is_io(at))
		fprintf(out, "O %llx\n",
			(u64)qemu_plugin_hwaddr_phys_addr(at));
}

/* ---- markers ---- */

static void begin(unsigned int cpu, int op)
{
	struct cpu *c = &cpus[cpu];

	if (c->open) {
		wrong("operation %d of group %d begins on CPU %u, where %d of group %d has not ended",
		      op, group, cpu, c->op, c->group);
		return;
	}
	if (!all) {
		wrong("operation %d begins, and there was no VVAR_LINES_START() with a system call after it",
		      op);
		return;
	}
	c->open = true;
	c->op = op;
	c->group = group;
	c->n = 0;
	c->insns = 0;
	c->block = 0;
	c->nr_calls = 0;
	c->ours = 0;
	c->irqs = 0;
	c->nr_held = 0;
	memset(c->held, 0, sizeof(c->held));
	if (!c->room) {
		c->room = 4096;
		c->line = must(malloc(c->room * sizeof(*c->line)));
		c->profile = must(malloc((nr_syms + 1) * sizeof(u32)));
	}
	memset(c->profile, 0, (nr_syms + 1) * sizeof(u32));
	rehash(c, c->mask ? c->mask + 1 : 16384);
	fprintf(out, "B %d %d %u\n", group, op, cpu);
}

static void end(unsigned int cpu, int op)
{
	struct cpu *c = &cpus[cpu];
	u32 i;
	int f;

	if (!c->open || c->op != op) {
		wrong("operation %d ends on CPU %u, where it has not begun: is the process bound to one CPU?",
		      op, cpu);
		return;
	}
	c->open = false;
	for (i = 0; i < c->n; i++) {
		const struct line *l = &c->line[i];

		fprintf(out, "L %llx %llx %u", l->nr << 6, l->vaddr, l->how);
		for (f = 0; f < l->nr_fns; f++)
			fprintf(out, " %s", fn_name(l->fn[f]));
		fputc('\n', out);
	}
	for (i = 0; profile && i <= nr_syms; i++) {
		if (c->profile[i])
			fprintf(out, "F %s %u\n", fn_name(i), c->profile[i]);
	}
	fprintf(out, "E %llu\n", c->insns + c->block);
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb);

static void watch_all(plugin_id id)
{
	all = true;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
}

static void stop(void)
{
	unsigned int i;
	u64 pfn;

	for (i = 0; i < nr_cpus; i++) {
		if (cpus[i].open)
			wrong("operation %d of group %d has begun on CPU %u and not ended",
			      cpus[i].op, cpus[i].group, i);
	}
	if (stopped)
		return;
	for (pfn = 0; pfn < max_pfn; pfn++) {
		if (pages[pfn / 64] >> (pfn % 64) & 1)
			ram_page(out, pfn);
	}
	ram_cpus(out, nr_cpus);
	fputs("Z\n", out);
	fflush(out);
	stopped = true;
}

static void on_mark(unsigned int cpu, void *arg)
{
	int kind = (uintptr_t)arg >> 8 & 255, nr = (uintptr_t)arg & 255;

	if (stopped)
		return;
	switch (kind) {
	case VVAR_LINES_K_START:
		if (!started)
			qemu_plugin_reset(self, watch_all);
		started = true;
		break;
	case VVAR_LINES_K_STOP:
		stop();
		break;
	case VVAR_LINES_K_BEGIN:
		begin(cpu, nr);
		break;
	case VVAR_LINES_K_END:
		end(cpu, nr);
		break;
	case VVAR_LINES_K_GROUP:
		group = nr;
		break;
	default:
		wrong("unknown marker %d", kind);
	}
}

/* ---- translation ---- */

static bool is_prefix(u8 b)
{
	return b == 0x66 || b == 0x2e || b == 0x3e || b == 0xf2 || b == 0xf3 ||
	       (b & 0xf0) == 0x40;
}

static bool is_call(const u8 *b, size_t n)
{
	for (; n > 1 && is_prefix(*b); n--)
		b++;
	return b[0] == 0xe8 || (b[0] == 0xff && n > 1 && (b[1] >> 3 & 7) == 2);
}

/* push, call, and what is addressed by the stack pointer */
static bool is_stack(const u8 *b, size_t n)
{
	if (is_call(b, n))
		return true;
	for (; n > 1 && is_prefix(*b); n--)
		b++;
	if ((*b & 0xf8) == 0x50)
		return true;
	return n > 2 && b[1] >> 6 != 3 && (b[1] & 7) == 4 && (b[2] & 7) == 4;
}

static bool is_lock_prefixed(const u8 *b, size_t n)
{
	size_t i;

	for (i = 0; i < n && is_prefix(b[i]); i++)
		;
	/* xchg needs no prefix */
	return i < n && (b[i] == 0xf0 || b[i] == 0x86 || b[i] == 0x87);
}

static u8 kind_of(const u8 *b, size_t n, u8 what)
{
	if (is_call(b, n))
		return IS_CALL;
	if (b[0] == 0xc3 || (n > 1 && b[0] == 0xf3 && b[1] == 0xc3))
		return IS_RET;
	if (what & SYM_LOCKS && is_lock_prefixed(b, n))
		return IS_ATOMIC;
	return 0;
}

static struct site *site(u32 fn, size_t at, u8 is)
{
	struct site *s = must(malloc(sizeof(*s)));

	s->fn = fn;
	s->at = at;
	s->is = is;
	return s;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const u8 *b = qemu_plugin_insn_data(insn);
		size_t len = qemu_plugin_insn_size(insn);
		u64 vaddr = qemu_plugin_insn_vaddr(insn);
		u32 fn = vaddr >> 63 ? syms_at(vaddr) : nr_syms, mark;
		u8 what = fn < nr_syms ? syms[fn].what : 0;

		memcpy(&mark, b + (len == 8 ? 4 : 0), sizeof(mark));
		if (len == 8 && b[0] == 0x0f && b[1] == 0x1f && b[2] == 0x84 &&
		    !b[3] && (mark & 0xffff0000) == VVAR_LINES_MAGIC)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       CB_NO_REGS,
							       (void *)(uintptr_t)mark);
		if (!all) {
			if (what & SYM_MAKES && !is_stack(b, len))
				qemu_plugin_register_vcpu_mem_cb(insn, on_make,
								 CB_NO_REGS,
								 MEM_W, NULL);
			continue;
		}
		if (!i)
			qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block,
							     CB_NO_REGS,
							     site(fn, n, 0));
		if (fn < nr_syms && vaddr == syms[fn].addr) {
			if (what & SYM_OURS)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, on_ours,
								       CB_NO_REGS, NULL);
			if (what & SYM_IRQ)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, on_irq,
								       CB_NO_REGS, NULL);
		}
		if (len == 2 && b[0] == 0x48 && b[1] == 0xcf)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_iret,
							       CB_NO_REGS, NULL);
		qemu_plugin_register_vcpu_mem_cb(insn, on_memory, CB_NO_REGS,
						 MEM_RW,
						 site(fn, i, kind_of(b, len, what)));
	}
}

/* ---- start ---- */

static void mark_symbols(void)
{
	static const struct {
		const char *prefix;
		u8 what;
	} known[] = {
		{ "_raw_spin_lock", SYM_LOCKS }, { "_raw_spin_trylock", SYM_LOCKS },
		{ "_raw_read_lock", SYM_LOCKS }, { "_raw_read_trylock", SYM_LOCKS },
		{ "_raw_write_lock", SYM_LOCKS }, { "_raw_write_trylock", SYM_LOCKS },
		{ "down_read", SYM_LOCKS }, { "down_write", SYM_LOCKS },
		{ "mutex_lock", SYM_LOCKS }, { "mutex_trylock", SYM_LOCKS },
		{ "asm_sysvec_", SYM_IRQ }, { "asm_common_interrupt", SYM_IRQ },
		{ "asm_spurious_interrupt", SYM_IRQ },
	};
	size_t k;
	u32 i;

	for (i = 0; i < nr_syms; i++) {
		for (k = 0; k < sizeof(known) / sizeof(*known); k++) {
			if (!strncmp(syms[i].name, known[k].prefix,
				     strlen(known[k].prefix)))
				syms[i].what |= known[k].what;
		}
	}
}

static int read_ours(const char *file)
{
	FILE *f = fopen(file, "re");
	char name[256];
	u32 i;

	if (!f) {
		fprintf(stderr, "vvar-lines: %s: %m\n", file);
		return -1;
	}
	while (fscanf(f, "%255s", name) == 1) {
		for (i = 0; i < nr_syms; i++) {
			if (strcmp(syms[i].name, name))
				continue;
			syms[i].what |= SYM_OURS;
			if (!strncmp(name, "vvar_file_create", 16) ||
			    !strncmp(name, "vvar_files_create", 17))
				syms[i].what |= SYM_MAKES;
		}
	}
	fclose(f);
	/* The first of several names is the one that syms_at() gives */
	for (i = nr_syms - 1; i--; ) {
		if (syms[i].addr == syms[i + 1].addr)
			syms[i].what |= syms[i + 1].what;
	}
	return 0;
}

static void on_exit_of_qemu(plugin_id id, void *arg)
{
	if (!started)
		wrong("there was no VVAR_LINES_START()");
	else
		stop();
	fclose(out);
}

int qemu_plugin_version = 1;

int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc,
			char **argv)
{
	const char *map = NULL, *ours = NULL, *ram = NULL, *file = NULL;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "map=", 4))
			map = argv[i] + 4;
		else if (!strncmp(argv[i], "ours=", 5))
			ours = argv[i] + 5;
		else if (!strncmp(argv[i], "ram=", 4))
			ram = argv[i] + 4;
		else if (!strncmp(argv[i], "out=", 4))
			file = argv[i] + 4;
		else if (!strcmp(argv[i], "profile=on"))
			profile = true;
		else
			return -1;
	}
	if (!map || !ram || !file || !info->system ||
	    info->max_cpus > MAX_CPUS || syms_read(map) || ram_open(ram))
		return -1;
	mark_symbols();
	if (ours && read_ours(ours))
		return -1;
	out = fopen(file, "we");
	if (!out)
		return -1;
	self = id;
	nr_cpus = info->cpus;
	max_pfn = 1 << 20;
	pages = must(calloc(max_pfn / 64, sizeof(u64)));
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
