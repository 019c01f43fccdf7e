/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_RISCV_VVAR_FAULT_H
#define _ASM_RISCV_VVAR_FAULT_H

#include <linux/pgtable.h>
#include <asm/cmpxchg.h>

/*
 * May a PTE be stored by compare-and-exchange, without the PTE lock? What follows
 * from the list over vvar_publish(), and on riscv
 *
 * - a PTE is one word on both Sv32 and Sv39 and up, written in one access;
 * - whoever clears one uses xchg(), or on a machine of one CPU, where
 *   ptep_get_and_clear() is a load and a store, has found it present before: to
 *   that, this store never comes;
 * - it is young from the start and read-only, so that neither the CPU (Svadu) nor
 *   a fault has a bit to set in it;
 * - set_pte_at() is a plain store. A CPU that has cached the invalid entry is told
 *   by update_mmu_cache(), which vvar_publish() calls as do_fault() would, or takes
 *   one more fault, which finds the PTE there.
 *
 * Napot entries are hugetlb's, and no page of an area is in one.
 */
static inline bool arch_vvar_lockless(void)
{
	return true;
}

static inline bool arch_vvar_try_set_pte(pte_t *ptep, pte_t old, pte_t new)
{
	return try_cmpxchg_relaxed(&pte_val(*ptep), &pte_val(old), pte_val(new));
}

/* What a slot decides in a PTE: the page and its memory type (Svpbmt) */
static inline u64 arch_vvar_word(unsigned long pfn, pgprot_t prot)
{
	unsigned long type = pgprot_val(prot) & _PAGE_MTMASK;

	return pte_val(pte_mkspecial(pfn_pte(pfn, __pgprot(type))));
}

static inline unsigned long arch_vvar_pfn(u64 word)
{
	return pte_pfn(__pte(word));
}

static inline pte_t arch_vvar_pte(u64 word, pgprot_t prot)
{
	return __pte((pgprot_val(prot) & ~_PAGE_MTMASK) | word);
}

/* Is @pte, whatever its protection, made from @word? */
static inline bool arch_vvar_shows(pte_t pte, u64 word)
{
	return pte_pfn(pte) == arch_vvar_pfn(word) &&
	       !((pte_val(pte) ^ word) & _PAGE_MTMASK);
}

/* Of RAM that is read: a constant, since a call would cost a first touch registers */
#define VVAR_RAM_PROT	PAGE_READ

/*
 * For the tracepoints. WB: as the platform has it (PMA), which for RAM is that; all
 * there is without Svpbmt, where none of these has a bit.
 */
#define VVAR_CACHE_WB	0

static inline unsigned int arch_vvar_cache(pte_t pte)
{
	unsigned long type = pte_val(pte) & _PAGE_MTMASK;

	if (type && type == _PAGE_NOCACHE)
		return 1;
	return type && type == _PAGE_IO ? 2 : VVAR_CACHE_WB;
}

#define arch_vvar_show_cache(cache)			\
	__print_symbolic(cache, { VVAR_CACHE_WB, "WB" }, { 1, "NC" }, { 2, "IO" })

#endif /* _ASM_RISCV_VVAR_FAULT_H */
