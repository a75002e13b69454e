; SPDX-License-Identifier: MIT
; L2's side of the benchmarks.

bits 64
default rel
section .text

; One instruction that exits, again and again; L1 moves RIP past it.
%macro EXIT_LOOP 2+
global %1:data hidden
align 16
%1:
	%2
	jmp %1
%endmacro

EXIT_LOOP l2_cpuid_loop, cpuid
EXIT_LOOP l2_vmcall_loop, vmcall
EXIT_LOOP l2_rdmsr_loop, rdmsr
EXIT_LOOP l2_out_loop, out 0x80, al
EXIT_LOOP l2_in_loop, in al, 0x80
EXIT_LOOP l2_hlt_loop, hlt
; Nothing but what comes from outside ends it.
EXIT_LOOP l2_spin, pause

; Touches one page after another from RSI on.
global l2_touch_loop:data hidden
align 16
l2_touch_loop:
	mov rax, [rsi]
	add rsi, 4096
	jmp l2_touch_loop

; Reads a word of each of RCX pages that are RDX bytes apart, from RSI on.
global l2_sweep:data hidden
align 16
l2_sweep:
	mov rax, [rsi]
	add rsi, rdx
	dec rcx
	jnz l2_sweep
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
