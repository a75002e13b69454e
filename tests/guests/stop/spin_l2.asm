; SPDX-License-Identifier: MIT
;
; An L2 that exits for nothing of its own.

bits 64
default rel
section .text

global l2_spin:data hidden

l2_spin:
	pause
	jmp l2_spin

section .note.GNU-stack noalloc noexec nowrite progbits
