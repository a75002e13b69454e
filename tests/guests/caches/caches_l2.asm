; SPDX-License-Identifier: MIT
;
; L2s that change all they have, tell all they see, or execute whatever may exit,
; once between two CPUIDs. RSI is a page of their own in each, R15 counts the rounds.

bits 64
default rel
section .text

%define SELECTOR_CODE 0x08
%define SELECTOR_DATA 0x10
%define SELECTOR_LDT 0x30
%define SELECTOR_OTHER_CODE 0x48
%define IA32_SYSENTER_CS 0x174
%define IA32_SYSENTER_ESP 0x175
%define IA32_SYSENTER_EIP 0x176
%define IA32_PAT 0x277
%define IA32_EFER 0xc0000080
%define IA32_FS_BASE 0xc0000100
%define IA32_GS_BASE 0xc0000101
%define PORT 0x80

%macro l2 1
global l2_%1:data hidden
align 16
l2_%1:
%endmacro

; MSR, and the shift that makes its value of the count
%macro set_msr 2
	mov ecx, %1
	mov eax, r15d
	shl eax, %2
	xor edx, edx
	wrmsr
%endmacro

; A descriptor-table register with another limit
%macro set_limit 2
	s%1 [rsi]
	mov ax, r15w
	add ax, %2
	mov [rsi], ax
	l%1 [rsi]
%endmacro

; One of two selectors: the first in odd rounds
%macro choose 2
	mov eax, %1
	mov ecx, %2
	test r15d, 1
	cmovz eax, ecx
%endmacro

l2 change_everything
	inc r15
	set_msr IA32_FS_BASE, 12
	set_msr IA32_GS_BASE, 13
	set_msr IA32_SYSENTER_CS, 3
	set_msr IA32_SYSENTER_ESP, 4
	set_msr IA32_SYSENTER_EIP, 5
	choose 0x06070406, 0x00070406
	mov edx, 0x00070406
	mov ecx, IA32_PAT
	wrmsr
	mov ecx, IA32_EFER
	rdmsr
	xor eax, 1		; SCE
	wrmsr
	set_limit gdt, 0x100
	set_limit idt, 0xe00
	choose SELECTOR_DATA, 0
	mov es, eax
	choose 0, SELECTOR_DATA
	mov ds, eax
	mov ss, eax
	choose SELECTOR_LDT, 0
	lldt ax
	mov rax, cr0
	xor eax, 8		; TS
	mov cr0, rax
	mov rax, cr4
	xor eax, 4		; TSD
	mov cr4, rax
	mov rax, cr3
	xor rax, 8		; PWT
	mov cr3, rax
	choose 0x455, 0x400
	mov dr7, rax
	xor rsp, 0x40
	choose SELECTOR_OTHER_CODE, SELECTOR_CODE
	lea rdx, [rel .there]
	push rax
	push rdx
	o64 retf
.there:
	mov eax, r15d
	and eax, 0xd5		; status flags
	or eax, 2
	push rax
	popfq
	cpuid
	jmp l2_change_everything

%macro tell_msr 2
	mov ecx, %1
	rdmsr
	mov [rsi + %2], eax
	mov [rsi + %2 + 4], edx
%endmacro

%macro tell 2
	mov rax, %1
	mov [rsi + %2], rax
%endmacro

%macro tell_selector 2
	mov eax, %1
	mov [rsi + %2], rax
%endmacro

; struct seen of field_writes.c
l2 tell_everything
	pushfq
	pop rax
	mov [rsi + 0], rax
	tell rsp, 8
	tell cr0, 16
	tell cr3, 24
	tell cr4, 32
	tell dr7, 40
	tell_selector es, 48
	tell_selector cs, 56
	tell_selector ss, 64
	tell_selector ds, 72
	tell_selector fs, 80
	tell_selector gs, 88
	sldt eax
	mov [rsi + 96], rax
	str eax
	mov [rsi + 104], rax
	sgdt [rsi + 112]	; 16 bytes each
	sidt [rsi + 128]
	tell_msr IA32_FS_BASE, 144
	tell_msr IA32_GS_BASE, 152
	tell_msr IA32_SYSENTER_CS, 160
	tell_msr IA32_SYSENTER_ESP, 168
	tell_msr IA32_SYSENTER_EIP, 176
	tell_msr IA32_PAT, 184
	tell_msr IA32_EFER, 192
	rdtsc
	shr edx, 16		; all that the counter itself has not come to
	mov [rsi + 200], rdx
	mov rax, [rdi]
	mov [rsi + 208], rax
	push qword [rsi]
	popfq
	cpuid
	jmp l2_tell_everything

; Each exits where a control says so. RDI is an address for INVLPG, R14 is CR3, R13 CR8.
l2 exit_everywhere
	cpuid
	rdtsc
	mov rax, cr3
	mov cr3, r14
	invlpg [rdi]
	pause
	mov rax, dr7
	in al, PORT
	mov ecx, IA32_FS_BASE
	rdmsr
	int3
	sgdt [rsi]
	wbinvd
	sti
	nop
	cli
	mov rax, cr8
	mov cr8, r13
	jmp l2_exit_everywhere

; R14 steps of 32 bytes each at RSI: struct step of caches.h. R12 counts them.
l2 follow_script
	xor r12d, r12d
.next:
	cmp r12, r14
	jae .done
	mov r13, r12
	shl r13, 5
	add r13, rsi
	inc r12
	mov ecx, [r13 + 4]
	mov rax, [r13 + 8]
	cmp dword [r13], 1
	jb .rdmsr
	je .in
	cmp dword [r13], 3
	jb .vmread
	je .vmfunc
	cmp dword [r13], 5
	jb .load
	mov rdx, [r13 + 16]
	mov [rax], rdx
	jmp .next
.rdmsr:
	rdmsr
	jmp .tell
.in:
	mov edx, ecx
	in al, dx
	jmp .next
.vmread:
	vmread rax, rcx
	jmp .tell
.vmfunc:
	xor eax, eax
	vmfunc
	jmp .next
.load:
	mov rax, [rax]
.tell:
	mov [r13 + 16], rax
	jmp .next
.done:
	cpuid
	jmp l2_follow_script

; Adds up what lies at RDI and each R9 bytes behind it, R8 times, in R10.
l2 add_up
	mov r11, rdi
	mov rax, r8
	xor r10d, r10d
.next:
	add r10, [r11]
	add r11, r9
	dec rax
	jnz .next
	cpuid
	jmp l2_add_up

section .note.GNU-stack noalloc noexec nowrite progbits
