; SPDX-License-Identifier: MIT
;
; The root kernel's ELF file and the loader's, stripped and packed by tools/pack.c, as packed.h describes them. Data only, without pointers:
; relocations would take a section of the application.

section .rodata

%macro packed 2
global %1:data hidden
align 8
%1:
	incbin %2, 0, 16
	dq %%end - %%bytes
%%bytes:
	incbin %2, 16
%%end:
%endmacro

packed kernel_packed, "testudo.packed"
packed loader_packed, "loader.packed"

section .note.GNU-stack noalloc noexec nowrite progbits
