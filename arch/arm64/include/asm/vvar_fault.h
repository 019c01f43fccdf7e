/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_ARM64_VVAR_FAULT_H
#define _ASM_ARM64_VVAR_FAULT_H

#include <linux/pgtable.h>
#include <asm/cmpxchg.h>
#include <asm/memory.h>

/*
 * May a PTE be stored by compare-and-exchange, without the PTE lock?
 * ptep_try_set() is for kernel page tables; that this is right for a user PTE
 * follows from the list over vvar_publish(), and from this of arm64:
 *
 * - none to valid needs no break-before-make, and there is no valid PTE to break:
 *   a replace zaps, flushes, and leaves none behind;
 * - no PTE near it is folded over it: contpte_try_fold() leaves special PTEs out,
 *   and folds a block only if all its entries are of one folio. What unfolds a
 *   block has found it valid as a whole;
 * - nobody else writes it meanwhile: it is young from the start, so that neither
 *   the CPU (FEAT_HAFDBS) nor a fault has the access flag to set, and it is
 *   read-only, without PTE_DBM;
 * - set_pte_at() of a user PTE is a plain store without barriers, and so this needs
 *   none (__set_pte_complete(); update_mmu_cache_range() has the reason). The
 *   content of the page is ordered before the PTE by the dependency on the slot's
 *   word. What else set_pte_at() does, caches, tags and page_table_check, leaves
 *   special PTEs out.
 */
static inline bool arch_vvar_lockless(void)
{
	return true;
}

static inline bool arch_vvar_try_set_pte(pte_t *ptep, pte_t old, pte_t new)
{
	return try_cmpxchg_relaxed(&pte_val(*ptep), &pte_val(old), pte_val(new));
}

/*
 * What a slot decides in a PTE: the page, shared with the host or not, and its
 * memory type, which is that of @prot, and never Tagged: mprotect(PROT_MTE) wants
 * VM_MTE_ALLOWED.
 */
static inline u64 arch_vvar_word(unsigned long pfn, pgprot_t prot)
{
	pteval_t type = pgprot_val(prot) & (PTE_ATTRINDX_MASK | PROT_NS_SHARED);

	return pte_val(pte_mkspecial(pfn_pte(pfn, __pgprot(type))));
}

static inline unsigned long arch_vvar_pfn(u64 word)
{
	return pte_pfn(__pte(word));
}

static inline pte_t arch_vvar_pte(u64 word, pgprot_t prot)
{
	return __pte((pgprot_val(prot) & ~PTE_ATTRINDX_MASK) | word);
}

/* Is @pte, whatever its protection, made from @word? */
static inline bool arch_vvar_shows(pte_t pte, u64 word)
{
	return pte_pfn(pte) == arch_vvar_pfn(word) &&
	       !((pte_val(pte) ^ word) & PTE_ATTRINDX_MASK);
}

/* Of RAM that is read. Not PAGE_READONLY: corrected at boot. */
#define VVAR_RAM_PROT	vm_get_page_prot(VM_READ)

/* For the tracepoints */
#define VVAR_CACHE_WB	MT_NORMAL
#define arch_vvar_cache(pte)	((pte_val(pte) & PTE_ATTRINDX_MASK) >> 2)
#define arch_vvar_show_cache(cache)			\
	__print_symbolic(cache,				\
		{ MT_NORMAL, "WB" },			\
		{ MT_NORMAL_TAGGED, "tagged" },		\
		{ MT_NORMAL_NC, "NC" })

#endif /* _ASM_ARM64_VVAR_FAULT_H */
