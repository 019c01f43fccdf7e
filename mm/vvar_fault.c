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
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/vvar_fault.h>

#include <asm/vvar_fault.h>

#include "internal.h"
#include "vma.h"
#include "vvar.h"

#define CREATE_TRACE_POINTS
#include <trace/events/vvar.h>

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vvar."

/*
 * A first touch is traced, or published under the PTE lock. One key for both,
 * so that tracing costs not an instruction while it is off.
 */
static DEFINE_STATIC_KEY_FALSE(vvar_slow);
/* Asked for, or because the architecture needs it */
bool vvar_locked __ro_after_init;
module_param_named(locked, vvar_locked, bool, 0444);
MODULE_PARM_DESC(locked, "publish under the PTE lock, for comparison");

bool vvar_populate_on = true;
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

/* RAM as every other: what protection_map[] has does not say "encrypted" */
static u64 vvar_ram_word(unsigned long pfn)
{
	return arch_vvar_word(pfn, pgprot_encrypted(VVAR_RAM_PROT));
}

static u64 vvar_tombstone(void)
{
	return vvar_ram_word(page_to_pfn(ZERO_PAGE(0)));
}

/*
 * What slot @i shows to @view. A task in a time namespace sees the namespace's
 * page in the place of the time data, and the time data in timens_slot. The page
 * stays as long as the view, which has a reference on the namespace.
 */
static __always_inline u64 vvar_word(const struct vvar_view *view,
				     unsigned int i)
{
	const struct vvar_area *area = view->area;

#ifdef CONFIG_TIME_NS
	if (unlikely(view->time_ns)) {
		if (i == area->time_slot)
			return vvar_ram_word(page_to_pfn(view->time_ns->vvar_page));
		if (i == area->timens_slot)
			i = area->time_slot;
	}
#endif
	return atomic64_read(&area->slots[i]);
}

static __always_inline unsigned long
vvar_slots_in_use(const struct vvar_view *view)
{
	const struct vvar_area *area = view->area;
	unsigned long in_use = READ_ONCE(area->in_use);

	if (unlikely(view->time_ns))
		in_use |= BIT(area->timens_slot);
	return in_use;
}

/*
 * Publish one slot: none -> special PTE, and nothing after it.
 *
 * No PTE lock is taken. That is safe here, and only here, because
 *
 * 1. a PTE of an area goes only from none to a special PTE. There is no rmap,
 *    reference or RSS that would have to change with it, and page_table_check
 *    leaves special PTEs out;
 * 2. whoever removes PTEs does it with an atomic exchange (ptep_get_and_clear()
 *    and its relatives), so whichever of us comes second sees the other; and
 *    whoever looks at one first reads it in one access (ptep_get()), so that
 *    what it sees is none or the whole PTE. Where a PTE is read in two, as
 *    under PAE, this store would fit in between (vvar_init()): to
 *    zap_pte_range(), one half of it is a swap entry;
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
 * would be)
 */
static __always_inline struct vvar_tally
vvar_publish_slots(struct vm_area_struct *vma, unsigned long todo, pte_t *ptep,
		   bool lock)
{
	const struct vvar_view *view = vma->vm_private_data;
	struct vvar_tally tally = {};

	do {
		unsigned int i = __ffs(todo);

		vvar_publish(vma, vma->vm_start + (i << PAGE_SHIFT), ptep + i,
			     vvar_word(view, i), lock, &tally);
		todo &= todo - 1;
	} while (todo);
	return tally;
}

/* Out of line: the fast path needs neither its registers nor its code */
static noinline struct vvar_tally
vvar_publish_slow(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		  unsigned long todo)
{
	unsigned long slot = (addr - vma->vm_start) >> PAGE_SHIFT;
	struct vvar_tally tally = {};
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep;

	if (!vvar_locked) {
		ptep = pte_offset_kernel(pmd, addr);
		tally = vvar_publish_slots(vma, todo, ptep - slot, false);
		tally.pte = ptep_get_lockless(ptep);
		return tally;
	}

	ptep = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!ptep)
		return tally;
	tally = vvar_publish_slots(vma, todo, ptep - slot, true);
	tally.pte = ptep_get(ptep);
	pte_unmap_unlock(ptep, ptl);
	return tally;
}

static noinline void vvar_map_slow(struct vm_fault *vmf, unsigned long todo,
				   enum vvar_path path)
{
	struct vvar_tally tally;

	/* do_fault_around() and __do_fault() have seen to it */
	if (unlikely(pmd_none(pmdp_get_lockless(vmf->pmd))))
		pmd_install(vmf->vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);

	tally = vvar_publish_slow(vmf->vma, vmf->pmd, vmf->address, todo);
	trace_vvar_fault(vmf, tally.pte, path, tally.published, tally.lost,
			 VM_FAULT_NOPAGE);
}

/*
 * Called with the VMA's read lock or mmap_lock held, inside an RCU read-side
 * section: a slot's word is read and published in it, so that after
 * synchronize_rcu() no fault publishes a word that was replaced before.
 *
 * The slot that faulted is published whatever it holds, its neighbours only
 * while they are in use. If the PTE is there already, the access is tried again.
 *
 * Who faults does not matter, a kthread or somebody remote: the VMA says what
 * to show.
 */
static vm_fault_t vvar_map_pages(struct vm_fault *vmf, pgoff_t first,
				 pgoff_t last)
{
	struct vm_area_struct *vma = vmf->vma;
	const struct vvar_view *view = vma->vm_private_data;
	unsigned long todo = vvar_slots_in_use(view);
	pmd_t pmd = pmdp_get_lockless(vmf->pmd);
	pte_t *ptep;

	todo &= GENMASK(last, first);
	todo |= BIT(vmf->pgoff);

	/* All that is rare */
	if (static_branch_unlikely(&vvar_slow) || unlikely(view->time_ns) ||
	    unlikely(pmd_none(pmd))) {
		vvar_map_slow(vmf, todo, VVAR_MAP_PAGES);
		return VM_FAULT_NOPAGE;
	}

	/* It does not go away (3. above), and is not in highmem (vvar_init()) */
	ptep = pte_offset_kernel(&pmd, vmf->address);
	vvar_publish_slots(vma, todo, ptep - vmf->pgoff, false);
	return VM_FAULT_NOPAGE;
}

/* What is left when fault-around is off (fault_around_bytes=4096) */
static vm_fault_t vvar_fault(struct vm_fault *vmf)
{
	rcu_read_lock();
	vvar_map_slow(vmf, BIT(vmf->pgoff), VVAR_FAULT);
	rcu_read_unlock();
	return VM_FAULT_NOPAGE;
}

/**
 * vvar_alloc_table - the page table of an address, made if it is missing
 * @mm: the address space
 * @addr: the address
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the PMD entry that points to it; NULL without memory, and the first
 * touch has another go at it.
 */
pmd_t *vvar_alloc_table(struct mm_struct *mm, unsigned long addr)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;
	pmd_t *pmd = pud ? pmd_alloc(mm, pud, addr) : NULL;

	return pmd && !pte_alloc(mm, pmd) ? pmd : NULL;
}

/*
 * Publish the slots in use, so that nobody faults who reads the clock.
 *
 * mmap_lock is held for write. The VMA is linked into i_mmap already: a replace
 * that misses what is read here waits for the RCU section and then finds it.
 */
static void vvar_populate(struct vm_area_struct *vma)
{
	unsigned long todo = vvar_slots_in_use(vma->vm_private_data), here;

	/* Nothing may be read: mprotect(PROT_NONE) */
	if (!(vma->vm_flags & VM_READ))
		return;

	if (trace_vvar_populate_enabled())
		trace_vvar_populate(vma, hweight_long(todo));
	/* Page table by page table: one as a rule */
	for (; todo; todo &= ~here) {
		unsigned long slot = __ffs(todo);
		unsigned long addr = vma->vm_start + (slot << PAGE_SHIFT);
		unsigned long end = vvar_table_end(addr, vma->vm_end);
		pmd_t *pmd = vvar_alloc_table(vma->vm_mm, addr);

		if (!pmd)
			return;
		here = todo & (BIT((end - vma->vm_start) >> PAGE_SHIFT) - 1);
		rcu_read_lock();
		if (likely(!vvar_locked))
			vvar_publish_slots(vma, here,
					   pte_offset_kernel(pmd, addr) - slot,
					   false);
		else
			vvar_publish_slow(vma, pmd, addr, here);
		rcu_read_unlock();
	}
}

/*
 * vm_ops->fork. A child's PTEs are never copied from its parent: a replace that
 * has been to the child's i_mmap already may not have come to the parent's. They
 * are read from the slots, as at exec, or faulted in (vvar.populate=0).
 */
static int vvar_fork(struct vm_area_struct *vma)
{
	if (vvar_populate_on)
		vvar_populate(vma);
	return 0;
}

/* What @files' VMA shows to a task in @ns, with a reference */
static struct vvar_view *vvar_view_get(struct vvar_view *view,
				       struct time_namespace *ns)
{
	struct vvar_view *own;

	if (!IS_ENABLED(CONFIG_TIME_NS) || ns == &init_time_ns)
		return view;

	/* Some 40 bytes; a join has nobody to tell that it failed */
	own = kmalloc_obj(*own, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	*own = *view;
	own->time_ns = get_time_ns(ns);
	refcount_set(&own->users, 1);
	return own;
}

static void vvar_view_put(struct vvar_view *view)
{
	if (!view->time_ns || !refcount_dec_and_test(&view->users))
		return;
	put_time_ns(view->time_ns);
	kfree(view);
}

/* Behind the last PTE of the VMA: a namespace's page outlives its mappings */
static void vvar_close(struct vm_area_struct *vma)
{
	vvar_view_put(vma->vm_private_data);
}

static const char *vvar_name(struct vm_area_struct *vma)
{
	const struct vvar_view *view = vma->vm_private_data;

	return view->area->name;
}

/* A part of an area is no area: vm_pgoff is always 0 */
int vvar_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int vvar_mremap(struct vm_area_struct *vma)
{
	return WARN_ON_ONCE(current->mm != vma->vm_mm) ? -EFAULT : 0;
}

/*
 * ptrace() and /proc/PID/mem, which get_user_pages() refuses. Nobody reads device
 * registers this way, nor a page that is not mapped as the kernel's own RAM is.
 */
static int vvar_access(struct vm_area_struct *vma, unsigned long addr,
		       void *buf, int len, int write)
{
	unsigned long pfn;
	int ret = -EIO;
	u64 word;

	if (write)
		return -EACCES;

	rcu_read_lock();
	word = vvar_word(vma->vm_private_data, linear_page_index(vma, addr));
	pfn = arch_vvar_pfn(word);
	if (page_is_ram(pfn) && word == vvar_ram_word(pfn)) {
		ret = min_t(int, len, PAGE_SIZE - offset_in_page(addr));
		memcpy_from_page(buf, pfn_to_page(pfn), offset_in_page(addr),
				 ret);
	}
	rcu_read_unlock();
	return ret;
}

#define VVAR_VM_OPS				\
	.open = vvar_view_open,			\
	.mapping = vvar_view_mapping,		\
	.fault = vvar_fault,			\
	.map_pages = vvar_map_pages,		\
	.fork = vvar_fork,			\
	.access = vvar_access,			\
	.name = vvar_name,			\
	.may_split = vvar_may_split,		\
	.mremap = vvar_mremap

static const struct vm_operations_struct vvar_vm_ops = { VVAR_VM_OPS };

/* Of a view with a reference: the others cost exit nothing */
static const struct vm_operations_struct vvar_timens_vm_ops = {
	VVAR_VM_OPS,
	.close = vvar_close,
};

static const struct vm_operations_struct *vvar_ops(const struct vvar_view *view)
{
	return view->time_ns ? &vvar_timens_vm_ops : &vvar_vm_ops;
}

/**
 * vvar_area_register - make an area ready to be mapped
 * @area: the area, with its first five members set and the rest zero
 *
 * Every slot shows the tombstone afterwards.
 *
 * Context: Process context, may sleep.
 * Return: 0; -EINVAL for a number of slots or a slot index out of range, or
 * without VM_PFNMAP and VM_MIXEDMAP;
 * -EEXIST if it is registered; -ENOMEM.
 */
int vvar_area_register(struct vvar_area *area)
{
	struct vvar_files *files;
	unsigned int i;

	BUILD_BUG_ON(VVAR_MAX_SLOTS > BITS_PER_LONG);

	/* powerpc knows at boot how many PTEs a table has (3. over vvar_publish()) */
	if (!area->name || !(area->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) ||
	    !area->nr_slots || area->nr_slots > VVAR_MAX_SLOTS ||
	    area->nr_slots >= PTRS_PER_PTE ||
	    area->time_slot >= (int)area->nr_slots ||
	    area->timens_slot >= (int)area->nr_slots ||
	    (area->time_slot < 0 && area->timens_slot >= 0))
		return -EINVAL;

	guard(mutex)(&vvar_mutex);
	if (area->files)
		return -EEXIST;
	files = vvar_files_create(area);
	if (IS_ERR(files))
		return PTR_ERR(files);

	area->in_use = 0;
	for (i = 0; i < area->nr_slots; i++)
		atomic64_set(&area->slots[i], vvar_tombstone());
	area->files = files;
	return 0;
}

/*
 * A fault or fork that read the old word has published it before
 * synchronize_rcu() returns, and the walk takes it out; one that starts later
 * reads the new word.
 */
static void vvar_replace(struct vvar_area *area, unsigned int slot, u64 word,
			 unsigned long in_use)
{
	u64 old = atomic64_read(&area->slots[slot]), begin, grace;
	unsigned long zapped;

	lockdep_assert_held(&vvar_mutex);

	if (old == word)
		return;
	WRITE_ONCE(area->in_use, in_use);
	/* With the content of the page that it names */
	atomic64_set_release(&area->slots[slot], word);
	begin = ktime_get_ns();
	synchronize_rcu();
	grace = ktime_get_ns() - begin;
	zapped = vvar_files_zap(area->files, slot, old);
	/* Processes in a time namespace have the time data there */
	if (slot == area->time_slot && area->timens_slot >= 0)
		zapped += vvar_files_zap(area->files, area->timens_slot, old);
	if (trace_vvar_replace_enabled()) {
		/* Not PAGE_READONLY, which arm64 corrects at boot */
		pgprot_t prot = vm_get_page_prot(VM_READ);

		trace_vvar_replace(area->name, slot, arch_vvar_pte(old, prot),
				   arch_vvar_pte(word, prot), grace, zapped);
	}
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
 * tables, and none that may still run in its TLB; MMU notifiers were told.
 * Processes find the new page at their next touch. An IOMMU into which somebody
 * has put the pfn by follow_pfnmap_start() (VFIO does) is not reached.
 *
 * Context: Process context, may sleep (grace period, i_mmap_rwsem).
 * Return: 0, or -EINVAL if @slot is out of range, no PTE holds @pfn, or @area is
 * not registered.
 */
int vvar_area_set_slot(struct vvar_area *area, unsigned int slot,
		       unsigned long pfn, pgprot_t prot)
{
	u64 word = arch_vvar_word(pfn, prot);

	guard(mutex)(&vvar_mutex);
	if (!area->files || slot >= area->nr_slots ||
	    pte_pfn(arch_vvar_pte(word, vm_get_page_prot(VM_READ))) != pfn)
		return -EINVAL;

	vvar_replace(area, slot, word, area->in_use | BIT(slot));
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

/**
 * vvar_area_map - map an area into an address space
 * @mm: the address space: current->mm
 * @addr: where, page-aligned, with room for @area->nr_slots pages
 * @area: a registered area
 *
 * Read-only for ever (no VM_MAYWRITE), and never refcounted (special PTEs). It
 * shows what the time namespace of current has.
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vvar_area_map(struct mm_struct *mm, unsigned long addr,
				     struct vvar_area *area)
{
	struct vvar_view *view = vvar_files_view(area->files);
	struct vm_area_struct *vma;

	if (area->timens_slot >= 0)
		view = vvar_view_get(view, current->nsproxy->time_ns);
	vma = __install_special_mapping(mm, addr, area->nr_slots << PAGE_SHIFT,
					VM_READ | VM_MAYREAD | area->vm_flags,
					view, vvar_ops(view));
	if (IS_ERR(vma))
		vvar_view_put(view);
	else if (vvar_populate_on)
		vvar_populate(vma);
	return vma;
}

/**
 * vma_is_vvar_area - is this VMA a mapping of an area?
 * @vma: the VMA
 * @area: the area, or NULL for any
 *
 * Context: mmap_lock or the VMA's lock held.
 * Return: true if it is.
 */
bool vma_is_vvar_area(const struct vm_area_struct *vma,
		      const struct vvar_area *area)
{
	const struct vvar_view *view = vma->vm_private_data;

	return (vma->vm_ops == &vvar_vm_ops ||
		vma->vm_ops == &vvar_timens_vm_ops) &&
	       (!area || view->area == area);
}

/**
 * vvar_area_join_timens - show an area as a time namespace has it
 * @mm: address space of a task that joins a namespace
 * @area: the area, with a timens_slot
 * @ns: the namespace
 *
 * What a VMA shows changes with the VMA write-locked, so that nobody faults
 * meanwhile, a kthread that has borrowed @mm included. With vvar.populate=1 the
 * new view is published at once. A PTE of a namespace's page holds no reference
 * on it (CVE-2023-23586 was this): the VMA's view does.
 *
 * Context: Process context, may sleep. Takes mmap_lock for write.
 */
void vvar_area_join_timens(struct mm_struct *mm, struct vvar_area *area,
			   struct time_namespace *ns)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		struct vvar_view *old = vma->vm_private_data, *initial;

		if (!vma_is_vvar_area(vma, area))
			continue;
		vma_start_write(vma);
		/* That of the i_mmap which the VMA stays in */
		for (initial = area->files->view; initial->file != old->file;)
			initial++;
		vma->vm_private_data = vvar_view_get(initial, ns);
		vma->vm_ops = vvar_ops(vma->vm_private_data);
		zap_vma(vma);
		if (vvar_populate_on)
			vvar_populate(vma);
		vvar_view_put(old);
	}
	mmap_write_unlock(mm);
}

static int __init vvar_init(void)
{
	/* What is wider than a word is read in two halves: 2. over vvar_publish() */
	vvar_locked |= IS_ENABLED(CONFIG_HIGHPTE) ||
		       sizeof(pte_t) > sizeof(long) || !arch_vvar_lockless();
	if (vvar_locked)
		static_branch_inc(&vvar_slow);
	return 0;
}
core_initcall(vvar_init);
