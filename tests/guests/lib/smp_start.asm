; SPDX-License-Identifier: MIT
;
; A processor's way from SIPI to C. smp.c copies what lies between
; smp_trampoline and smp_trampoline_end to a page below 1 MB and fills in the
; parameters at its end.
; 1. Real mode, CS = page / 16, IP = 0: what the processor came with is kept in
;    SEEN, for scenarios that want to know its state after INIT.
; 2. From real mode straight to 64-bit mode with the boot processor's GDT and
;    page tables, to smp_entry in the image.
; 3. There the initial APIC identifier finds the processor's number, or a new
;    one at its first start, and the number its stack.

default rel
section .text

global smp_trampoline:data hidden
global smp_trampoline_end:data hidden
global smp_entry:data hidden
extern smp_number_of
extern smp_next_number
extern smp_stack_tops
extern smp_main

%define MAX_CPUS 16
%define SELECTOR_DATA 0x10
%define IA32_EFER 0xc0000080

; Offsets in the page: struct trampoline_page in smp.h.
%define GDTR 0xe00
%define NEW_CR3 0xe08
%define NEW_CR4 0xe0c
%define NEW_EFER 0xe10
%define NEW_CR0 0xe14
%define ENTRY 0xe18
%define SEEN 0xe40

bits 16
smp_trampoline:
	mov [cs:SEEN + 0], eax
	mov [cs:SEEN + 4], ecx
	mov [cs:SEEN + 8], edx
	mov [cs:SEEN + 12], ebx
	mov [cs:SEEN + 16], esp
	mov [cs:SEEN + 20], ebp
	mov [cs:SEEN + 24], esi
	mov [cs:SEEN + 28], edi
	mov ax, cs
	mov [cs:SEEN + 32], ax
	mov ax, ds
	mov [cs:SEEN + 34], ax
	mov ax, es
	mov [cs:SEEN + 36], ax
	mov ax, ss
	mov [cs:SEEN + 38], ax
	mov ax, fs
	mov [cs:SEEN + 40], ax
	mov ax, gs
	mov [cs:SEEN + 42], ax
	mov eax, cr0
	mov [cs:SEEN + 44], eax
	mov eax, cr2
	mov [cs:SEEN + 48], eax
	mov eax, cr3
	mov [cs:SEEN + 52], eax
	mov eax, cr4
	mov [cs:SEEN + 56], eax
	mov eax, dr6
	mov [cs:SEEN + 60], eax
	mov eax, dr7
	mov [cs:SEEN + 64], eax
	; RFLAGS through a stack at the page's end; interrupts are off after INIT.
	mov ax, cs
	mov ss, ax
	mov sp, 0x1000
	pushfd
	pop eax
	mov [cs:SEEN + 68], eax
	mov ecx, IA32_EFER
	rdmsr
	mov [cs:SEEN + 72], eax
	o32 lgdt [cs:GDTR]
	mov eax, [cs:NEW_CR4]
	mov cr4, eax
	mov eax, [cs:NEW_CR3]
	mov cr3, eax
	mov eax, [cs:NEW_EFER]
	xor edx, edx
	wrmsr
	mov eax, [cs:NEW_CR0]
	mov cr0, eax
	jmp far dword [cs:ENTRY]
smp_trampoline_end:

bits 64
smp_entry:
	mov eax, SELECTOR_DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	mov eax, 1
	cpuid
	shr ebx, 24
	lea rdi, [smp_number_of]
	movzx eax, byte [rdi + rbx]
	cmp al, 0xff
	jne .known
	mov eax, 1
	lock xadd [smp_next_number], eax
	cmp eax, MAX_CPUS
	jae .park
	mov [rdi + rbx], al
.known:
	lea rdi, [smp_stack_tops]
	mov rsp, [rdi + rax * 8]
	mov edi, eax
	xor ebp, ebp
	call smp_main
.park:
	cli
	hlt
	jmp .park

section .note.GNU-stack noalloc noexec nowrite progbits
