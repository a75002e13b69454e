; SPDX-License-Identifier: MIT
; L2 under bombardment.

bits 64
default rel
section .text

global l2_storm:data hidden

; Exits of several kinds with instructions between them that do not exit.
; R8: if not 0, the xAPIC's command register, which gets R10 in each round.
; R9: if not 0, the x2APIC's gets R10 for the identifier in R12.
; R11 counts what was sent, RSI is a page that is not always mapped.
l2_storm:
	mov eax, 1
	cpuid
	test r8, r8
	jz .no_xapic
	inc r11
	mov [r8], r10d
	times 4 nop
.no_xapic:
	test r9, r9
	jz .no_x2apic
	inc r11
	mov ecx, 0x830
	mov eax, r10d
	mov edx, r12d
	wrmsr
	times 4 nop
.no_x2apic:
	push rbx
	inc qword [rsi]
	pop rbx
	times 8 nop
	hlt
	inc rbp
	vmcall
	jmp l2_storm

section .note.GNU-stack noalloc noexec nowrite progbits
