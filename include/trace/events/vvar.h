/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vvar

#if !defined(_TRACE_VVAR_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VVAR_H

#include <linux/mm.h>
#include <linux/tracepoint.h>
#include <asm/vvar_fault.h>

#ifndef _TRACE_VVAR_DECLARED
#define _TRACE_VVAR_DECLARED

/* What the core asked for: the pages around a fault, or one page */
enum vvar_path { VVAR_MAP_PAGES, VVAR_FAULT };

/* In mm/vvar_fault.c: a fault has one static branch, not two */
int vvar_trace_reg(void);
void vvar_trace_unreg(void);

#endif

TRACE_DEFINE_ENUM(VVAR_MAP_PAGES);
TRACE_DEFINE_ENUM(VVAR_FAULT);

/* VM_FAULT_RESULT_TRACE */
TRACE_DEFINE_ENUM(VM_FAULT_OOM);
TRACE_DEFINE_ENUM(VM_FAULT_SIGBUS);
TRACE_DEFINE_ENUM(VM_FAULT_MAJOR);
TRACE_DEFINE_ENUM(VM_FAULT_HWPOISON);
TRACE_DEFINE_ENUM(VM_FAULT_HWPOISON_LARGE);
TRACE_DEFINE_ENUM(VM_FAULT_SIGSEGV);
TRACE_DEFINE_ENUM(VM_FAULT_NOPAGE);
TRACE_DEFINE_ENUM(VM_FAULT_LOCKED);
TRACE_DEFINE_ENUM(VM_FAULT_RETRY);
TRACE_DEFINE_ENUM(VM_FAULT_FALLBACK);
TRACE_DEFINE_ENUM(VM_FAULT_DONE_COW);
TRACE_DEFINE_ENUM(VM_FAULT_NEEDDSYNC);
TRACE_DEFINE_ENUM(VM_FAULT_COMPLETED);

#ifdef CONFIG_X86
TRACE_DEFINE_ENUM(_PAGE_CACHE_MODE_WB);
TRACE_DEFINE_ENUM(_PAGE_CACHE_MODE_WC);
TRACE_DEFINE_ENUM(_PAGE_CACHE_MODE_UC_MINUS);
TRACE_DEFINE_ENUM(_PAGE_CACHE_MODE_UC);
TRACE_DEFINE_ENUM(_PAGE_CACHE_MODE_WT);
TRACE_DEFINE_ENUM(_PAGE_CACHE_MODE_WP);
#endif

#define show_vvar_path(path)				\
	__print_symbolic(path,				\
		{ VVAR_MAP_PAGES, "map_pages" },	\
		{ VVAR_FAULT, "fault" })

/*
 * A first touch of an area or of vDSO text. @pte is what the page table holds
 * then, whoever put it there; in the ->fault of text, which publishes nothing,
 * what the core is about to put there.
 */
TRACE_EVENT_FN(vvar_fault,

	TP_PROTO(const struct vm_fault *vmf, pte_t pte, enum vvar_path path,
		 unsigned int published, unsigned int lost, vm_fault_t result),

	TP_ARGS(vmf, pte, path, published, lost, result),

	TP_STRUCT__entry(
		__string(area, vmf->vma->vm_ops->name(vmf->vma))
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned long, pfn)
		__field(unsigned int, cache)
		__field(unsigned int, path)
		__field(unsigned int, published)
		__field(unsigned int, lost)
		__field(unsigned int, result)
		__field(bool, vma_lock)
	),

	TP_fast_assign(
		__assign_str(area);
		__entry->address = vmf->real_address;
		__entry->pgoff = vmf->pgoff;
		__entry->pfn = pte_pfn(pte);
		__entry->cache = arch_vvar_cache(pte);
		__entry->path = path;
		__entry->published = published;
		__entry->lost = lost;
		__entry->result = (__force unsigned int)result;
		__entry->vma_lock = vmf->flags & FAULT_FLAG_VMA_LOCK;
	),

	TP_printk("area=%s pgoff=%lu address=0x%lx pfn=0x%lx cache=%s path=%s published=%u lost=%u result=%s lock=%s",
		__get_str(area), __entry->pgoff, __entry->address,
		__entry->pfn,
		arch_vvar_show_cache(__entry->cache),
		show_vvar_path(__entry->path),
		__entry->published, __entry->lost,
		__entry->result ? __print_flags(__entry->result, "|",
						VM_FAULT_RESULT_TRACE) : "0",
		__entry->vma_lock ? "vma" : "mmap"),

	vvar_trace_reg, vvar_trace_unreg
);

/*
 * A slot got a new content: @grace_ns is the time spent waiting for faults that
 * had read the old one, @mappings how many VMAs were zapped after it.
 */
TRACE_EVENT(vvar_replace,

	TP_PROTO(const char *area, unsigned int pgoff, pte_t old, pte_t new,
		 u64 grace_ns, unsigned long mappings),

	TP_ARGS(area, pgoff, old, new, grace_ns, mappings),

	TP_STRUCT__entry(
		__string(area, area)
		__field(unsigned int, pgoff)
		__field(unsigned long, old_pfn)
		__field(unsigned long, new_pfn)
		__field(unsigned int, old_cache)
		__field(unsigned int, new_cache)
		__field(u64, grace_ns)
		__field(unsigned long, mappings)
	),

	TP_fast_assign(
		__assign_str(area);
		__entry->pgoff = pgoff;
		__entry->old_pfn = pte_pfn(old);
		__entry->new_pfn = pte_pfn(new);
		__entry->old_cache = arch_vvar_cache(old);
		__entry->new_cache = arch_vvar_cache(new);
		__entry->grace_ns = grace_ns;
		__entry->mappings = mappings;
	),

	TP_printk("area=%s pgoff=%u old_pfn=0x%lx old_cache=%s new_pfn=0x%lx new_cache=%s grace_ns=%llu mappings=%lu",
		__get_str(area), __entry->pgoff, __entry->old_pfn,
		arch_vvar_show_cache(__entry->old_cache),
		__entry->new_pfn,
		arch_vvar_show_cache(__entry->new_cache),
		__entry->grace_ns, __entry->mappings)
);

/* A whole mapping was published at once, so that no touch of it faults */
TRACE_EVENT(vvar_populate,

	TP_PROTO(struct vm_area_struct *vma, unsigned int published),

	TP_ARGS(vma, published),

	TP_STRUCT__entry(
		__string(area, vma->vm_ops->name(vma))
		__field(unsigned long, address)
		__field(unsigned int, published)
	),

	TP_fast_assign(
		__assign_str(area);
		__entry->address = vma->vm_start;
		__entry->published = published;
	),

	TP_printk("area=%s address=0x%lx published=%u", __get_str(area),
		__entry->address, __entry->published)
);

#endif /* _TRACE_VVAR_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
