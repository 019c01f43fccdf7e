// SPDX-License-Identifier: GPL-2.0
/*
 * Which cache type does a page of vvar get? For each kind of page, and each
 * type asked for: what the memtype code granted, or why it refused; what stands
 * in the PTE, by debugfs vvar/pte; what page_tables and pat_memtype_list say.
 * They must agree.
 *
 * Works on the test area of debugfs vvar/ (CONFIG_VVAR_DEBUGFS): one slot, set
 * by vvar/slot and mapped here by vvar/map, of which vvar/pte shows the PTE.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tsc.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define TRACING		"/sys/kernel/tracing/"
#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/"
#define PAGE		4096UL
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#define LONG_NAME	32
#define SAY(to, ...)	snprintf(to, sizeof(to), __VA_ARGS__)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define die(...)	errx(2, __VA_ARGS__)

enum cache { WB, WC, UC_MINUS, UC, WT, WP, NR_TYPES };

static const struct {
	const char *name;	/* as vvar/slot and "x86/PAT:" have it */
	const char *long_name;	/* as pat_memtype_list and the log have it */
} types[NR_TYPES] = {
	[WB] = { "WB", "write-back" },
	[WC] = { "WC", "write-combining" },
	[UC_MINUS] = { "UC-", "uncached-minus" },
	[UC] = { "UC", "uncached" },
	[WT] = { "WT", "write-through" },
	[WP] = { "WP", "write-protected" },
};

/* What there was to see of one page and one type */
struct cell {
	int err;		/* of the write to vvar/slot */
	char granted[40];
	char pte[40];		/* the bits, and the type that they select */
	char encryption[40];	/* of the memory, by the PTE */
	char tables[40];	/* type and rights, as page_tables has them */
	char list[40];
	char latency[24];
	char wrong[80];		/* why the row is marked; empty if it is not */
};

struct kind {
	const char *name;
	uint64_t pfn;
	char why_not[80];	/* there is none */
	bool ram;
	const uint64_t *own;	/* this process's memory, to be recognised */
	struct cell cell[NR_TYPES];
};

static enum cache pat[8];	/* what each index of the PAT means */
static bool pat_enabled;
static char *area;		/* where the test area is mapped */
static int kmsg = -1;
static const char *latency_not;

/* 0 or the errno */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* A whole file, NULL if it isn't there */
static char *get(const char *path)
{
	size_t size = 0, len = 0;
	char *text = NULL;
	FILE *f = fopen(path, "r");

	if (!f)
		return NULL;
	do {
		size += 65536;
		text = realloc(text, size + 1);
		if (!text)
			die("out of memory");
		len += fread(text + len, 1, size - len, f);
	} while (len == size);
	text[len] = 0;
	fclose(f);
	return text;
}

static int find_type(const char *name)
{
	int type;

	for (type = 0; type < NR_TYPES; type++) {
		if (!strcmp(types[type].name, name))
			return type;
	}
	return -1;
}

/* --- the kernel's log ---------------------------------------------------- */

static void next_records(void (*use)(const char *text, void *arg), void *arg)
{
	char record[8192], *text;
	ssize_t len;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* overwritten meanwhile */
		if (len <= 0)
			return;
		record[len] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = 0;
		use(text + 1, arg);
	}
}

/* "x86/PAT: Configuration [0-7]: WB  WC  UC- UC  WB  WP  UC- WT  " */
static void use_pat(const char *text, void *arg)
{
	static const char head[] = "x86/PAT: Configuration [0-7]:";
	char name[8][8];
	int *found = arg, i;

	if (strncmp(text, head, strlen(head)) ||
	    sscanf(text + strlen(head), "%7s %7s %7s %7s %7s %7s %7s %7s",
		   name[0], name[1], name[2], name[3], name[4], name[5],
		   name[6], name[7]) != 8)
		return;
	for (i = 0; i < 8; i++) {
		int type = find_type(name[i]);

		if (type < 0)
			die("the kernel's log has a PAT entry '%s'", name[i]);
		pat[i] = type;
	}
	*found = 1;
}

/* "vvar: [vvar_debug] [mem 0x1-0x2]: want write-back, held uncached-minus" */
static void use_refusal(const char *text, void *arg)
{
	const char *why = strstr(text, ", ");

	if (!strncmp(text, "vvar: [vvar_debug] ", 19) && why)
		snprintf(arg, 40, "%s", why + 2);
}

/* --- oracles ------------------------------------------------------------- */

/* The lines of the memtype list, sorted as they are; "" without PAT */
static char *memtype_list(void)
{
	return get(DEBUGFS "x86/pat_memtype_list") ?: strdup("");
}

/* How often it has this page, and as what */
static int memtype_of(const char *list, uint64_t pfn, char *long_name)
{
	unsigned long long start, end;
	const char *line = list;
	char name[LONG_NAME];
	int n = 0;

	for (; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "PAT: [mem %llx-%llx] %31s", &start, &end,
			   name) == 3 &&
		    start <= pfn * PAGE && pfn * PAGE < end) {
			snprintf(long_name, LONG_NAME, "%s", name);
			n++;
		}
	}
	return n;
}

/* The line of page_tables for the test area; false if nothing is mapped */
static bool page_table_line(char *line, size_t size)
{
	unsigned long long start, end, addr = (unsigned long)area;
	bool found = false;
	FILE *f;

	/* With page table isolation only one of the two is what runs */
	f = fopen(DEBUGFS "page_tables/current_user", "r");
	if (!f)
		f = fopen(DEBUGFS "page_tables/current_kernel", "r");
	if (!f)
		die("no debugfs, or no CONFIG_PTDUMP_DEBUGFS: no page_tables");
	while (!found && fgets(line, size, f))
		found = sscanf(line, "%llx-%llx", &start, &end) == 2 &&
			start <= addr && addr < end && strstr(line, " USR ");
	fclose(f);
	return found;
}

#define PTE_RW		0x2
#define PTE_PWT		0x8
#define PTE_PCD		0x10
#define PTE_PAT		0x80
#define PTE_NX		0x8000000000000000ULL
#define PTE_FRAME	0x000ffffffffff000ULL

/* The PTE of the test area, 0 for none; @enc tells encrypted from shared memory */
static uint64_t page_table_entry(uint64_t enc[2])
{
	unsigned long long pte, encrypted, shared;
	char text[64], *said;

	SAY(text, "0 %lx", (unsigned long)area);
	if (put(DEBUGFS "vvar/pte", text))
		die("vvar/pte refuses '%s'", text);
	said = get(DEBUGFS "vvar/pte");
	if (!said || sscanf(said, "%llx encrypted %llx shared %llx", &pte,
			    &encrypted, &shared) != 3)
		die("vvar/pte says '%s'", said ?: "");
	free(said);
	enc[0] = encrypted;
	enc[1] = shared;
	return pte;
}

/* An index into the PAT */
static int pat_index(bool pwt, bool pcd, bool bit7)
{
	return pwt + 2 * pcd + 4 * bit7;
}

static int pat_index_of_pte(uint64_t pte)
{
	return pat_index(pte & PTE_PWT, pte & PTE_PCD, pte & PTE_PAT);
}

static int pat_index_of_line(const char *line)
{
	return pat_index(strstr(line, " PWT "), strstr(line, " PCD "),
			 strstr(line, " PAT "));
}

static void read_latency(char *text, size_t size)
{
	uint64_t best = -1, begin;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		begin = ordered_tsc();
		(void)*(volatile uint32_t *)area;
		begin = ordered_tsc() - begin;
		if (begin < best)
			best = begin;
	}
	snprintf(text, size, "%llu cycles", (unsigned long long)best);
}

/* --- one cell ------------------------------------------------------------ */

/* No page has so high a number: refused, and the slot is empty after that */
static void clear_slot(void)
{
	if (put(DEBUGFS "vvar/slot", "fffffffffffff WB") != EINVAL)
		die("vvar/slot takes a page that there can't be");
}

/* Without an entry in the PAT, the kernel's tables give the type of entry 2 */
static enum cache collapsed(enum cache type)
{
	int i;

	for (i = 0; i < 8; i++) {
		if (pat[i] == type)
			return type;
	}
	return UC_MINUS;
}

static void __printf(2, 3)
mark(struct cell *c, const char *fmt, ...)
{
	va_list ap;

	if (c->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->wrong, sizeof(c->wrong), fmt, ap);
	va_end(ap);
}

static void check_granted(struct kind *k, struct cell *c, enum cache want,
			  const char *list, int held_before)
{
	char line[256], name[LONG_NAME] = "", got[8] = "", *said;
	uint64_t pte, enc[2], frame;
	int index, held, type;

	/* What the kernel says that it granted */
	said = get(DEBUGFS "vvar/slot");
	if (!said || sscanf(said, "%*s want %*s got %7s", got) != 1)
		die("vvar/slot says '%s'", said ?: "");
	free(said);
	type = find_type(got);
	SAY(c->granted, "granted %s", got);
	if (type != (int)want)
		mark(c, "asked %s, granted %s", types[want].name, got);
	if (type < 0)
		return;

	/* The PTE */
	(void)*(volatile uint32_t *)area;
	if (k->own && *(volatile uint64_t *)area != *k->own)
		mark(c, "the area shows another page");
	pte = page_table_entry(enc);
	if (!pte || !page_table_line(line, sizeof(line))) {
		SAY(c->pte, "none");
		mark(c, "touched, and no PTE");
		return;
	}
	index = pat_index_of_pte(pte);
	SAY(c->pte, "%s %s %s: %s", index & 4 ? "PAT" : "-",
	    index & 2 ? "PCD" : "-", index & 1 ? "PWT" : "-",
	    types[pat[index]].name);
	frame = pte & PTE_FRAME & ~(enc[0] ^ enc[1]);
	if (frame != k->pfn * PAGE)
		mark(c, "the PTE has the page at %#llx",
		     (unsigned long long)frame);
	if (pat[index] != collapsed(type))
		mark(c, "granted %s, the PTE has %s", got,
		     types[pat[index]].name);
	if (pte & PTE_RW || !(pte & PTE_NX))
		mark(c, "PTE %#llx: not a page to be read only",
		     (unsigned long long)pte);
	if (enc[0] == enc[1])
		SAY(c->encryption, "no such bit");
	else
		SAY(c->encryption, "%s", (pte ^ enc[0]) & (enc[0] ^ enc[1]) ?
		    "shared" : "encrypted");
	if (enc[0] != enc[1] &&
	    strcmp(c->encryption, k->ram ? "encrypted" : "shared"))
		mark(c, "%s, %s", k->ram ? "RAM" : "no RAM", c->encryption);

	/* The same by the kernel's own walk */
	SAY(c->tables, "%s USR %s %s %s",
	    types[pat[pat_index_of_line(line)]].name,
	    strstr(line, " RW ") ? "RW" : "ro",
	    strstr(line, " NX ") ? "NX" : "x",
	    strstr(line, " pte") ? "pte" : "huge");
	if (pat_index_of_line(line) != index)
		mark(c, "the PTE has %s, page_tables %s",
		     types[pat[index]].name,
		     types[pat[pat_index_of_line(line)]].name);
	if (strcmp(strchr(c->tables, ' '), " USR ro NX pte"))
		mark(c, "page_tables: not a page to be read only");

	/* The memtype list: what is no RAM is reserved once more than before */
	held = memtype_of(list, k->pfn, name);
	if (!pat_enabled)
		SAY(c->list, "off");
	else
		SAY(c->list, "%s", held ? name : "not listed");
	if (!pat_enabled ? held : k->ram ? held : held != held_before + 1)
		mark(c, "memtype list: %d entries, %d before", held,
		     held_before);
	else if (held && strcmp(name, types[type].long_name))
		mark(c, "granted %s, the list has %s", got, name);

	if (latency_not)
		SAY(c->latency, "%s", latency_not);
	else
		read_latency(c->latency, sizeof(c->latency));
}

static void check_refused(struct kind *k, struct cell *c, enum cache want,
			  const char *list, int held_before)
{
	char line[256], why[40] = "", name[LONG_NAME] = "";
	uint64_t enc[2];
	int held;

	next_records(use_refusal, why);
	SAY(c->granted, "%s", why[0] ? why : strerrorname_np(c->err));
	SAY(c->pte, "-");
	SAY(c->encryption, "-");
	SAY(c->tables, "-");
	SAY(c->latency, "-");
	if (c->err != EBUSY)
		mark(c, "%s, not EBUSY", strerrorname_np(c->err));
	if (!why[0])
		mark(c, "refused without a word in the log");
	/* The tombstone is RAM, whatever was there before */
	(void)*(volatile uint32_t *)area;
	if (pat_index_of_pte(page_table_entry(enc)))
		mark(c, "refused, and the PTE is not WB");
	if (page_table_line(line, sizeof(line)) && pat_index_of_line(line))
		mark(c, "refused, and page_tables has no WB");
	if (*(volatile uint32_t *)area)
		mark(c, "refused, and a touch doesn't read 0");

	held = memtype_of(list, k->pfn, name);
	SAY(c->list, "%s", !pat_enabled ? "off" :
	    held ? name : "not listed");
	if (held != held_before)
		mark(c, "refused, and the memtype list has it %d times, not %d",
		     held, held_before);
	/* A refusal has a reason that the other oracles know */
	if (!pat_enabled && !k->ram)
		mark(c, "refused without PAT");
	else if (held && !strcmp(name, types[want].long_name))
		mark(c, "refused, though held as %s", name);
	else if (!k->ram && !held && want != WB)
		mark(c, "refused, and not for the MTRRs or the list");
	else if (k->ram && want == WB)
		mark(c, "RAM refused as WB");
}

static void check_cell(struct kind *k, enum cache want)
{
	struct cell *c = &k->cell[want];
	char request[64], name[LONG_NAME], *list;
	int held_before;

	clear_slot();
	list = memtype_list();
	held_before = memtype_of(list, k->pfn, name);
	free(list);

	next_records(use_refusal, name);	/* what others were refused */
	SAY(request, "%llx %s",
	    (unsigned long long)k->pfn, types[want].name);
	c->err = put(DEBUGFS "vvar/slot", request);
	list = memtype_list();
	if (c->err)
		check_refused(k, c, want, list, held_before);
	else
		check_granted(k, c, want, list, held_before);
	free(list);

	clear_slot();
	list = memtype_list();
	if (memtype_of(list, k->pfn, name) != held_before)
		mark(c, "let go, and still reserved");
	free(list);
}

/* --- the pages ----------------------------------------------------------- */

/* A page of this process, which stays where it is as long as this runs */
static void find_ram(struct kind *k)
{
	uint64_t *page, entry = 0;
	int fd;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	*page = ordered_tsc() | 1;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pread(fd, &entry, sizeof(entry), (unsigned long)page /
			     PAGE * sizeof(entry)) == sizeof(entry))
		k->pfn = entry & ((1ULL << 55) - 1);
	if (fd >= 0)
		close(fd);
	k->own = page;
	if (!k->pfn)
		SAY(k->why_not, "pagemap shows no page: not root");
}

/* The start of the first resource of this name */
static uint64_t iomem(const char *name)
{
	char *text = get("/proc/iomem"), *save = NULL, *line;
	unsigned long long start, found = 0;
	char what[64];

	for (line = strtok_r(text, "\n", &save); line && !found;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, " %llx-%*x : %63[^\n]", &start, what) == 2 &&
		    !strcmp(what, name))
			found = start;
	}
	free(text);
	return found;
}

static void find_hpet(struct kind *k)
{
	uint64_t start = iomem("HPET 0");

	if (!start)
		SAY(k->why_not, "no HPET in /proc/iomem");
	else if (start % PAGE)
		SAY(k->why_not, "the HPET's registers don't start a page");
	k->pfn = start / PAGE;
}

/* The last memmap=SIZE$START of the command line, if the kernel took it */
static void find_reserved(struct kind *k)
{
	char *text = get("/proc/cmdline"), *save = NULL, *word, *at;
	unsigned long long start, from;
	char *map, *line;

	SAY(k->why_not, "no memmap=4K$ADDRESS on the command line");
	for (word = strtok_r(text, "\n ", &save); word;
	     word = strtok_r(NULL, "\n ", &save)) {
		at = strchr(word, '$');
		if (!strncmp(word, "memmap=", 7) && at)
			k->pfn = strtoull(at + 1, NULL, 0) / PAGE;
	}
	free(text);
	if (!k->pfn)
		return;

	SAY(k->why_not, "memmap= on the command line is not reserved in /proc/iomem");
	map = get("/proc/iomem");
	save = NULL;
	for (line = strtok_r(map, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%llx-%llx : ", &start, &from) == 2 &&
		    line[0] != ' ' && strstr(line, " : Reserved") &&
		    start <= k->pfn * PAGE && k->pfn * PAGE < from)
			k->why_not[0] = 0;
	}
	free(map);
}

/*
 * Only the kernel knows where its pvclock page is: a probe on the call that
 * sets its slot, when its clocksource comes into use, tells. It also tells the
 * type that the kernel asks for, WB, 0.
 */
static void find_pvclock(struct kind *k)
{
#define INSTANCE	TRACING "instances/vvar-cachetypes/"
	static const char * const sources[] = { "kvm-clock", "kunit-pvclock" };
	char *available = get(CLOCKSOURCE "available_clocksource");
	char *first = get(CLOCKSOURCE "current_clocksource");
	const char *source = NULL;
	char *trace = NULL, *at;
	unsigned long long pfn = 0;
	int type = -1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources) && !source; i++) {
		if (available && strstr(available, sources[i]))
			source = sources[i];
	}
	if (!source || !first) {
		SAY(k->why_not, "no clocksource with a pvclock page");
		return;
	}
	if (put(TRACING "kprobe_events",
		"p:vvar_cachetypes/set vvar_pat_set_slot slot=%si:u32 pfn=%dx:x64 type=%cx:u32")) {
		SAY(k->why_not, "no kprobe_events in tracefs");
		return;
	}
	if ((mkdir(INSTANCE, 0700) && errno != EEXIST) ||
	    put(INSTANCE "events/vvar_cachetypes/set/enable", "1")) {
		SAY(k->why_not, "tracefs refuses an instance");
		goto out;
	}
	/* From another one, or nothing happens */
	if (!strncmp(first, source, strlen(source)))
		put(CLOCKSOURCE "current_clocksource", "tsc");
	put(CLOCKSOURCE "current_clocksource", source);
	trace = get(INSTANCE "trace");
	/* Which slot is a matter of version */
	at = trace ? strstr(trace, "slot=") : NULL;
	if (at)
		sscanf(at, "slot=%*u pfn=%llx type=%d", &pfn, &type);
	put(CLOCKSOURCE "current_clocksource", first);
	k->pfn = pfn;
	if (!pfn)
		SAY(k->why_not, "clocksource %s has set no slot", source);
	else if (type)
		SAY(k->why_not, "the kernel asked for type %d, not WB", type);
out:
	put(INSTANCE "events/vvar_cachetypes/set/enable", "0");
	rmdir(INSTANCE);
	put(TRACING "kprobe_events", "-:vvar_cachetypes/set");
	free(trace);
	free(available);
	free(first);
}

/* --- this machine -------------------------------------------------------- */

static void look_round(void)
{
	unsigned int eax, ebx, ecx, edx, sig[3] = { 0 };
	int found = 0;

	if (access(DEBUGFS "vvar/slot", W_OK))
		die("no %s: not root, no debugfs, or no CONFIG_VVAR_DEBUGFS",
		    DEBUGFS "vvar/slot");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("/dev/kmsg: %s", strerror(errno));
	next_records(use_pat, &found);
	if (!found)
		die("no 'x86/PAT: Configuration' in the kernel's log: run this soon after boot");
	pat_enabled = !access(DEBUGFS "x86/pat_memtype_list", R_OK);

	__cpuid(1, eax, ebx, ecx, edx);
	if (ecx >> 31) {
		__cpuid(0x40000000, eax, sig[0], sig[1], sig[2]);
		latency_not = !memcmp(sig, "TCGTCGTCGTCG", 12) ? "not on TCG" :
			      !memcmp(sig, "KVMKVMKVM", 9) ? "not on KVM" :
			      "not in a guest";
	}
}

static void map_area(void)
{
	char text[32];
	int err;

	area = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	munmap(area, PAGE);
	SAY(text, "%llu", (unsigned long long)(unsigned long)area);
	err = put(DEBUGFS "vvar/map", text);
	if (err)
		die("vvar/map refuses %p: %s", area, strerror(err));
}

/* --- output -------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} lines[] = {
	{ "answer", offsetof(struct cell, granted) },
	{ "PTE", offsetof(struct cell, pte) },
	{ "encryption", offsetof(struct cell, encryption) },
	{ "page_tables", offsetof(struct cell, tables) },
	{ "memtype list", offsetof(struct cell, list) },
	{ "latency", offsetof(struct cell, latency) },
};

static const char *cell_line(const struct kind *k, enum cache type,
			     unsigned int i)
{
	return (const char *)&k->cell[type] + lines[i].offset;
}

static bool is_marked(const struct kind *k)
{
	enum cache type;

	for (type = 0; type < NR_TYPES; type++) {
		if (k->cell[type].wrong[0])
			return true;
	}
	return false;
}

static void print_matrix(const struct kind *kinds, unsigned int nr)
{
	enum cache type;
	unsigned int i, j;

	printf("%-10s %-13s", "page", "asked");
	for (type = 0; type < NR_TYPES; type++)
		printf(" %-20s", types[type].name);
	putchar('\n');
	for (i = 0; i < nr; i++) {
		const struct kind *k = &kinds[i];

		if (k->why_not[0]) {
			printf("%-10s not tried: %s\n", k->name, k->why_not);
			continue;
		}
		for (j = 0; j < ARRAY_SIZE(lines); j++) {
			printf("%-10s %-13s", j == 0 ? k->name :
			       j == 1 && is_marked(k) ? "  DISAGREE" : "",
			       lines[j].name);
			for (type = 0; type < NR_TYPES; type++)
				printf(" %-20s", cell_line(k, type, j));
			putchar('\n');
		}
		for (type = 0; type < NR_TYPES; type++) {
			if (k->cell[type].wrong[0])
				printf("  DISAGREE %s: %s\n", types[type].name,
				       k->cell[type].wrong);
		}
	}
	printf("PAT: ");
	for (i = 0; i < 8; i++)
		printf("%s%s", types[pat[i]].name, i < 7 ? " " : "\n");
}

/* A row for each page and type, with a head line, for scripts/report */
static void write_tsv(const char *path, const struct kind *kinds,
		      unsigned int nr)
{
	FILE *f = fopen(path, "w");
	unsigned int i, j;
	enum cache type;

	if (!f)
		die("%s: %s", path, strerror(errno));
	fprintf(f, "page\tasked");
	for (j = 0; j < ARRAY_SIZE(lines); j++)
		fprintf(f, "\t%s", lines[j].name);
	fprintf(f, "\tagree\n");
	for (i = 0; i < nr; i++) {
		const struct kind *k = &kinds[i];

		for (type = 0; type < NR_TYPES && !k->why_not[0]; type++) {
			fprintf(f, "%s\t%s", k->name, types[type].name);
			for (j = 0; j < ARRAY_SIZE(lines); j++)
				fprintf(f, "\t%s", cell_line(k, type, j));
			fprintf(f, "\t%s\n", k->cell[type].wrong[0] ?
				k->cell[type].wrong : "yes");
		}
		if (k->why_not[0])
			fprintf(f, "%s\tnot tried: %s\n", k->name, k->why_not);
	}
	if (ferror(f) | fclose(f))
		die("%s: cannot write", path);
}

static void usage(FILE *f)
{
	fputs("usage: vvar-cachetypes [--tsv FILE] [--need KIND]...\n"
	      "Prints what each kind of page gets for each cache type that is asked for.\n"
	      "  --tsv FILE   write it there too, tab-separated, for scripts/report\n"
	      "  --need KIND  fail if this one is not there: RAM, pvclock, HPET, reserved\n"
	      "Exit status: 0 if all that was seen agrees, 1 if not, 2 if nothing can be seen.\n",
	      f);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tsv", required_argument, NULL, 't' },
		{ "need", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL }
	};
	static struct kind kinds[] = {
		{ .name = "RAM", .ram = true },
		{ .name = "pvclock", .ram = true },
		{ .name = "HPET" },
		{ .name = "reserved" },
	};
	void (* const find[])(struct kind *k) = {
		find_ram, find_pvclock, find_hpet, find_reserved,
	};
	unsigned int i, passed = 0, failed = 0, needed = 0;
	const char *tsv = NULL;
	char *before, *after;
	enum cache type;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			tsv = optarg;
			break;
		case 'n':
			for (i = 0; i < ARRAY_SIZE(kinds); i++) {
				if (!strcmp(kinds[i].name, optarg))
					break;
			}
			if (i == ARRAY_SIZE(kinds))
				die("--need %s: not one of RAM, pvclock, HPET, reserved",
				    optarg);
			needed |= 1 << i;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc)
		die("unknown argument '%s'", argv[optind]);

	look_round();
	map_area();
	/* The pvclock's page comes into use for this, and stays so */
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		find[i](&kinds[i]);
	clear_slot();
	before = memtype_list();
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (type = 0; type < NR_TYPES && !kinds[i].why_not[0]; type++) {
			check_cell(&kinds[i], type);
			if (kinds[i].cell[type].wrong[0])
				failed++;
			else
				passed++;
		}
	}
	after = memtype_list();

	print_matrix(kinds, ARRAY_SIZE(kinds));
	if (tsv)
		write_tsv(tsv, kinds, ARRAY_SIZE(kinds));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (needed & 1 << i && kinds[i].why_not[0]) {
			printf("not ok - %s is needed: %s\n", kinds[i].name,
			       kinds[i].why_not);
			failed++;
		}
	}
	if (!pat_enabled) {
		printf("skip - leak check: no memtype list without PAT\n");
	} else if (!strcmp(before, after)) {
		printf("ok - the memtype list is as it was before\n");
		passed++;
	} else {
		printf("not ok - the memtype list has changed, from\n%sto\n%s",
		       before, after);
		failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
