; SPDX-License-Identifier: MIT
;
; The root kernel's ELF file and the loader's, stripped and packed by tools/pack.c, as packed.h describes them. Data only.

%macro packed 2
section .rodata
%%bytes:
	incbin %2, 8
%%end:

section .data
global %1:data hidden
align 8
%1:
	incbin %2, 0, 8
	dq %%end - %%bytes, %%bytes
%endmacro

packed kernel_packed, "testudo.packed"
packed loader_packed, "loader.packed"

section .note.GNU-stack noalloc noexec nowrite progbits
