// SPDX-License-Identifier: GPL-2.0
/*
 * The files behind VMAs of vvar areas and vDSO images.
 *
 * They exist for their i_mmap: it finds every VMA that shows a page, so that
 * the page can be taken back. There is no page cache behind them - the VMAs
 * have their own fault handlers - and no way to one from user space: the file
 * system is not registered, and vma_user_file() hides the files from everything
 * that would show them or hand them out. Clock data and each image have inodes
 * of their own.
 *
 * All processes share them, and exec, fork and exit each take i_mmap_rwsem for
 * write. So each comes in shards, of which exec chooses one by CPU.
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
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vvar_fault.h>

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vvar."

#define VVARFS_MAGIC		0x72617676	/* "vvar" */
#define VVAR_MAX_SHARDS		64

struct vvar_files {
	unsigned int mask;
	struct file *file[];
};

static struct vfsmount *vvar_mnt __ro_after_init;

static unsigned int shards __ro_after_init;
module_param(shards, uint, 0444);
MODULE_PARM_DESC(shards, "files for each area and image, 1..64 (default: one per CPU)");

/* What tells our files from any other: see vma_user_file() */
const struct file_operations vvar_file_operations = {
	.llseek = noop_llseek,
};

static struct file *vvar_file_create(const char *name)
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
 * vvar_files_create - make the files of one area or image
 * @name: for debugging
 *
 * Context: Process context, may sleep.
 * Return: the files, or an ERR_PTR.
 */
struct vvar_files *vvar_files_create(const char *name)
{
	unsigned int i, nr = shards;
	struct vvar_files *files;

	files = kzalloc(struct_size(files, file, nr), GFP_KERNEL);
	if (!files)
		return ERR_PTR(-ENOMEM);
	files->mask = nr - 1;

	for (i = 0; i < nr; i++) {
		struct file *file = vvar_file_create(name);

		if (IS_ERR(file)) {
			vvar_files_free(files);
			return ERR_CAST(file);
		}
		files->file[i] = file;
	}
	return files;
}

/**
 * vvar_files_free - the opposite of vvar_files_create()
 * @files: files that nobody has mapped
 *
 * Context: Process context, may sleep.
 */
void vvar_files_free(struct vvar_files *files)
{
	unsigned int i;

	for (i = 0; i <= files->mask; i++) {
		if (files->file[i])
			fput(files->file[i]);
	}
	kfree(files);
}

/**
 * vvar_files_get - a file for a new VMA
 * @files: the files
 *
 * Any would do; this CPU's keeps execs of different CPUs off each other's
 * i_mmap_rwsem.
 *
 * Context: Any.
 * Return: one of them, with a reference.
 */
struct file *vvar_files_get(struct vvar_files *files)
{
	return get_file(files->file[raw_smp_processor_id() & files->mask]);
}

/**
 * vvar_files_mapped - is there a VMA of one of these files?
 * @files: the files
 *
 * Context: Any. The answer may be out of date, unless no new VMAs can appear.
 */
bool vvar_files_mapped(struct vvar_files *files)
{
	unsigned int i;

	for (i = 0; i <= files->mask; i++) {
		if (mapping_mapped(files->file[i]->f_mapping))
			return true;
	}
	return false;
}

/**
 * vvar_files_zap - take the PTEs of a page out of every process
 * @files: the files
 * @pgoff: offset of the page in pages
 *
 * fork links the child's VMA into i_mmap behind the parent's before it publishes
 * or copies PTEs (dup_mmap()), so that what it did in front of this walk is found
 * by it.
 *
 * Context: Process context, may sleep. Takes i_mmap_rwsem for read.
 */
void vvar_files_zap(struct vvar_files *files, pgoff_t pgoff)
{
	unsigned int i;

	for (i = 0; i <= files->mask; i++)
		unmap_mapping_range(files->file[i]->f_mapping,
				    (loff_t)pgoff << PAGE_SHIFT, PAGE_SIZE, 1);
}

/**
 * vvar_files_count - how many VMAs show a page?
 * @files: the files
 * @pgoff: offset of the page in pages
 *
 * Context: Process context, may sleep. Takes i_mmap_rwsem for read.
 * Return: their number, for tracing: it may be out of date.
 */
unsigned long vvar_files_count(struct vvar_files *files, pgoff_t pgoff)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i <= files->mask; i++) {
		struct address_space *mapping = files->file[i]->f_mapping;
		struct vm_area_struct *vma;

		i_mmap_lock_read(mapping);
		vma_interval_tree_foreach(vma, &mapping->i_mmap, pgoff, pgoff)
			nr++;
		i_mmap_unlock_read(mapping);
	}
	return nr;
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
