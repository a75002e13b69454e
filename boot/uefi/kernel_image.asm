; SPDX-License-Identifier: MIT
;
; The root kernel's ELF file, stripped, inside the loader. Data only.

section .rodata
global kernel_image:data hidden
global kernel_image_size:data hidden
align 16
kernel_image:
	incbin "testudo.elf"
kernel_image_end:

align 8
kernel_image_size:
	dq kernel_image_end - kernel_image

section .note.GNU-stack noalloc noexec nowrite progbits
