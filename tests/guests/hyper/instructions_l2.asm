; SPDX-License-Identifier: MIT
; L2's side of instructions.c and vmx_instructions.c: a label for each scenario.

bits 64
default rel
section .text

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

l2 cpuid
	mov eax, 0x1234
	mov ecx, 5
	cpuid
	vmcall

l2 vmcall
	mov rax, 0x1122334455667788
	mov r15, 0x8877665544332211
	vmcall
	mov rax, rbx
	vmcall

l2 hlt
	hlt
	vmcall

l2 rdtsc
	rdtsc
	vmcall

l2 rdtscp
	rdtscp
	vmcall

l2 invlpg
	invlpg [rsi + 0x10]
	vmcall

l2 xsetbv
	xor ecx, ecx
	xor edx, edx
	mov eax, 1
	xsetbv
	vmcall

l2 invd
	invd
	vmcall

l2 wbinvd
	wbinvd
	vmcall

l2 pause
	pause
	vmcall

l2 rdpmc
	xor ecx, ecx
	rdpmc
	vmcall

l2 rdrand
	rdrand r11d
	rdseed rdi
	vmcall

l2 invpcid
	mov eax, 2
	invpcid rax, [rsi]
	vmcall

l2 sgdt
	sgdt [rsi + 8]
	vmcall

l2 sldt
	sldt [rsi + rdi * 4]
	str r9
	vmcall

l2 lgdt
	lgdt [rsi]
	vmcall

l2 mov_dr
	mov dr7, rax
	mov rbx, dr6
	vmcall

; Those without a memory operand.
l2 vmx_instructions
	vmlaunch
	vmresume
	vmxoff
	vmread rax, r9
	vmwrite r10, rdx
	vmcall

; Those with one: information and displacement differ.
l2 vmx_memory
	vmxon [rsi + 0x18]
	vmclear [rsi + rdi * 2 - 8]
	vmptrld [rbx]
	vmptrst [r12]
	vmread [rsi + 0x100], rcx
	vmwrite rdx, [rbp + 8]
	invept rax, [rsi]
	invvpid r15, [rsi + r14 * 8]
	vmcall

; RIP-relative: the address in the qualification is the whole one.
l2 vmx_rip_relative
	vmptrld [rel l2_vmx_rip_relative + 0x40]
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
