/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_X86_VVAR_FAULT_H
#define _ASM_X86_VVAR_FAULT_H

#include <linux/bits.h>
#include <linux/cpufeature.h>
#include <linux/pgtable.h>
#include <vdso/clocksource.h>
#include <asm/cmpxchg.h>
#include <asm/coco.h>
#include <asm/memtype.h>

/*
 * May a PTE be stored by compare-and-exchange, without the PTE lock? Not in a Xen
 * PV guest, where it is a hypercall or a trapped write.
 */
static inline bool arch_vvar_lockless(void)
{
	return !cpu_feature_enabled(X86_FEATURE_XENPV);
}

/* The cache type and the encryption of a page: all but its pfn */
#define VVAR_TYPE_MASK	(_PAGE_CACHE_MASK | cc_mkenc(0) | cc_mkdec(0))

/* What a slot decides in a PTE; vm_page_prot supplies the rest */
static inline u64 arch_vvar_word(unsigned long pfn, pgprot_t prot)
{
	return pte_val(pte_mkspecial(pfn_pte(pfn, prot))) &
	       (PTE_PFN_MASK | _PAGE_SPECIAL | VVAR_TYPE_MASK);
}

static inline unsigned long arch_vvar_pfn(u64 word)
{
	return (word & PTE_PFN_MASK) >> PAGE_SHIFT;
}

/* Is @pte, whatever its protection, made from @word? */
static inline bool arch_vvar_shows(pte_t pte, u64 word)
{
	return pte_pfn(pte) == arch_vvar_pfn(word) &&
	       !((pte_flags(pte) ^ word) & VVAR_TYPE_MASK & ~PTE_PFN_MASK);
}

/*
 * The word of a slot says whether the page is encrypted (pgprot_encrypted(),
 * pgprot_decrypted()); vm_page_prot, made from protection_map[], says "encrypted"
 * (SME) for every page.
 */
static inline pte_t arch_vvar_pte(u64 word, pgprot_t prot)
{
	return __pte((pgprot_val(prot) & ~_PAGE_ENC) | word);
}

/*
 * @old is compared as it was observed: pte_none() ignores the A and D bits
 * that some CPUs leave behind in a clear entry (_PAGE_KNL_ERRATUM_MASK). PAE's is
 * two words, and never stored like that.
 */
static inline bool arch_vvar_try_set_pte(pte_t *ptep, pte_t old, pte_t new)
{
	if (IS_ENABLED(CONFIG_X86_PAE))
		return false;
	return try_cmpxchg(&ptep->pte, &old.pte, new.pte);
}

/* Of RAM that is read: a constant, since a call would cost a first touch registers */
#define VVAR_RAM_PROT	PAGE_READONLY

/* For the tracepoints */
#define VVAR_CACHE_WB	_PAGE_CACHE_MODE_WB
#define arch_vvar_cache(pte)	pgprot2cachemode(pte_pgprot(pte))
#define arch_vvar_show_cache(cache)			\
	__print_symbolic(cache,				\
		{ _PAGE_CACHE_MODE_WB, "WB" },		\
		{ _PAGE_CACHE_MODE_WC, "WC" },		\
		{ _PAGE_CACHE_MODE_UC_MINUS, "UC-" },	\
		{ _PAGE_CACHE_MODE_UC, "UC" },		\
		{ _PAGE_CACHE_MODE_WT, "WT" },		\
		{ _PAGE_CACHE_MODE_WP, "WP" })

struct vdso_image;
struct vvar_area;

extern struct vvar_area vvar_vclock_area;
extern struct vvar_area vvar_hpet_area;

/* arch/x86/kernel/vvar_pat.c */
#define VVAR_PAT_DECRYPTED	BIT(0)
#define VVAR_PAT_SUBSTITUTE	BIT(1)

int vvar_pat_set_slot(struct vvar_area *area, unsigned int slot,
		      unsigned long pfn, enum page_cache_mode want,
		      unsigned int flags, enum page_cache_mode *got);
int vvar_pat_clear_slot(struct vvar_area *area, unsigned int slot);

/* arch/x86/entry/vdso/vvar.c */
#ifdef CONFIG_X86_VDSO_HPET
enum vdso_clock_mode vdso_hpet_mode(unsigned long address);
#else
static inline enum vdso_clock_mode vdso_hpet_mode(unsigned long address)
{
	return VDSO_CLOCKMODE_NONE;
}
#endif

void vdso_image_register(const struct vdso_image *image);
struct vm_area_struct *vdso_image_map(struct mm_struct *mm, unsigned long addr,
				      const struct vdso_image *image);
int vdso_mremap(struct vm_area_struct *new_vma);
unsigned long vvar_hpet_size(void);
int vvar_map(struct mm_struct *mm, unsigned long addr);

#endif /* _ASM_X86_VVAR_FAULT_H */
