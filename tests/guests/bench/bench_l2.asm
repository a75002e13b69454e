; SPDX-License-Identifier: MIT
; L2's side of the benchmarks.

bits 64
default rel
section .text

global l2_cpuid_loop:data hidden
global l2_touch_loop:data hidden
global l2_sweep:data hidden

align 16
l2_cpuid_loop:
	cpuid
	jmp l2_cpuid_loop

; Touches one page after another from RSI on.
align 16
l2_touch_loop:
	mov rax, [rsi]
	add rsi, 4096
	jmp l2_touch_loop

; Reads RCX pages from RSI on, one word of each, and says the ticks in RAX.
align 16
l2_sweep:
	lfence
	rdtsc
	shl rdx, 32
	or rax, rdx
	mov r8, rax
.next:
	mov rax, [rsi]
	add rsi, 4096
	dec rcx
	jnz .next
	lfence
	rdtsc
	shl rdx, 32
	or rax, rdx
	sub rax, r8
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
