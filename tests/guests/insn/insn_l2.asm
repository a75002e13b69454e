; SPDX-License-Identifier: MIT
; The L2 of the entry tests: it only says that it ran.

bits 64
section .text

global l2_done:data hidden

l2_done:
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
