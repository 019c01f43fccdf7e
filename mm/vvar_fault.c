// SPDX-License-Identifier: GPL-2.0
/*
 * Fault path of the pages that the kernel shows to every process: clock data
 * ([vvar]) and the vDSO.
 *
 * An area is a row of slots, one page each. A slot is one word, read without a
 * lock, and holds a page of any kind - the time data, a page shared with the
 * hypervisor, device registers - or the tombstone: the zero page, so that no
 * offset of an area gives SIGBUS. A reader in the vDSO that meets a tombstone
 * falls back to the system call.
 *
 * See Documentation/mm/vvar_fault.rst.
 */
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/time_namespace.h>
#include <linux/vvar_fault.h>

#include <asm/vvar_fault.h>

#include "internal.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vvar."

static DEFINE_STATIC_KEY_FALSE(vvar_locked);

static bool locked __ro_after_init;
module_param(locked, bool, 0444);
MODULE_PARM_DESC(locked, "publish under the PTE lock, for comparison");

static u64 vvar_page_word(struct page *page)
{
	return arch_vvar_word(page_to_pfn(page), PAGE_READONLY);
}

static u64 vvar_tombstone(void)
{
	return vvar_page_word(ZERO_PAGE(0));
}

/*
 * The namespace page of the process whose mm a kthread has borrowed. The
 * kthread's own nsproxy says nothing about it. All processes that share an mm
 * share the time namespace (copy_namespaces(), current_is_single_threaded()).
 *
 * A kthread faults under mmap_lock, and a join zaps with mmap_lock held for
 * write after it has changed the namespace: what is published here is either
 * current or zapped.
 */
static struct page *vvar_borrowed_timens_page(struct mm_struct *mm)
{
	struct page *page = NULL;
#ifdef CONFIG_TIME_NS
	struct task_struct *p, *t;

	mmap_assert_locked(mm);

	rcu_read_lock();
	for_each_process_thread(p, t) {
		if (READ_ONCE(t->mm) != mm || (t->flags & PF_KTHREAD))
			continue;
		task_lock(t);
		if (t->nsproxy)
			page = t->nsproxy->time_ns->vvar_page;
		task_unlock(t);
		goto out;
	}
out:
	rcu_read_unlock();
#endif
	return page;
}

/* What find_timens_vvar_page() finds, and more: see above */
static struct page *vvar_timens_page(struct vm_area_struct *vma)
{
#ifdef CONFIG_TIME_NS
	if (unlikely(current->flags & PF_KTHREAD))
		return vvar_borrowed_timens_page(vma->vm_mm);
	/* VM_PFNMAP and no ->access(): nobody faults in another task's mm */
	VM_WARN_ON_ONCE(vma->vm_mm != current->mm);
	if (unlikely(current->nsproxy->time_ns != &init_time_ns))
		return current->nsproxy->time_ns->vvar_page;
#endif
	return NULL;
}

/*
 * Publish one slot: none -> special PTE, and nothing after it.
 *
 * No PTE lock is taken. That is safe here, and only here, because
 *
 * 1. a PTE of an area goes only from none to a special PTE. There is no rmap,
 *    reference, RSS or page_table_check accounting that would have to change
 *    with it;
 * 2. whoever removes PTEs does it with an atomic exchange (ptep_get_and_clear()
 *    and its relatives), so whichever of us comes second sees the other;
 * 3. the page table stays: free_pgtables() and free_pgd_range() leave a table
 *    that a linked VMA touches, and unlinking this VMA means write-locking it,
 *    which waits for our read lock. khugepaged frees tables that one VMA spans
 *    (hugepage_vma_revalidate(), retract_page_tables()), and an area is far
 *    smaller (vvar_area_register());
 * 4. the code that stores into a none PTE under the PTE lock alone keeps off:
 *    uffd-wp and poison markers need a registered VMA, and userfaultfd_register()
 *    refuses one without VM_MAYWRITE; do_anonymous_page() and do_swap_page()
 *    never see a VMA with vm_ops or a special PTE; migration, swap and NUMA
 *    hinting entries replace present PTEs of normal pages (vm_normal_page());
 *    insert_pfn() and remap_pfn_range() are not called on an area;
 * 5. mprotect, fork and mremap hold the VMA write-locked (vma_start_write()),
 *    move_ptes() into the new VMA included: it stays write-locked until
 *    mmap_lock is dropped;
 * 6. losing the race is success: the PTE is there.
 */
static __always_inline void vvar_publish(struct vm_area_struct *vma,
					 unsigned long addr, pte_t *ptep,
					 u64 word, bool lock)
{
	pte_t old = ptep_get_lockless(ptep);
	pte_t new;

	if (!pte_none(old))
		return;

	new = arch_vvar_pte(word, vma->vm_page_prot);
	if (lock)
		set_pte_at(vma->vm_mm, addr, ptep, new);
	else if (!arch_vvar_try_set_pte(ptep, old, new))
		return;
	update_mmu_cache(vma, addr, ptep);
}

/*
 * The slots in @todo. A task in a time namespace, whose page @timens is, sees
 * that page in the place of the time data, and the time data in timens_slot.
 */
static __always_inline void vvar_publish_slots(struct vm_fault *vmf,
					       unsigned long todo, pte_t *ptep,
					       struct page *timens, bool lock)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vvar_area *area = vma->vm_private_data;
	unsigned long addr = vmf->address - (vmf->pgoff << PAGE_SHIFT);

	/* One page table: fault-around never leaves it */
	ptep -= vmf->pgoff;
	do {
		unsigned int i = __ffs(todo);
		u64 word;

		if (timens && i == area->time_slot)
			word = vvar_page_word(timens);
		else if (timens && i == area->timens_slot)
			word = atomic64_read(&area->slots[area->time_slot]);
		else
			word = atomic64_read(&area->slots[i]);

		vvar_publish(vma, addr + (i << PAGE_SHIFT), ptep + i, word,
			     lock);
		todo &= todo - 1;
	} while (todo);
}

static noinline void vvar_publish_locked(struct vm_fault *vmf,
					 unsigned long todo,
					 struct page *timens)
{
	spinlock_t *ptl;
	pte_t *ptep;

	ptep = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address,
				   &ptl);
	if (!ptep)
		return;
	vvar_publish_slots(vmf, todo, ptep, timens, true);
	pte_unmap_unlock(ptep, ptl);
}

static noinline void vvar_publish_timens(struct vm_fault *vmf,
					 unsigned long todo, pte_t *ptep,
					 struct page *timens)
{
	vvar_publish_slots(vmf, todo, ptep, timens, false);
}

/*
 * Called with the VMA's read lock or mmap_lock held, inside an RCU read-side
 * section: a slot's word is read and published in it, so that after
 * synchronize_rcu() no fault publishes a word that was replaced before.
 *
 * The slot that faulted is published whatever it holds, its neighbours only
 * while they are in use. The PTE may be there already, or go again at once:
 * either way the access is tried again.
 */
static vm_fault_t vvar_map_pages(struct vm_fault *vmf, pgoff_t first,
				 pgoff_t last)
{
	struct vvar_area *area = vmf->vma->vm_private_data;
	struct page *timens = vvar_timens_page(vmf->vma);
	unsigned long todo = READ_ONCE(area->in_use);
	pte_t *ptep;

	if (unlikely(timens) && area->timens_slot >= 0)
		todo |= BIT(area->timens_slot);
	todo &= GENMASK(last, first);
	todo |= BIT(vmf->pgoff);

	if (unlikely(pmd_none(*vmf->pmd)) && vmf->prealloc_pte)
		pmd_install(vmf->vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);

	if (static_branch_unlikely(&vvar_locked)) {
		vvar_publish_locked(vmf, todo, timens);
		return VM_FAULT_NOPAGE;
	}

	/*
	 * pte_offset_map() would guard against a page table that turns into a
	 * huge page or goes away. This one does neither (3. above), and is
	 * not in highmem (vvar_init()).
	 */
	ptep = pte_offset_kernel(vmf->pmd, vmf->address);
	if (unlikely(timens))
		vvar_publish_timens(vmf, todo, ptep, timens);
	else
		vvar_publish_slots(vmf, todo, ptep, NULL, false);
	return VM_FAULT_NOPAGE;
}

/* What is left when fault-around is off (fault_around_bytes=4096) */
static vm_fault_t vvar_fault(struct vm_fault *vmf)
{
	vm_fault_t ret;

	rcu_read_lock();
	ret = vvar_map_pages(vmf, vmf->pgoff, vmf->pgoff);
	rcu_read_unlock();
	return ret;
}

static const char *vvar_name(struct vm_area_struct *vma)
{
	return ((struct vvar_area *)vma->vm_private_data)->name;
}

/* A part of an area is no area: its slots are found by vm_pgoff */
static int vvar_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int vvar_mremap(struct vm_area_struct *vma)
{
	return WARN_ON_ONCE(current->mm != vma->vm_mm) ? -EFAULT : 0;
}

static const struct vm_operations_struct vvar_vm_ops = {
	.fault = vvar_fault,
	.map_pages = vvar_map_pages,
	.name = vvar_name,
	.may_split = vvar_may_split,
	.mremap = vvar_mremap,
	/*
	 * No .access: find_timens_vvar_page() relies on nobody reading an area
	 * through another task's mm.
	 */
};

/**
 * vvar_area_register - make an area ready to be mapped
 * @area: the area, with its first four members set
 *
 * Every slot shows the tombstone afterwards. There is no way to unregister an
 * area: nothing tracks who has it mapped.
 *
 * Context: Any, before the area is mapped for the first time.
 * Return: 0, or -EINVAL for a number of slots or a slot index out of range.
 */
int vvar_area_register(struct vvar_area *area)
{
	unsigned int i;

	BUILD_BUG_ON(VVAR_MAX_SLOTS >= PTRS_PER_PTE);
	BUILD_BUG_ON(VVAR_MAX_SLOTS > BITS_PER_LONG);

	if (!area->name || !area->nr_slots || area->nr_slots > VVAR_MAX_SLOTS ||
	    area->time_slot < 0 || area->time_slot >= (int)area->nr_slots ||
	    area->timens_slot >= (int)area->nr_slots)
		return -EINVAL;

	for (i = 0; i < area->nr_slots; i++)
		atomic64_set(&area->slots[i], vvar_tombstone());
	return 0;
}

/**
 * vvar_area_set_slot - show a page in a slot
 * @area: a registered area
 * @slot: index of the slot
 * @pfn: the page; it stays what it is for as long as the kernel runs
 * @prot: protection of a read-only user PTE, of which the cache type and the
 *	encryption bit count, for example pgprot_decrypted(PAGE_READONLY)
 *
 * A process that has touched the slot already keeps the page it saw.
 *
 * Context: Any; callers for one area must not overlap.
 * Return: 0, or -EINVAL if @slot or @pfn is out of range.
 */
int vvar_area_set_slot(struct vvar_area *area, unsigned int slot,
		       unsigned long pfn, pgprot_t prot)
{
	if (slot >= area->nr_slots || pfn > PHYS_PFN(PHYSICAL_PAGE_MASK))
		return -EINVAL;

	atomic64_set(&area->slots[slot], arch_vvar_word(pfn, prot));
	WRITE_ONCE(area->in_use, area->in_use | BIT(slot));
	return 0;
}

/**
 * vvar_area_clear_slot - show the tombstone in a slot
 * @area: a registered area
 * @slot: index of the slot
 *
 * Context: as vvar_area_set_slot().
 * Return: 0, or -EINVAL if @slot is out of range.
 */
int vvar_area_clear_slot(struct vvar_area *area, unsigned int slot)
{
	if (slot >= area->nr_slots)
		return -EINVAL;

	WRITE_ONCE(area->in_use, area->in_use & ~BIT(slot));
	atomic64_set(&area->slots[slot], vvar_tombstone());
	return 0;
}

/**
 * vvar_area_map - map an area into an address space
 * @mm: the address space, current->mm or one that no task runs in
 * @addr: where, page-aligned, with room for @area->nr_slots pages
 * @area: a registered area
 *
 * Read-only for ever (no VM_MAYWRITE), and never refcounted (VM_PFNMAP).
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vvar_area_map(struct mm_struct *mm, unsigned long addr,
				     struct vvar_area *area)
{
	return __install_special_mapping(mm, addr, area->nr_slots << PAGE_SHIFT,
					 VM_READ | VM_MAYREAD | VM_IO |
					 VM_DONTDUMP | VM_PFNMAP,
					 area, &vvar_vm_ops);
}

/**
 * vma_is_vvar_area - is this VMA a mapping of an area?
 * @vma: the VMA
 * @area: the area, or NULL for any
 *
 * Context: mmap_lock or the VMA's lock held.
 */
bool vma_is_vvar_area(const struct vm_area_struct *vma,
		      const struct vvar_area *area)
{
	return vma->vm_ops == &vvar_vm_ops &&
	       (!area || vma->vm_private_data == area);
}

/**
 * vvar_area_zap - take the PTEs of an area out of one address space
 * @mm: the address space
 * @area: the area
 *
 * For a task that has joined a time namespace: the next touch publishes the
 * view of the new one. The namespace is changed before the call, so that a
 * fault sees the new one or is zapped here. mmap_lock is taken for write, not
 * for read, because that is what a kthread that has borrowed @mm faults under.
 *
 * Nothing but this zap and the rule that only a single-threaded process joins
 * (timens_install()) keeps a PTE of the old namespace's page, which holds no
 * reference, from outliving it (CVE-2023-23586).
 *
 * Context: Process context, may sleep. Takes mmap_lock.
 */
void vvar_area_zap(struct mm_struct *mm, struct vvar_area *area)
{
	struct vm_area_struct *vma;
	VMA_ITERATOR(vmi, mm, 0);

	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		if (vma_is_vvar_area(vma, area))
			zap_vma_pages(vma);
	}
	mmap_write_unlock(mm);
}

/*
 * vDSO text: ordinary, refcounted pages, because gdb sets breakpoints by COW
 * and core dumps read them by GUP. They are never reclaimed or truncated, so
 * there is no folio to lock.
 */
static vm_fault_t vdso_text_fault(struct vm_fault *vmf)
{
	const struct vm_special_mapping *text = vmf->vma->vm_private_data;

	vmf->page = text->pages[vmf->pgoff];
	get_page(vmf->page);
	return 0;
}

static vm_fault_t vdso_text_map_pages(struct vm_fault *vmf, pgoff_t first,
				      pgoff_t last)
{
	struct vm_area_struct *vma = vmf->vma;
	const struct vm_special_mapping *text = vma->vm_private_data;
	unsigned long addr = vmf->address - ((vmf->pgoff - first) << PAGE_SHIFT);
	unsigned int nr = 0;
	pgoff_t i;

	if (pmd_none(*vmf->pmd) && vmf->prealloc_pte)
		pmd_install(vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);

	vmf->pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, addr, &vmf->ptl);
	if (!vmf->pte)
		return VM_FAULT_NOPAGE;

	for (i = first; i <= last; i++, addr += PAGE_SIZE, vmf->pte++) {
		struct page *page = text->pages[i];

		if (!pte_none(ptep_get(vmf->pte)))
			continue;
		get_page(page);
		folio_add_file_rmap_pte(page_folio(page), page, vma);
		set_pte_at(vma->vm_mm, addr, vmf->pte,
			   mk_pte(page, vma->vm_page_prot));
		update_mmu_cache(vma, addr, vmf->pte);
		nr++;
	}
	add_mm_counter(vma->vm_mm, MM_FILEPAGES, nr);
	pte_unmap_unlock(vmf->pte - 1, vmf->ptl);
	vmf->pte = NULL;
	return VM_FAULT_NOPAGE;
}

static const char *vdso_text_name(struct vm_area_struct *vma)
{
	return ((struct vm_special_mapping *)vma->vm_private_data)->name;
}

static int vdso_text_mremap(struct vm_area_struct *vma)
{
	const struct vm_special_mapping *text = vma->vm_private_data;

	if (WARN_ON_ONCE(current->mm != vma->vm_mm))
		return -EFAULT;
	return text->mremap(text, vma);
}

static const struct vm_operations_struct vdso_text_vm_ops = {
	.fault = vdso_text_fault,
	.map_pages = vdso_text_map_pages,
	.name = vdso_text_name,
	.may_split = vvar_may_split,
	.mremap = vdso_text_mremap,
};

/**
 * vdso_text_map - map a vDSO image into an address space
 * @mm: the address space, current->mm or one that no task runs in
 * @addr: where, page-aligned
 * @len: size of the image in bytes, a multiple of PAGE_SIZE
 * @text: name, pages (one for each page of @len) and mremap hook of the image
 *
 * VM_MAYWRITE lets a debugger set breakpoints by COW.
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vdso_text_map(struct mm_struct *mm, unsigned long addr,
				     unsigned long len,
				     const struct vm_special_mapping *text)
{
	return __install_special_mapping(mm, addr, len,
					 VM_READ | VM_EXEC | VM_MAYREAD |
					 VM_MAYWRITE | VM_MAYEXEC,
					 (void *)text, &vdso_text_vm_ops);
}

/**
 * vma_is_vdso_text - is this VMA a mapping of a vDSO image?
 * @vma: the VMA
 *
 * Context: mmap_lock or the VMA's lock held.
 */
bool vma_is_vdso_text(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &vdso_text_vm_ops;
}

static int __init vvar_init(void)
{
	if (locked || IS_ENABLED(CONFIG_HIGHPTE) || !arch_vvar_lockless())
		static_branch_enable(&vvar_locked);
	return 0;
}
core_initcall(vvar_init);
