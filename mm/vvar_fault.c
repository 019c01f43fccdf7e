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
#include <kunit/visibility.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
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

#define CREATE_TRACE_POINTS
#include <trace/events/vvar.h>

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vvar."

/*
 * A first touch is traced, or published under the PTE lock. One key for both,
 * so that tracing costs not an instruction while it is off.
 */
static DEFINE_STATIC_KEY_FALSE(vvar_slow);
static bool vvar_ptl __ro_after_init;

static bool locked __ro_after_init;
module_param(locked, bool, 0444);
MODULE_PARM_DESC(locked, "publish under the PTE lock, for comparison");

VISIBLE_IF_KUNIT bool vvar_populate_on = true;
module_param_named(populate, vvar_populate_on, bool, 0444);
MODULE_PARM_DESC(populate, "publish vvar and vDSO when they are mapped");

/* Serializes whoever sets a slot, registers or unregisters */
static DEFINE_MUTEX(vvar_mutex);

int vvar_trace_reg(void)
{
	static_branch_inc(&vvar_slow);
	return 0;
}

void vvar_trace_unreg(void)
{
	static_branch_dec(&vvar_slow);
}

/* For the tracepoints; the fast path drops it */
struct vvar_tally {
	unsigned int published;
	unsigned int lost;
	pte_t pte;		/* of the slot that faulted, afterwards */
};

static u64 vvar_page_word(struct page *page)
{
	/* Unlike protection_map[], PAGE_READONLY does not say "encrypted" */
	return arch_vvar_word(page_to_pfn(page),
			      pgprot_encrypted(PAGE_READONLY));
}

static u64 vvar_tombstone(void)
{
	return vvar_page_word(ZERO_PAGE(0));
}

/*
 * The namespace page of the process whose mm it is, for a kthread that has
 * borrowed the mm, or who faults in another's (fixup_user_fault() with
 * FAULT_FLAG_REMOTE). Their own nsproxy says nothing about it. All processes
 * that share an mm share the time namespace (copy_namespaces(),
 * current_is_single_threaded()); one that leaves the mm by exec changes its
 * namespace after its mm.
 *
 * Both fault under mmap_lock, and a join zaps with mmap_lock held for write
 * after it has changed the namespace, and before the old one may go: what is
 * published here is either current or zapped.
 */
static struct page *vvar_foreign_timens_page(struct mm_struct *mm)
{
	struct page *page = NULL;
#ifdef CONFIG_TIME_NS
	struct task_struct *p, *t;
	bool found = false;

	mmap_assert_locked(mm);

	rcu_read_lock();
	for_each_process_thread(p, t) {
		/* Other flags change meanwhile, PF_KTHREAD does not */
		if (READ_ONCE(t->mm) != mm || data_race(t->flags & PF_KTHREAD))
			continue;
		task_lock(t);
		found = t->mm == mm && t->nsproxy;
		if (found)
			page = t->nsproxy->time_ns->vvar_page;
		task_unlock(t);
		if (found)
			goto out;
	}
out:
	rcu_read_unlock();
#endif
	return page;
}

/* What find_timens_vvar_page() finds, and more: see above */
static struct page *vvar_timens_page(struct vm_area_struct *vma,
				     unsigned int fault_flags)
{
#ifdef CONFIG_TIME_NS
	if (unlikely(current->flags & PF_KTHREAD) ||
	    unlikely(fault_flags & FAULT_FLAG_REMOTE))
		return vvar_foreign_timens_page(vma->vm_mm);
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
					 u64 word, bool lock,
					 struct vvar_tally *tally)
{
	pte_t old = ptep_get_lockless(ptep);
	pte_t new;

	if (!pte_none(old))
		return;

	new = arch_vvar_pte(word, vma->vm_page_prot);
	if (lock) {
		set_pte_at(vma->vm_mm, addr, ptep, new);
	} else if (!arch_vvar_try_set_pte(ptep, old, new)) {
		tally->lost++;
		return;
	}
	tally->published++;
	update_mmu_cache(vma, addr, ptep);
}

/*
 * The slots in @todo, all in the page table of @ptep, which is slot 0's PTE (or
 * would be). A task in a time namespace, whose page @timens is, sees that page
 * in the place of the time data, and the time data in timens_slot.
 */
static __always_inline struct vvar_tally
vvar_publish_slots(struct vm_area_struct *vma, unsigned long todo, pte_t *ptep,
		   struct page *timens, bool lock)
{
	struct vvar_area *area = vma->vm_private_data;
	unsigned long addr = vma->vm_start - (vma->vm_pgoff << PAGE_SHIFT);
	struct vvar_tally tally = {};

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
			     lock, &tally);
		todo &= todo - 1;
	} while (todo);
	return tally;
}

/* Out of line: the fast path needs neither its registers nor its code */
static noinline struct vvar_tally
vvar_publish_slow(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		  pgoff_t pgoff, unsigned long todo, struct page *timens)
{
	struct vvar_tally tally = {};
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep;

	if (!vvar_ptl) {
		ptep = pte_offset_kernel(pmd, addr);
		tally = vvar_publish_slots(vma, todo, ptep - pgoff, timens,
					   false);
		tally.pte = ptep_get_lockless(ptep);
		return tally;
	}

	ptep = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!ptep)
		return tally;
	tally = vvar_publish_slots(vma, todo, ptep - pgoff, timens, true);
	tally.pte = ptep_get(ptep);
	pte_unmap_unlock(ptep, ptl);
	return tally;
}

static noinline void vvar_map_slow(struct vm_fault *vmf, unsigned long todo,
				   struct page *timens, enum vvar_path path)
{
	struct vvar_tally tally;

	/* do_fault_around() and __do_fault() have seen to it */
	if (unlikely(pmd_none(pmdp_get_lockless(vmf->pmd))))
		pmd_install(vmf->vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);

	tally = vvar_publish_slow(vmf->vma, vmf->pmd, vmf->address, vmf->pgoff,
				  todo, timens);
	trace_vvar_fault(vmf, tally.pte, path, tally.published, tally.lost,
			 VM_FAULT_NOPAGE);
}

static __always_inline unsigned long
vvar_slots_in_use(const struct vvar_area *area, struct page *timens)
{
	unsigned long in_use = READ_ONCE(area->in_use);

	if (unlikely(timens) && area->timens_slot >= 0)
		in_use |= BIT(area->timens_slot);
	return in_use;
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
	struct vm_area_struct *vma = vmf->vma;
	struct vvar_area *area = vma->vm_private_data;
	struct page *timens = vvar_timens_page(vma, vmf->flags);
	unsigned long todo = vvar_slots_in_use(area, timens);
	pmd_t pmd = pmdp_get_lockless(vmf->pmd);
	pte_t *ptep;

	todo &= GENMASK(last, first);
	todo |= BIT(vmf->pgoff);

	/* All that is rare */
	if (static_branch_unlikely(&vvar_slow) || unlikely(timens) ||
	    unlikely(pmd_none(pmd))) {
		vvar_map_slow(vmf, todo, timens, VVAR_MAP_PAGES);
		return VM_FAULT_NOPAGE;
	}

	/*
	 * pte_offset_map() would guard against a page table that turns into a
	 * huge page or goes away. This one does neither (3. above), and is
	 * not in highmem (vvar_init()).
	 */
	ptep = pte_offset_kernel(&pmd, vmf->address);
	vvar_publish_slots(vma, todo, ptep - vmf->pgoff, NULL, false);
	return VM_FAULT_NOPAGE;
}

/* What is left when fault-around is off (fault_around_bytes=4096) */
static vm_fault_t vvar_fault(struct vm_fault *vmf)
{
	rcu_read_lock();
	vvar_map_slow(vmf, BIT(vmf->pgoff),
		      vvar_timens_page(vmf->vma, vmf->flags), VVAR_FAULT);
	rcu_read_unlock();
	return VM_FAULT_NOPAGE;
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

/*
 * The page table of @addr, made if it is missing. Memory is what may lack: then
 * the first touch has another go at it.
 */
static pmd_t *vvar_alloc_table(struct mm_struct *mm, unsigned long addr)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;
	pmd_t *pmd = pud ? pmd_alloc(mm, pud, addr) : NULL;

	return pmd && !pte_alloc(mm, pmd) ? pmd : NULL;
}

/* pmd_addr_end() where there is a PMD; two-level page tables fold it away */
static unsigned long vvar_table_end(unsigned long addr, unsigned long end)
{
	unsigned long next = (addr & PMD_MASK) + PMD_SIZE;

	return next - 1 < end - 1 ? next : end;
}

/*
 * Publish every slot, tombstones too, so that nobody faults. But no page table is
 * made for tombstones alone.
 *
 * mmap_lock is held for write. The VMA is linked into i_mmap already: a replace
 * that misses what is read here waits for the RCU section and then finds it.
 */
static void vvar_populate(struct vm_area_struct *vma, struct page *timens)
{
	const struct vvar_area *area = vma->vm_private_data;
	unsigned long addr = vma->vm_start, end;
	unsigned int published = 0;

	/* Nothing may be read: mprotect(PROT_NONE) */
	if (!(vma->vm_flags & VM_READ))
		return;

	for (; addr < vma->vm_end; addr = end) {
		pgoff_t pgoff = linear_page_index(vma, addr);
		unsigned long todo;
		pmd_t *pmd;

		end = vvar_table_end(addr, vma->vm_end);
		todo = GENMASK(linear_page_index(vma, end - 1), pgoff);
		if (!(todo & vvar_slots_in_use(area, timens)))
			continue;
		pmd = vvar_alloc_table(vma->vm_mm, addr);
		if (!pmd)
			return;
		rcu_read_lock();
		published += vvar_publish_slow(vma, pmd, addr, pgoff, todo,
					       timens).published;
		rcu_read_unlock();
	}
	trace_vvar_populate(vvar_name(vma), vma->vm_start, published);
}

/**
 * vvar_area_register - make an area ready to be mapped
 * @area: the area, with its first four members set and the rest zero
 *
 * Every slot shows the tombstone afterwards.
 *
 * Context: Process context, may sleep.
 * Return: 0; -EINVAL for a number of slots or a slot index out of range;
 * -EEXIST if it is registered; -ENOMEM.
 */
int vvar_area_register(struct vvar_area *area)
{
	struct vvar_files *files;
	unsigned int i;

	BUILD_BUG_ON(VVAR_MAX_SLOTS >= PTRS_PER_PTE);
	BUILD_BUG_ON(VVAR_MAX_SLOTS > BITS_PER_LONG);

	if (!area->name || !area->nr_slots || area->nr_slots > VVAR_MAX_SLOTS ||
	    area->time_slot < 0 || area->time_slot >= (int)area->nr_slots ||
	    area->timens_slot >= (int)area->nr_slots)
		return -EINVAL;

	guard(mutex)(&vvar_mutex);
	if (area->files)
		return -EEXIST;
	files = vvar_files_create(area->name);
	if (IS_ERR(files))
		return PTR_ERR(files);

	area->in_use = 0;
	for (i = 0; i < area->nr_slots; i++)
		atomic64_set(&area->slots[i], vvar_tombstone());
	area->files = files;
	return 0;
}

/**
 * vvar_area_unregister - the opposite of vvar_area_register()
 * @area: the area
 *
 * The owner sees to it that nobody maps the area any more.
 *
 * Context: Process context, may sleep.
 * Return: 0; -EINVAL if it is not registered; -EBUSY while it is mapped.
 */
int vvar_area_unregister(struct vvar_area *area)
{
	guard(mutex)(&vvar_mutex);
	if (!area->files)
		return -EINVAL;
	if (vvar_files_mapped(area->files))
		return -EBUSY;
	vvar_files_free(area->files);
	area->files = NULL;
	return 0;
}

/*
 * A fault that read the old word has published it before synchronize_rcu()
 * returns, and the zap takes it out; one that starts later reads the new word.
 */
static void vvar_replace(struct vvar_area *area, unsigned int slot, u64 word,
			 unsigned long in_use)
{
	u64 old = atomic64_read(&area->slots[slot]), begin, grace;

	lockdep_assert_held(&vvar_mutex);

	if (old == word)
		return;
	WRITE_ONCE(area->in_use, in_use);
	/* With the content of the page that it names */
	atomic64_set_release(&area->slots[slot], word);
	begin = ktime_get_ns();
	synchronize_rcu();
	grace = ktime_get_ns() - begin;
	vvar_files_zap(area->files, slot);
	/* Processes in a time namespace have the time data there */
	if (slot == area->time_slot && area->timens_slot >= 0)
		vvar_files_zap(area->files, area->timens_slot);
	if (trace_vvar_replace_enabled())
		trace_vvar_replace(area->name, slot,
				   arch_vvar_pte(old, PAGE_READONLY),
				   arch_vvar_pte(word, PAGE_READONLY), grace,
				   vvar_files_count(area->files, slot));
}

/**
 * vvar_area_set_slot - replace what a slot shows by a page
 * @area: a registered area
 * @slot: index of the slot
 * @pfn: the page
 * @prot: protection of a read-only user PTE, of which the cache type and the
 *	encryption bit count: pgprot_encrypted(PAGE_READONLY) for RAM,
 *	pgprot_decrypted() for what a hypervisor shares
 *
 * When it returns, no process has what the slot showed before in its page
 * tables, and MMU notifiers were told. Processes find the new page at their next
 * touch. An IOMMU into which somebody has put the pfn by follow_pfnmap_start()
 * (VFIO does) is not reached.
 *
 * Context: Process context, may sleep (grace period, i_mmap_rwsem).
 * Return: 0, or -EINVAL if @slot or @pfn is out of range or @area is not
 * registered.
 */
int vvar_area_set_slot(struct vvar_area *area, unsigned int slot,
		       unsigned long pfn, pgprot_t prot)
{
	guard(mutex)(&vvar_mutex);
	if (!area->files || slot >= area->nr_slots ||
	    pfn > PHYS_PFN(PHYSICAL_PAGE_MASK))
		return -EINVAL;

	vvar_replace(area, slot, arch_vvar_word(pfn, prot),
		     area->in_use | BIT(slot));
	return 0;
}

/**
 * vvar_area_clear_slot - replace what a slot shows by the tombstone
 * @area: a registered area
 * @slot: index of the slot
 *
 * As vvar_area_set_slot() with the zero page.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL if @slot is out of range or @area is not registered.
 */
int vvar_area_clear_slot(struct vvar_area *area, unsigned int slot)
{
	guard(mutex)(&vvar_mutex);
	if (!area->files || slot >= area->nr_slots)
		return -EINVAL;

	vvar_replace(area, slot, vvar_tombstone(), area->in_use & ~BIT(slot));
	return 0;
}

/* A special mapping with a file of @files behind it */
static struct vm_area_struct *vvar_install(struct mm_struct *mm,
					   unsigned long addr,
					   unsigned long len,
					   unsigned long vm_flags, void *priv,
					   const struct vm_operations_struct *ops,
					   struct vvar_files *files)
{
	struct file *file = vvar_files_get(files);
	struct vm_area_struct *vma;

	/* Linked with its file: unlinking takes it out of i_mmap without asking */
	vma = __install_special_mapping(mm, addr, len, vm_flags, priv, ops,
					file);
	if (IS_ERR(vma))
		fput(file);
	return vma;
}

/**
 * vvar_area_map - map an area into an address space
 * @mm: the address space: current->mm
 * @addr: where, page-aligned, with room for @area->nr_slots pages
 * @area: a registered area
 *
 * Read-only for ever (no VM_MAYWRITE), and never refcounted (VM_PFNMAP). Without
 * VM_PFNMAP, munmap could leave its TLB flush for later than the unlinking from
 * i_mmap, and a replace return that saw neither (tlb_end_vma()).
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vvar_area_map(struct mm_struct *mm, unsigned long addr,
				     struct vvar_area *area)
{
	struct vm_area_struct *vma;

	vma = vvar_install(mm, addr, area->nr_slots << PAGE_SHIFT,
			   VM_READ | VM_MAYREAD | VM_IO | VM_DONTDUMP |
			   VM_PFNMAP, area, &vvar_vm_ops, area->files);
	if (!IS_ERR(vma) && vvar_populate_on)
		vvar_populate(vma, vvar_timens_page(vma, 0));
	return vma;
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
 * vvar_area_fork - give a child its view of an area
 * @vma: the child's VMA, linked into i_mmap behind its parent's
 *
 * For copy_page_range(): a replace that misses what is read here waits for the
 * RCU section of vvar_populate() and then finds the VMA, as at exec. The child has
 * its parent's time namespace until timens_on_fork().
 *
 * Context: Process context, may sleep. mmap_lock of both held for write.
 * Return: true if nothing is left to copy; false for another VMA, or with
 * vvar.populate=0.
 */
bool vvar_area_fork(struct vm_area_struct *vma)
{
	if (!vvar_populate_on || !vma_is_vvar_area(vma, NULL))
		return false;
	vvar_populate(vma, vvar_timens_page(vma, 0));
	return true;
}

/**
 * vvar_area_join_timens - show an area as a time namespace has it
 * @mm: address space of a task that joins a namespace
 * @area: the area
 * @timens: the namespace's page, or NULL for the initial one
 *
 * The caller has changed nsproxy before (setns()) or nobody can fault in @mm yet
 * (fork, exec). mmap_lock is taken for write, not for read: a kthread that has
 * borrowed @mm looks up the namespace and publishes under it. What it published
 * before is zapped here, afterwards it finds the new namespace. With
 * vvar.populate=1 the new view is published at once.
 *
 * A PTE of a namespace's page holds no reference on it (CVE-2023-23586). What
 * keeps it from outliving the page is this zap, the rule that only a
 * single-threaded process joins (timens_install()), and that the caller lets go
 * of the old namespace afterwards. Nothing does for a kthread whose borrowed mm
 * outlives its process (exit_mm() comes before exit_task_namespaces()).
 *
 * Context: Process context, may sleep. Takes mmap_lock.
 */
void vvar_area_join_timens(struct mm_struct *mm, struct vvar_area *area,
			   struct page *timens)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		if (!vma_is_vvar_area(vma, area))
			continue;
		/* Keeps off faults that hold no mmap_lock */
		vma_start_write(vma);
		zap_vma_pages(vma);
		if (vvar_populate_on)
			vvar_populate(vma, timens);
	}
	mmap_write_unlock(mm);
}

/*
 * vDSO text: ordinary, refcounted pages, because gdb sets breakpoints by COW
 * and core dumps read them by GUP. They are never reclaimed or truncated, so
 * there is no folio to lock.
 */
static noinline void vdso_text_trace(const struct vm_fault *vmf,
				     enum vvar_path path,
				     unsigned int published, vm_fault_t result)
{
	pte_t pte = __pte(0), *ptep;

	if (path == VVAR_FAULT) {
		/* The core maps it next: if written to, the process's copy */
		pte = mk_pte(vmf->cow_page ?: vmf->page,
			     vmf->vma->vm_page_prot);
	} else {
		ptep = pte_offset_map(vmf->pmd, vmf->address);
		if (ptep) {
			pte = ptep_get_lockless(ptep);
			pte_unmap(ptep);
		}
	}
	trace_vvar_fault(vmf, pte, path, published, 0, result);
}

static vm_fault_t vdso_text_fault(struct vm_fault *vmf)
{
	const struct vdso_text *text = vmf->vma->vm_private_data;

	vmf->page = text->pages[vmf->pgoff];
	get_page(vmf->page);
	if (trace_vvar_fault_enabled())
		vdso_text_trace(vmf, VVAR_FAULT, 0, 0);
	return 0;
}

/* Pages [first, last], all in the page table @pmd points to */
static unsigned int vdso_text_publish(struct vm_area_struct *vma, pmd_t *pmd,
				      pgoff_t first, pgoff_t last)
{
	const struct vdso_text *text = vma->vm_private_data;
	unsigned long addr = vma->vm_start +
			     ((first - vma->vm_pgoff) << PAGE_SHIFT);
	pte_t *start, *ptep;
	unsigned int nr = 0;
	spinlock_t *ptl;	/* the page table's */
	pgoff_t i;

	start = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!start)
		return 0;

	for (i = first, ptep = start; i <= last; i++, addr += PAGE_SIZE, ptep++) {
		struct page *page = text->pages[i];

		if (!pte_none(ptep_get(ptep)))
			continue;
		get_page(page);
		folio_add_file_rmap_pte(page_folio(page), page, vma);
		set_pte_at(vma->vm_mm, addr, ptep,
			   mk_pte(page, vma->vm_page_prot));
		update_mmu_cache(vma, addr, ptep);
		nr++;
	}
	add_mm_counter(vma->vm_mm, MM_FILEPAGES, nr);
	pte_unmap_unlock(start, ptl);
	return nr;
}

static vm_fault_t vdso_text_map_pages(struct vm_fault *vmf, pgoff_t first,
				      pgoff_t last)
{
	unsigned int nr;

	/* Both look again: pmd_install() and pte_offset_map_lock() */
	if (data_race(pmd_none(*vmf->pmd)) && vmf->prealloc_pte)
		pmd_install(vmf->vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);

	nr = vdso_text_publish(vmf->vma, vmf->pmd, first, last);
	if (trace_vvar_fault_enabled())
		vdso_text_trace(vmf, VVAR_MAP_PAGES, nr, VM_FAULT_NOPAGE);
	return VM_FAULT_NOPAGE;
}

static void vdso_text_populate(struct vm_area_struct *vma)
{
	const struct vdso_text *text = vma->vm_private_data;
	unsigned long addr = vma->vm_start, end;
	unsigned int nr = 0;

	for (; addr < vma->vm_end; addr = end) {
		pmd_t *pmd = vvar_alloc_table(vma->vm_mm, addr);

		end = vvar_table_end(addr, vma->vm_end);
		if (!pmd)
			return;
		nr += vdso_text_publish(vma, pmd, linear_page_index(vma, addr),
					linear_page_index(vma, end - 1));
	}
	trace_vvar_populate(text->name, vma->vm_start, nr);
}

static const char *vdso_text_name(struct vm_area_struct *vma)
{
	return ((struct vdso_text *)vma->vm_private_data)->name;
}

static int vdso_text_mremap(struct vm_area_struct *vma)
{
	const struct vdso_text *text = vma->vm_private_data;

	if (WARN_ON_ONCE(current->mm != vma->vm_mm))
		return -EFAULT;
	return text->mremap(vma);
}

static const struct vm_operations_struct vdso_text_vm_ops = {
	.fault = vdso_text_fault,
	.map_pages = vdso_text_map_pages,
	.name = vdso_text_name,
	.may_split = vvar_may_split,
	.mremap = vdso_text_mremap,
};

/**
 * vdso_text_register - make an image ready to be mapped
 * @text: the image
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int vdso_text_register(struct vdso_text *text)
{
	text->files = vvar_files_create(text->name);
	return PTR_ERR_OR_ZERO(text->files);
}

/**
 * vdso_text_map - map a vDSO image into an address space
 * @mm: the address space: current->mm
 * @addr: where, page-aligned
 * @text: a registered image
 *
 * VM_MAYWRITE lets a debugger set breakpoints by COW.
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vdso_text_map(struct mm_struct *mm, unsigned long addr,
				     const struct vdso_text *text)
{
	struct vm_area_struct *vma;

	vma = vvar_install(mm, addr, text->nr_pages << PAGE_SHIFT,
			   VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE |
			   VM_MAYEXEC, (void *)text, &vdso_text_vm_ops,
			   text->files);
	if (!IS_ERR(vma) && vvar_populate_on)
		vdso_text_populate(vma);
	return vma;
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
	vvar_ptl = locked || IS_ENABLED(CONFIG_HIGHPTE) ||
		   !arch_vvar_lockless();
	if (vvar_ptl)
		static_branch_inc(&vvar_slow);
	return 0;
}
core_initcall(vvar_init);
