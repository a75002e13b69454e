; SPDX-License-Identifier: MIT
;
; The root kernel's ELF file, stripped and packed by tools/pack.c, inside the loader: its length, and the packed bytes. Data only.

section .rodata
global kernel_packed:data hidden
global kernel_packed_size:data hidden
global kernel_size:data hidden
align 8
kernel_size:
	incbin "testudo.packed", 0, 8
kernel_packed:
	incbin "testudo.packed", 8
kernel_packed_end:

align 8
kernel_packed_size:
	dq kernel_packed_end - kernel_packed

section .note.GNU-stack noalloc noexec nowrite progbits
