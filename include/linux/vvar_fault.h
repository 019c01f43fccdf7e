/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_VVAR_FAULT_H
#define _LINUX_VVAR_FAULT_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/mm_types.h>

/*
 * The fault path computes the whole range of an area inside one page table,
 * and relies on no VMA of an area spanning one: far below PTRS_PER_PTE.
 */
#define VVAR_MAX_SLOTS	16

struct vvar_files;

/**
 * struct vvar_area - what one VMA of clock data shows: a row of slots
 * @name:	name in /proc/PID/maps
 * @nr_slots:	number of slots, one page each, 1..VVAR_MAX_SLOTS
 * @time_slot:	slot of the system-wide time data
 * @timens_slot: slot that changes places with @time_slot for a task in a time
 *		namespace, or -1
 * @in_use:	bit per slot: it shows a page and may be mapped by fault-around.
 *		A hint for the fault path; the slot's word decides.
 * @slots:	one word per slot: every PTE bit that the slot determines (pfn,
 *		cache type, encryption, special). The VMA's vm_page_prot
 *		supplies the rest.
 * @files:	the files behind the area's VMAs, through which a replace finds
 *		them
 *
 * The first four are set by the owner before vvar_area_register().
 */
struct vvar_area {
	const char *name;
	unsigned int nr_slots;
	int time_slot;
	int timens_slot;
	/* private: */
	unsigned long in_use;
	atomic64_t slots[VVAR_MAX_SLOTS];
	struct vvar_files *files;
};

/**
 * struct vdso_text - a vDSO image
 * @name:	name in /proc/PID/maps
 * @pages:	its pages, which stay for as long as the kernel runs
 * @nr_pages:	how many
 * @mremap:	called when current has moved the mapping to @vma
 * @files:	private: the files behind its VMAs
 */
struct vdso_text {
	const char *name;
	struct page **pages;
	unsigned long nr_pages;
	int (*mremap)(struct vm_area_struct *vma);
	struct vvar_files *files;
};

int vvar_area_register(struct vvar_area *area);
int vvar_area_unregister(struct vvar_area *area);
int vvar_area_set_slot(struct vvar_area *area, unsigned int slot,
		       unsigned long pfn, pgprot_t prot);
int vvar_area_clear_slot(struct vvar_area *area, unsigned int slot);
struct vm_area_struct *vvar_area_map(struct mm_struct *mm, unsigned long addr,
				     struct vvar_area *area);
void vvar_area_join_timens(struct mm_struct *mm, struct vvar_area *area,
			   struct page *timens);

#ifdef CONFIG_VVAR_AREA
bool vma_is_vvar_area(const struct vm_area_struct *vma,
		      const struct vvar_area *area);
bool vvar_area_fork(struct vm_area_struct *vma);
#else
static inline bool vma_is_vvar_area(const struct vm_area_struct *vma,
				    const struct vvar_area *area)
{
	return false;
}

static inline bool vvar_area_fork(struct vm_area_struct *vma)
{
	return false;
}
#endif

int vdso_text_register(struct vdso_text *text);
struct vm_area_struct *vdso_text_map(struct mm_struct *mm, unsigned long addr,
				     const struct vdso_text *text);
bool vma_is_vdso_text(const struct vm_area_struct *vma);

extern const struct file_operations vvar_file_operations;

/**
 * vma_user_file - the file that user space knows to be behind a VMA
 * @vma: the VMA
 *
 * To user space an area and a vDSO image are mappings without a file. Whoever
 * shows a VMA's file, hands it out, or asks its page cache, asks here.
 *
 * Context: mmap_lock or the VMA's lock held.
 * Return: vm_file, or NULL for a VMA without one and for those of this header.
 */
static inline struct file *vma_user_file(const struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	if (IS_ENABLED(CONFIG_VVAR_AREA) && file &&
	    file->f_op == &vvar_file_operations)
		return NULL;
	return file;
}

#if IS_ENABLED(CONFIG_KUNIT)
extern bool vvar_populate_on;
#endif

/* mm/vvar_file.c, for mm/vvar_fault.c */
struct vvar_files *vvar_files_create(const char *name);
void vvar_files_free(struct vvar_files *files);
struct file *vvar_files_get(struct vvar_files *files);
bool vvar_files_mapped(struct vvar_files *files);
void vvar_files_zap(struct vvar_files *files, pgoff_t pgoff);
unsigned long vvar_files_count(struct vvar_files *files, pgoff_t pgoff);

#endif /* _LINUX_VVAR_FAULT_H */
