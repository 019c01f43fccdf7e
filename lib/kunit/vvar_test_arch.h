/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit suites of vvar areas have to know of each architecture. */
#ifndef _VVAR_TEST_ARCH_H
#define _VVAR_TEST_ARCH_H

#include <linux/error-injection.h>
#include <linux/pgtable.h>
#include <linux/ptrace.h>

/*
 * vvt_sys() and vvt_regs(): a system call's function and its registers, where it
 * takes them so. VVT_PTE_ALLOC: what is called for each page table, out of line.
 */
#if defined(CONFIG_X86)

#ifdef CONFIG_X86_64
#define vvt_sys(name)			__x64_sys_##name
#define vvt_regs(a, b, c, d, e)		\
	{ .di = a, .si = b, .dx = c, .r10 = d, .r8 = e }
#else
#define vvt_sys(name)			__ia32_sys_##name
#define vvt_regs(a, b, c, d, e)		\
	{ .bx = a, .cx = b, .dx = c, .si = d, .di = e }
#endif
#define VVT_PTE_ALLOC			"pte_alloc_one"

/*
 * Executable, where a mapping can be anything else: the CPU and the page tables
 * must have NX, and 6.12's vm_get_page_prot() loses it under PAE, for any mapping.
 */
static inline bool vvt_executable(pte_t pte)
{
	return (pgprot_val(vm_get_page_prot(VM_READ)) & _PAGE_NX) && pte_exec(pte);
}

#define vvt_executable vvt_executable

/* Back to the caller, whose address is what the stack ends with */
static inline void vvt_return(struct pt_regs *regs)
{
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += sizeof(long);
}

#define vvt_return vvt_return

#elif defined(CONFIG_ARM64)

#define vvt_sys(name)			__arm64_sys_##name
#define vvt_regs(a, b, c, d, e)		\
	{ .orig_x0 = a, .regs = { [1] = b, c, d, e } }
#define vvt_executable(pte)		pte_user_exec(pte)

#elif defined(CONFIG_RISCV)

#define vvt_sys(name)			__riscv_sys_##name
#define vvt_regs(a, b, c, d, e)		\
	{ .orig_a0 = a, .a1 = b, .a2 = c, .a3 = d, .a4 = e }
#define vvt_executable(pte)		pte_exec(pte)

#elif defined(CONFIG_S390)

#define vvt_sys(name)			__s390x_sys_##name
#define vvt_regs(a, b, c, d, e)		\
	{ .orig_gpr2 = a, .gprs = { [3] = b, c, d, e } }
#define VVT_PTE_ALLOC			"page_table_alloc_noprof"
#define VVT_PTE_NONE			__pte(_PAGE_INVALID)

#elif defined(CONFIG_PPC)

#ifdef CONFIG_ARCH_HAS_SYSCALL_WRAPPER
#define vvt_sys(name)			sys_##name
#define vvt_regs(a, b, c, d, e)		{ .gpr = { [3] = a, b, c, d, e } }
#endif
#define vvt_executable(pte)		pte_exec(pte)
#define VVT_PTE_ALLOC			"pte_fragment_alloc"

#endif

#ifndef vvt_executable
/* Nothing says so but the protection, which is compared as a whole */
#define vvt_executable vvt_executable
static inline bool vvt_executable(pte_t pte)
{
	return false;
}
#endif

#ifndef VVT_PTE_ALLOC
#define VVT_PTE_ALLOC			"__alloc_frozen_pages_noprof"
#endif

#ifndef VVT_PTE_NONE
#define VVT_PTE_NONE			__pte(0)
#endif

#if !defined(vvt_return) && defined(CONFIG_FUNCTION_ERROR_INJECTION)
#define vvt_return(regs)		override_function_with_return(regs)
#endif

/* System calls themselves, in the address space that this thread has borrowed */
#ifdef vvt_regs
#define user_call(name, ...)		\
	vvt_sys(name)(&(struct pt_regs)vvt_regs(__VA_ARGS__))
long vvt_sys(mremap)(const struct pt_regs *regs);
long vvt_sys(mprotect)(const struct pt_regs *regs);
long vvt_sys(madvise)(const struct pt_regs *regs);
#else
#include <linux/syscalls.h>
#define user_call(name, ...)		user_##name(__VA_ARGS__)
#define user_mremap(a, b, c, d, e)	sys_mremap(a, b, c, d, e)

static inline long user_mprotect(unsigned long start, size_t len, unsigned long prot,
				 long unused, long too)
{
	return sys_mprotect(start, len, prot);
}

static inline long user_madvise(unsigned long start, size_t len, int behavior,
				long unused, long too)
{
	return sys_madvise(start, len, behavior);
}
#endif

#endif
