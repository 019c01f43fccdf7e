// SPDX-License-Identifier: GPL-2.0
/*
 * The files behind VMAs of vvar areas, and behind vDSO images.
 *
 * They exist for their i_mmap: it finds every VMA that shows a page, so that
 * the page can be taken back. There is no page cache behind them - the VMAs
 * have their own fault handlers - and no way to one from user space: the file
 * system is not registered, and a VMA has no vm_file. It is linked into the
 * i_mmap that its vm_ops->mapping names (vma_mapping()). Clock data and each
 * image have inodes of their own.
 *
 * All processes share them, and exec, fork and exit each take i_mmap_rwsem for
 * write. So those of areas come in shards, of which exec and fork choose one by CPU.
 */
#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vvar_fault.h>

#include <asm/tlbflush.h>
#include <asm/vvar_fault.h>

#include "internal.h"
#include "vvar.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vvar."

#define VVARFS_MAGIC		0x72617676	/* "vvar" */
#define VVAR_MAX_SHARDS		64

static struct vfsmount *vvar_mnt __ro_after_init;

static unsigned int shards __ro_after_init;
module_param(shards, uint, 0444);
MODULE_PARM_DESC(shards, "files for each area, 1..64 (default: one per CPU)");

static const struct file_operations vvar_file_operations = {
	.llseek = noop_llseek,
};

/**
 * vvar_file_create - make a file
 * @name: for debugging
 *
 * Context: Process context, may sleep.
 * Return: the file, or an ERR_PTR.
 */
struct file *vvar_file_create(const char *name)
{
	struct inode *inode = alloc_anon_inode(vvar_mnt->mnt_sb);
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);

	/* Not to be read, and no regular file: THP looks into those */
	inode->i_mode = 0;
	inode->i_mapping->a_ops = &empty_aops;

	file = alloc_file_pseudo(inode, vvar_mnt, name, O_RDONLY,
				 &vvar_file_operations);
	if (IS_ERR(file))
		iput(inode);
	return file;
}

/**
 * vvar_files_create - make the files of one area
 * @area: the area
 *
 * Context: Process context, may sleep.
 * Return: the files, or an ERR_PTR.
 */
struct vvar_files *vvar_files_create(struct vvar_area *area)
{
	struct vvar_files *files;
	unsigned int i;

	files = kzalloc(struct_size(files, view, shards), GFP_KERNEL);
	if (!files)
		return ERR_PTR(-ENOMEM);
	files->nr = shards;

	for (i = 0; i < files->nr; i++) {
		struct file *file = vvar_file_create(area->name);

		if (IS_ERR(file)) {
			vvar_files_free(files);
			return ERR_CAST(file);
		}
		files->view[i].area = area;
		files->view[i].files = files;
		files->view[i].file = file;
	}
	return files;
}

/* Of files that no VMA is linked to */
void vvar_files_free(struct vvar_files *files)
{
	unsigned int i;

	for (i = 0; i < files->nr; i++) {
		if (files->view[i].file)
			fput(files->view[i].file);
	}
	kfree(files);
}

/**
 * vvar_files_view - the view of the initial time namespace, for a new VMA
 * @files: the files
 *
 * Any would do; this CPU's keeps execs and forks of different CPUs off each
 * other's i_mmap_rwsem.
 *
 * Context: Any.
 * Return: the view.
 */
struct vvar_view *vvar_files_view(struct vvar_files *files)
{
	return &files->view[raw_smp_processor_id() & (files->nr - 1)];
}

/* vm_ops->mapping, see vma_mapping() */
struct address_space *vvar_view_mapping(const struct vm_area_struct *vma)
{
	return ((struct vvar_view *)vma->vm_private_data)->file->f_mapping;
}

/**
 * vvar_view_open - vm_ops->open
 * @vma: a copy of a VMA, not in any i_mmap yet
 *
 * A forked child's VMA goes to this CPU's file: children of one server would
 * fight over their parent's. What mremap() moves stays in the same i_mmap,
 * behind the VMA that it is moved from: a walk that comes too late for a PTE in
 * the one finds it in the other.
 *
 * Context: mmap_lock of the VMA held for write.
 */
void vvar_view_open(struct vm_area_struct *vma)
{
	struct vvar_view *view = vma->vm_private_data;

	if (view->time_ns)
		refcount_inc(&view->users);
	else if (vma->vm_mm != current->mm)
		vma->vm_private_data = vvar_files_view(view->files);
}

/*
 * Does @vma have a PTE at @addr that shows @word, or a TLB entry that munmap() has
 * not come to yet? Under the PTE lock, in which mremap() moves a PTE from a VMA to
 * one further on: else it could be seen in neither.
 */
static bool vvar_shows(struct vm_area_struct *vma, unsigned long addr, u64 word)
{
	struct mm_struct *mm = vma->vm_mm;
	pmd_t *pmd = mm_find_pmd(mm, addr);
	spinlock_t *ptl;	/* the page table's */
	pte_t *ptep, pte;
	bool shows;

	ptep = pmd ? pte_offset_map_lock(mm, pmd, addr, &ptl) : NULL;
	if (!ptep)
		return false;
	pte = ptep_get(ptep);
	shows = pte_none(pte) ? mm_tlb_flush_pending(mm) :
				arch_vvar_shows(pte, word);
	pte_unmap_unlock(ptep, ptl);
	return shows;
}

/* How long a fork, exec or exit may have to wait for i_mmap_rwsem: so many VMAs */
#define VVAR_ZAP_BATCH	32

static unsigned long vvar_take_back(struct address_space *mapping,
				    pgoff_t pgoff, u64 word)
{
	/* All of them begin at page 0, as this one does */
	struct vm_area_struct here = { .vm_end = PAGE_SIZE }, *vma, *next;
	unsigned long zapped = 0;
	unsigned int n = 0;

	i_mmap_lock_write(mapping);
	vma = mapping_rmap_tree_iter_first(mapping, pgoff, pgoff);
	for (; vma; vma = next) {
		unsigned long addr = vma->vm_start + (pgoff << PAGE_SHIFT);

		if (vvar_shows(vma, addr, word)) {
			zap_vma_range(vma, addr, PAGE_SIZE);
			zapped++;
		}
		next = mapping_rmap_tree_iter_next(vma, pgoff, pgoff);
		if (!next || ++n % VVAR_ZAP_BATCH)
			continue;
		mapping_rmap_tree_insert_after(&here, vma, mapping);
		i_mmap_unlock_write(mapping);
		cond_resched();
		i_mmap_lock_write(mapping);
		next = mapping_rmap_tree_iter_next(&here, pgoff, pgoff);
		mapping_rmap_tree_remove(&here, mapping);
	}
	i_mmap_unlock_write(mapping);
	return zapped;
}

/**
 * vvar_files_zap - take what a page of the files has shown out of every process
 * @files: the files
 * @pgoff: the page
 * @word: what it has shown
 *
 * After each batch of VMAs the i_mmap_rwsem is given up, and a place holder keeps
 * our place among them. A VMA that comes meanwhile comes with the new word, or
 * behind the one that its PTEs are moved from.
 *
 * An exiting process leaves the i_mmap when its PTEs are gone (free_pgtables());
 * one that munmap()s, when its TLB entries are, too (tlb_end_vma()).
 *
 * Context: Process context, may sleep. Only one for the same files at a time.
 * Return: the number of VMAs that have shown it.
 */
unsigned long vvar_files_zap(struct vvar_files *files, pgoff_t pgoff, u64 word)
{
	unsigned long zapped = 0;
	unsigned int i;

	for (i = 0; i < files->nr; i++)
		zapped += vvar_take_back(files->view[i].file->f_mapping, pgoff,
					 word);
	return zapped;
}

static int vvarfs_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, VVARFS_MAGIC) ? 0 : -ENOMEM;
}

/* Never registered: cannot be mounted by name */
static struct file_system_type vvarfs_type = {
	.name = "vvarfs",
	.init_fs_context = vvarfs_init_fs_context,
	.kill_sb = kill_anon_super,
};

static int __init vvarfs_init(void)
{
	if (!shards)
		shards = num_possible_cpus();
	shards = roundup_pow_of_two(min(shards, VVAR_MAX_SHARDS));

	vvar_mnt = kern_mount(&vvarfs_type);
	if (IS_ERR(vvar_mnt))
		panic("vvarfs: %pe\n", vvar_mnt);
	return 0;
}
core_initcall(vvarfs_init);
