// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory as a host file (memory-backend-file), read while the guest
 * is held in a callback: which slab cache a page belongs to. No member's offset
 * is known beforehand: struct kmem_cache is asked, of caches whose names and sizes
 * are known.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vvar-lines-plugin.h"

#define START_KERNEL_MAP	0xffffffff80000000ULL
#define PTE_PRESENT		1ULL
#define PTE_HUGE		0x80ULL
#define PTE_ADDR		0x000ffffffffff000ULL
/* Of x86_64, and of slabs: struct page and struct slab begin alike */
#define PAGE_STRUCT		64
#define PAGE_HEAD		8
#define SLAB_CACHE		8

static const char *ram;
static u64 ram_size;
static int levels;
static u64 vmemmap;
static int name_at = -1, size_at = -1;

int ram_open(const char *file)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "vvar-lines: %s: %m\n", file);
		return -1;
	}
	ram_size = st.st_size;
	ram = mmap(NULL, ram_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (ram == MAP_FAILED) {
		fprintf(stderr, "vvar-lines: %s: %m\n", file);
		return -1;
	}
	return 0;
}

static u64 phys_u64(u64 paddr)
{
	u64 v;

	if (paddr > ram_size - sizeof(v))
		return NOTHING;
	memcpy(&v, ram + paddr, sizeof(v));
	return v;
}

u64 ram_phys(u64 vaddr)
{
	u64 table = syms_addr("init_top_pgt") - START_KERNEL_MAP, entry;
	int shift;

	for (shift = 12 + 9 * (levels - 1); ; shift -= 9) {
		entry = phys_u64((table & PTE_ADDR) + (vaddr >> shift & 511) * 8);
		if (entry == NOTHING || !(entry & PTE_PRESENT))
			return NOTHING;
		if (shift == 12 || (shift < 39 && (entry & PTE_HUGE)))
			break;
		table = entry;
	}
	return (entry & PTE_ADDR & ~((1ULL << shift) - 1)) +
	       (vaddr & ((1ULL << shift) - 1));
}

u64 ram_u64(u64 vaddr)
{
	u64 paddr = vaddr >> 63 ? ram_phys(vaddr) : NOTHING;

	return paddr == NOTHING ? NOTHING : phys_u64(paddr);
}

static u32 ram_u32(u64 vaddr)
{
	return ram_u64(vaddr);
}

/* A name of a cache; "" if it is none */
static const char *ram_name(u64 vaddr)
{
	u64 paddr = vaddr >> 63 ? ram_phys(vaddr) : NOTHING, i;

	if (paddr == NOTHING || paddr > ram_size - 4096)
		return "";
	for (i = 0; isgraph(ram[paddr + i]) && i < 48; i++)
		;
	return i >= 3 && !ram[paddr + i] ? ram + paddr : "";
}

/* Once, when the guest has booted */
static void learn(void)
{
	u64 l5 = syms_addr("__pgtable_l5_enabled"), p, kmalloc;
	int i, at;

	levels = l5 && (u32)phys_u64(l5 - START_KERNEL_MAP) == 1 ? 5 : 4;
	p = syms_addr("vmemmap_base");
	vmemmap = p ? ram_u64(p) : 0xffffea0000000000ULL;

	/* The cache of caches is called like its variable */
	p = ram_u64(syms_addr("kmem_cache"));
	for (at = 0; p != NOTHING && name_at < 0 && at < 512; at += 8) {
		if (!strcmp(ram_name(ram_u64(p + at)), "kmem_cache"))
			name_at = at;
	}
	kmalloc = syms_addr("kmalloc_caches");
	for (at = 8; kmalloc && name_at >= 0 && size_at < 0 && at < 128; at += 4) {
		int fit = 0, seen = 0;

		for (i = 0; i < 14; i++) {
			unsigned int size;
			char k;

			p = ram_u64(kmalloc + 8 * i);
			if (p == NOTHING || !(p >> 63) ||
			    sscanf(ram_name(ram_u64(p + name_at)), "kmalloc-%u%c",
				   &size, &k) != 1)
				continue;	/* or kmalloc-1k */
			seen++;
			fit += ram_u32(p + at) == size;
		}
		if (seen > 3 && fit == seen)
			size_at = at;
	}
	if (name_at < 0 || size_at < 0)
		fputs("vvar-lines: struct kmem_cache is not understood: slab caches stay unnamed\n",
		      stderr);
}

void ram_page(FILE *out, u64 pfn)
{
	u64 page, cache, head;
	const char *name;

	if (!levels)
		learn();
	if (name_at < 0 || size_at < 0)
		return;
	page = vmemmap + pfn * PAGE_STRUCT;
	head = ram_u64(page + PAGE_HEAD);
	if (head == NOTHING)
		return;
	if (head & 1)
		page = head - 1;
	cache = ram_u64(page + SLAB_CACHE);
	if (cache == NOTHING || cache & 7)
		return;
	name = ram_name(ram_u64(cache + name_at));
	if (*name)
		fprintf(out, "P %llx %llx %s %u\n", pfn,
			(page - vmemmap) / PAGE_STRUCT, name,
			ram_u32(cache + size_at));
}

void ram_cpus(FILE *out, unsigned int nr)
{
	u64 offsets = syms_addr("__per_cpu_offset");
	u64 node = syms_addr("node_data");
	unsigned int i;

	if (!levels)
		learn();
	fprintf(out, "M %llx\n", vmemmap);
	if (node)
		fprintf(out, "N %llx\n", ram_phys(ram_u64(node)));
	for (i = 0; offsets && i < nr; i++)
		fprintf(out, "C %u %llx\n", i, ram_u64(offsets + 8 * i));
}
