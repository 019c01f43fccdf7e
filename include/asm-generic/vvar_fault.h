/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_GENERIC_VVAR_FAULT_H
#define _ASM_GENERIC_VVAR_FAULT_H

/*
 * What an architecture may add to mm/vvar_fault.c, and what holds without: PTEs
 * are stored under the PTE lock, and every page has the cache type that
 * vm_page_prot says, which is that of normal memory.
 */
#include <linux/pgtable.h>

/* May a PTE be stored by compare-and-exchange, without the PTE lock? */
static inline bool arch_vvar_lockless(void)
{
	return false;
}

static inline bool arch_vvar_try_set_pte(pte_t *ptep, pte_t old, pte_t new)
{
	return false;
}

/* What a slot decides in a PTE: nothing but the page */
static inline u64 arch_vvar_word(unsigned long pfn, pgprot_t prot)
{
	return pfn;
}

static inline unsigned long arch_vvar_pfn(u64 word)
{
	return word;
}

/* Young, so that the next access does not fault for that where no hardware sets it */
static inline pte_t arch_vvar_pte(u64 word, pgprot_t prot)
{
	return pte_mkyoung(pte_mkspecial(pfn_pte(word, prot)));
}

/* Is @pte, whatever its protection, made from @word? */
static inline bool arch_vvar_shows(pte_t pte, u64 word)
{
	return pte_pfn(pte) == word;
}

/* Of RAM that is read. Not PAGE_READONLY, which some have not, or correct at boot. */
#define VVAR_RAM_PROT	vm_get_page_prot(VM_READ)

/* For the tracepoints */
#define VVAR_CACHE_WB	0
#define arch_vvar_cache(pte)	((void)(pte), 0)
#define arch_vvar_show_cache(cache)	__print_symbolic(cache, { VVAR_CACHE_WB, "WB" })

#endif /* _ASM_GENERIC_VVAR_FAULT_H */
