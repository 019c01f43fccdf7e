// SPDX-License-Identifier: GPL-2.0
/*
 * Cache types of the pages in vvar areas.
 *
 * vmf_insert_pfn_prot() throws away the cache bits that its caller passes and
 * asks the memtype code for each PTE (pfnmap_setup_cachemode_pfn()). Here the question is
 * asked once, when a slot is set: device memory is reserved with the wanted
 * type and held until the slot shows something else, so that nobody can map it
 * with another one meanwhile; RAM is not reserved but has the type that
 * set_memory_*() gave it, write-back as a rule. The answer becomes part of the
 * slot's word, and a fault takes neither memtype_lock nor resource_lock.
 *
 * Types and their aliasing: SDM vol. 3A, 12.12 (PAT) and
 * Documentation/arch/x86/pat.rst.
 */
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/processor.h>
#include <linux/slab.h>
#include <linux/vvar_fault.h>

#include <asm/memtype.h>
#include <asm/vvar_fault.h>

#include "../mm/pat/memtype.h"

/* A reservation behind a slot */
struct vvar_pat_hold {
	struct list_head list;
	struct vvar_area *area;
	unsigned int slot;
	resource_size_t start;
};

static LIST_HEAD(vvar_pat_holds);
static DEFINE_MUTEX(vvar_pat_mutex);

static struct vvar_pat_hold *vvar_pat_find(struct vvar_area *area,
					   unsigned int slot)
{
	struct vvar_pat_hold *hold;

	list_for_each_entry(hold, &vvar_pat_holds, list) {
		if (hold->area == area && hold->slot == slot)
			return hold;
	}
	return NULL;
}

static void vvar_pat_release(struct vvar_pat_hold *hold)
{
	if (!hold)
		return;
	list_del(&hold->list);
	memtype_free_io(hold->start, hold->start + PAGE_SIZE);
	kfree(hold);
}

/*
 * memtype_reserve_io(), which does not say what is held where it refuses.
 * Return: 0 or -EBUSY, with @type what is held; another error with @want in it.
 */
static int vvar_pat_reserve(resource_size_t start, enum page_cache_mode want,
			    enum page_cache_mode *type)
{
	int ret = memtype_reserve(start, start + PAGE_SIZE, want, type);

	if (ret) {
		*type = want;
		return ret;
	}
	if (is_new_memtype_allowed(start, PAGE_SIZE, want, *type) &&
	    memtype_kernel_map_sync(start, PAGE_SIZE, *type) >= 0)
		return 0;

	memtype_free(start, start + PAGE_SIZE);
	return -EBUSY;
}

/* What stock's fault path would ask, and get, for each PTE */
static enum page_cache_mode vvar_pat_ram_type(unsigned long pfn)
{
	pgprot_t prot = PAGE_READONLY;

	pfnmap_setup_cachemode_pfn(pfn, &prot);
	return pgprot2cachemode(prot);
}

/*
 * The kernel's rules, and one that they lack: they let WB stand in for UC,
 * though not for UC-. No register block or shared page is better off for that.
 */
static bool vvar_pat_substitutes(resource_size_t start,
				 enum page_cache_mode want,
				 enum page_cache_mode type, unsigned int flags)
{
	if (!(flags & VVAR_PAT_SUBSTITUTE))
		return false;
	if (want == _PAGE_CACHE_MODE_UC)
		want = _PAGE_CACHE_MODE_UC_MINUS;
	return is_new_memtype_allowed(start, PAGE_SIZE, want, type);
}

/**
 * vvar_pat_set_slot - show a page in a slot, with a cache type
 * @area: a registered area
 * @slot: index of the slot
 * @pfn: the page: RAM, or device memory, of which this reserves one page
 * @want: the cache type
 * @flags: VVAR_PAT_DECRYPTED for a page that is shared with a hypervisor;
 *	VVAR_PAT_SUBSTITUTE if another type will do, within the rules below
 * @got: filled with the type that the slot has now, may be NULL
 *
 * A type that is held already wins over @want (memtype_check_conflict()): the
 * kernel's own ioremap() of the HPET for example makes it UC-. So do the MTRRs
 * where they forbid WB, and RAM is what set_memory_*() made of it, WB as a rule.
 * UC, UC- and WC never become WB, WT neither WB nor WC.
 *
 * The slot's own reservation counts as held, too: the same page with another
 * type gets -EBUSY until vvar_pat_clear_slot().
 *
 * Without PAT (nopat) nobody keeps a list, and device memory is granted whatever
 * is asked, as ioremap() is: @got is @want, the PTE has what is left of it
 * (__cachemode2pte_tbl, WC is UC- there), and nothing conflicts with anything.
 *
 * Context: Process context, may sleep.
 * Return: 0; -EBUSY if the rules forbid @want, said in the log; -EINVAL for a
 * slot or page that does not exist; -ENOMEM. But for 0, the slot shows what it
 * showed.
 */
int vvar_pat_set_slot(struct vvar_area *area, unsigned int slot,
		      unsigned long pfn, enum page_cache_mode want,
		      unsigned int flags, enum page_cache_mode *got)
{
	resource_size_t start = PFN_PHYS(pfn);
	struct vvar_pat_hold *old, *hold = NULL;
	enum page_cache_mode type;
	pgprot_t prot;
	int ret = 0;

	/* On 32 bits, phys_addr_t may be the narrower of the two */
	if ((u64)pfn >> (boot_cpu_data.x86_phys_bits - PAGE_SHIFT) ||
	    PHYS_PFN(start) != pfn)
		return -EINVAL;

	guard(mutex)(&vvar_pat_mutex);

	if (page_is_ram(pfn)) {
		type = vvar_pat_ram_type(pfn);
	} else {
		hold = kzalloc_obj(*hold);
		if (!hold)
			return -ENOMEM;
		ret = vvar_pat_reserve(start, want, &type);
		if (ret) {
			kfree(hold);
			hold = NULL;
		} else {
			hold->area = area;
			hold->slot = slot;
			hold->start = start;
			INIT_LIST_HEAD(&hold->list);
		}
	}
	if (!ret && type != want &&
	    !vvar_pat_substitutes(start, want, type, flags))
		ret = -EBUSY;
	if (ret) {
		pr_warn("vvar: %s [mem %pa-%pa]: want %s, %s%s\n", area->name,
			&start, &(resource_size_t){ start + PAGE_SIZE - 1 },
			cattr_name(want), type == want ? "refused" : "held ",
			type == want ? "" : cattr_name(type));
		vvar_pat_release(hold);
		return ret == -EINVAL ? -EBUSY : ret;
	}

	prot = __pgprot((pgprot_val(PAGE_READONLY) & ~_PAGE_CACHE_MASK) |
			cachemode2protval(type));
	/* As ioremap() has it: registers are no RAM that could be encrypted */
	prot = hold || flags & VVAR_PAT_DECRYPTED ? pgprot_decrypted(prot) :
						    pgprot_encrypted(prot);

	ret = vvar_area_set_slot(area, slot, pfn, prot);
	if (ret) {
		vvar_pat_release(hold);
		return ret;
	}

	/* No process has the old page any more */
	old = vvar_pat_find(area, slot);
	vvar_pat_release(old);
	if (hold)
		list_add(&hold->list, &vvar_pat_holds);
	if (got)
		*got = type;
	return 0;
}

/**
 * vvar_pat_clear_slot - show the tombstone in a slot, and let its page go
 * @area: a registered area
 * @slot: index of the slot
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL if @slot is out of range.
 */
int vvar_pat_clear_slot(struct vvar_area *area, unsigned int slot)
{
	int ret;

	guard(mutex)(&vvar_pat_mutex);
	ret = vvar_area_clear_slot(area, slot);
	if (!ret)
		vvar_pat_release(vvar_pat_find(area, slot));
	return ret;
}
