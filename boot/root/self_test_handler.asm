; SPDX-License-Identifier: MIT
;
; What L1 runs on an NMI in the self test of NMIs: one line to COM1, and back. L0 copies it to a page
; that L1 sees (self_test_nmi.c), so it must not refer to anything outside of itself.

default rel
bits 64

global self_test_handler:data hidden
global self_test_handler_end:data hidden

COM1 equ 0x3f8
LINE_STATUS equ COM1 + 5
HOLDING_EMPTY equ 0x20

section .rodata

self_test_handler:
	push rax
	push rcx
	push rdx
	push rsi
	lea rsi, [text]
	mov ecx, text_end - text
.next:
	mov edx, LINE_STATUS
.wait:
	in al, dx
	test al, HOLDING_EMPTY
	jz .wait
	mov edx, COM1
	mov al, [rsi]
	inc rsi
	out dx, al
	dec ecx
	jnz .next
	pop rsi
	pop rdx
	pop rcx
	pop rax
	iretq

text:
	db "L1 took an NMI", 13, 10
text_end:
self_test_handler_end:

section .note.GNU-stack noalloc noexec nowrite progbits
