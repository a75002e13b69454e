; SPDX-License-Identifier: MIT
;
; The loader's ELF file and the root kernel's, stripped and packed by tools/pack.c, as packed.h describes them. Data only, without
; pointers, as nobody relocates the application.

section .rodata

global packed_files:data hidden
align 8
packed_files:
	incbin "testudo.packed"

; Firmware wants a table of relocations, be it empty (Microsoft PE format, "The .reloc Section"): a block of a page with two entries
; that say nothing.
section .reloc alloc noexec nowrite progbits align=4
	dd 0, 12, 0

section .note.GNU-stack noalloc noexec nowrite progbits
