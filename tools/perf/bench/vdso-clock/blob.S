/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The helper programs of perf bench vdso-clock, carried in perf itself: they
 * run from a memfd wherever perf was copied to. A helper that could not be
 * built is empty.
 */
	.section .rodata, "a"

	.globl	vc_helper_static
	.balign	16
vc_helper_static:
	.incbin	VC_HELPER_STATIC
	.globl	vc_helper_static_end
vc_helper_static_end:
	.byte	0

	.globl	vc_helper_32
	.balign	16
vc_helper_32:
	.incbin	VC_HELPER_32
	.globl	vc_helper_32_end
vc_helper_32_end:
	.byte	0

	.section .note.GNU-stack, "", %progbits
