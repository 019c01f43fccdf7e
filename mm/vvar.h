/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mm/vvar_fault.c, mm/vvar_file.c and mm/vdso_text.c share.
 */
#ifndef _MM_VVAR_H
#define _MM_VVAR_H

#include <linux/mm.h>
#include <linux/refcount.h>

/**
 * struct vvar_view - what a VMA shows, and in whose i_mmap it is
 * @area:	the area
 * @files:	the area's
 * @file:	the one of them whose i_mmap the VMA is linked into
 * @time_ns:	the time namespace whose page is in the place of the time data,
 *		with a reference; NULL for the initial one
 * @users:	VMAs that show this view, if it is a namespace's; those of the
 *		initial one belong to @files and are not counted
 *
 * The vm_private_data of each VMA of an area. It changes with the VMA
 * write-locked (vma_start_write()), so a fault may follow it.
 */
struct vvar_view {
	struct vvar_area *area;
	struct vvar_files *files;
	struct file *file;
	struct time_namespace *time_ns;
	refcount_t users;
};

/**
 * struct vvar_files - the files of an area
 * @nr:		their number, a power of two
 * @view:	for each, what a VMA in its i_mmap shows
 */
struct vvar_files {
	unsigned int nr;
	struct vvar_view view[] __counted_by(nr);
};

struct file *vvar_file_create(const char *name);
struct vvar_files *vvar_files_create(struct vvar_area *area);
void vvar_files_free(struct vvar_files *files);
struct vvar_view *vvar_files_view(struct vvar_files *files);
struct address_space *vvar_view_mapping(const struct vm_area_struct *vma);
void vvar_view_open(struct vm_area_struct *vma);
unsigned long vvar_files_zap(struct vvar_files *files, pgoff_t pgoff, u64 word);

struct kernfs_node;
struct vdso_text;
void vdso_text_copy(const struct vdso_text *text, void *buf, size_t off,
		    size_t len);
void vdso_text_unregister(struct vdso_text *text);
void vdso_uprobes_register(struct vdso_text *text, struct kernfs_node *node);
void vdso_uprobes_unregister(struct vdso_text *text);

extern bool vvar_populate_on;
extern bool vvar_locked;
int vvar_may_split(struct vm_area_struct *vma, unsigned long addr);
pmd_t *vvar_alloc_table(struct mm_struct *mm, unsigned long addr);

/* pmd_addr_end() where there is a PMD; two-level page tables fold it away */
static inline unsigned long vvar_table_end(unsigned long addr,
					   unsigned long end)
{
	unsigned long next = (addr & PMD_MASK) + PMD_SIZE;

	return next - 1 < end - 1 ? next : end;
}

#endif /* _MM_VVAR_H */
