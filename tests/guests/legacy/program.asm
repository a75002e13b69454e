; SPDX-License-Identifier: MIT
;
; Out of 64-bit mode and back, and the steps of a program in between.
; 1. legacy_run(program) loads the program's GDT and IDT, goes through
;    compatibility mode to unpaged protected mode, and there turns IA-32e mode
;    off and the program's paging on.
; 2. EBX points at the program, which is the page that ESP lies in. Each step
;    is called with ECX and EDX from its entry and all status flags set, and
;    jumps to `done`. An exception arrives at legacy_idt_stubs, a VM exit at
;    legacy_exit_point; all three store what happened and go on to the next.
; 3. After the last step the way back is the same, mirrored.
; Nothing here is addressed absolutely: the image may lie anywhere below 4 GB.

default rel
section .text

global legacy_run:function hidden
global legacy_exit_point:data hidden
global legacy_idt_stubs:data hidden
global legacy_done:function hidden

%define CODE64 0x08
%define DATA 0x10
%define CODE32 0x18
%define SMALL 0x30

%define LEFT 0
%define CURRENT 4
%define MODE_CR0 8
%define MODE_CR3 12
%define MODE_CR4 16
%define SAVED_RSP 24
%define SAVED_CR0 32
%define SAVED_CR3 40
%define SAVED_CR4 48
%define GDTR 56
%define IDTR 66
%define SAVED_GDTR 76
%define SAVED_IDTR 86

%define STEP_OP 0
%define STEP_A 4
%define STEP_B 8
%define STEP_FLAGS 12
%define STEP_VECTOR 16
%define STEP_ERROR 20
%define STEP_CR2 24
%define STEP_VALUE 28
%define STEP_SIZE 32
%define NO_EXCEPTION 0x100
%define CAME_BY_EXIT 0x101

%define IA32_EFER 0xc0000080
%define EFER_LME 0x100
%define CR0_PG 0x80000000
%define STATUS_FLAGS 0x8d5

bits 64
legacy_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	mov rbx, rdi
	mov [rbx + SAVED_RSP], rsp
	mov rax, cr0
	mov [rbx + SAVED_CR0], rax
	mov rax, cr3
	mov [rbx + SAVED_CR3], rax
	mov rax, cr4
	mov [rbx + SAVED_CR4], rax
	sgdt [rbx + SAVED_GDTR]
	sidt [rbx + SAVED_IDTR]
	lgdt [rbx + GDTR]
	lidt [rbx + IDTR]
	lea rsp, [rbx + 4096]
	lea rax, [rel .compatibility]
	push CODE32
	push rax
	o64 retf
bits 32
.compatibility:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov ecx, IA32_EFER
	rdmsr
	and eax, ~EFER_LME
	wrmsr
	mov eax, [ebx + MODE_CR4]
	mov cr4, eax
	mov eax, [ebx + MODE_CR3]
	mov cr3, eax
	mov eax, [ebx + MODE_CR0]
	mov cr0, eax

next:
	; EBX is the program; the step before may have left anything in the rest
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	lea esp, [ebx + 4096]
	cmp dword [ebx + LEFT], 0
	je leave
	mov edi, [ebx + CURRENT]
	mov ecx, [edi + STEP_A]
	mov edx, [edi + STEP_B]
	mov esi, [edi + STEP_OP]
	mov eax, 0xeeeeeeee
	push dword STATUS_FLAGS | 2
	popfd
	call esi
	ud2

; The step went through: its flags first, for everything else may change them.
legacy_done:
done:
	pushfd
	push eax
	mov eax, DATA
	mov ds, eax
	mov ss, eax
	pop eax
	mov ebx, esp
	and ebx, -4096
	mov edi, [ebx + CURRENT]
	pop dword [edi + STEP_FLAGS]
	mov dword [edi + STEP_VECTOR], NO_EXCEPTION
	mov [edi + STEP_VALUE], eax
advance:
	add dword [ebx + CURRENT], STEP_SIZE
	dec dword [ebx + LEFT]
	jmp next

; On the stack: vector, error code, EIP, CS, EFLAGS.
exception:
	mov ebx, DATA
	mov ds, ebx
	mov ebx, esp
	and ebx, -4096
	mov edi, [ebx + CURRENT]
	pop dword [edi + STEP_VECTOR]
	pop dword [edi + STEP_ERROR]
	mov [edi + STEP_VALUE], eax
	mov eax, [esp + 8]
	mov [edi + STEP_FLAGS], eax
	mov eax, cr2
	mov [edi + STEP_CR2], eax
	jmp advance

legacy_exit_point:
	lea ebx, [esp - 4096]
	mov edi, [ebx + CURRENT]
	mov dword [edi + STEP_VECTOR], CAME_BY_EXIT
	mov [edi + STEP_VALUE], eax
	pushfd
	pop dword [edi + STEP_FLAGS]
	jmp advance

leave:
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov eax, [ebx + SAVED_CR4]
	mov cr4, eax
	mov eax, [ebx + SAVED_CR3]
	mov cr3, eax
	mov ecx, IA32_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, [ebx + SAVED_CR0]
	mov cr0, eax
	call .here
.here:
	pop eax
	add eax, .long_mode - .here
	push dword CODE64
	push eax
	retf
bits 64
.long_mode:
	lgdt [rbx + SAVED_GDTR]
	lidt [rbx + SAVED_IDTR]
	mov rsp, [rbx + SAVED_RSP]
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

bits 32
%define HAS_ERROR_CODE(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21)

align 16
legacy_idt_stubs:
%assign n 0
%rep 32
	align 16
	%if !HAS_ERROR_CODE(n)
	push 0
	%endif
	push strict dword n
	jmp strict near exception
	%assign n n + 1
%endrep

; --- the steps: step NAME, instruction -----------------------------------------

%macro step 1-*
global step_%1:data hidden
step_%1:
%rep %0 - 1
	%rotate 1
	%1
%endrep
	jmp done
%endmacro

	step vmxon, {vmxon [ecx]}
	step vmxoff, {vmxoff}
	step vmclear, {vmclear [ecx]}
	step vmptrld, {vmptrld [ecx]}
	step vmptrst, {vmptrst [ecx]}
	step vmptrst_sib, {mov eax, edx}, {neg eax}, {vmptrst [ecx + eax * 4 + 16]}
	; 16-bit addresses, in the data page; the second comes around to a + 8
	step vmptrst_16, {mov eax, SMALL}, {mov ds, eax}, {mov bx, cx}, {mov si, dx}, {vmptrst [bx + si + 8]}
	step vmptrst_16_wraps, {mov eax, SMALL}, {mov ds, eax}, {mov bx, cx}, {mov si, 0xfff8}, {vmptrst [bx + si + 0x10]}
	; b: the selector of SS
	step vmptrst_stack, {mov ss, edx}, {mov ebp, ecx}, {vmptrst [ebp]}
	; b: the selector of FS
	step vmptrst_fs, {mov fs, edx}, {vmptrst [fs:ecx]}
	step vmptrld_fs, {mov fs, edx}, {vmptrld [fs:ecx]}
	step vmptrst_lock, {db 0xf0}, {vmptrst [ecx]}
	step vmread, {vmread eax, ecx}
	step vmread_memory, {vmread [edx], ecx}
	step vmread_esp, {mov ebx, esp}, {vmread esp, ecx}, {xchg ebx, esp}, {mov eax, ebx}
	step vmwrite, {vmwrite ecx, edx}
	step vmwrite_memory, {vmwrite ecx, [edx]}
	step vmlaunch, {vmlaunch}
	step vmlaunch_blocked, {mov eax, ss}, {mov ss, eax}, {vmlaunch}
	step vmresume, {vmresume}
	step vmcall, {vmcall}
	step vmfunc, {mov eax, ecx}, {vmfunc}
	step invept, {invept ecx, [edx]}
	step invvpid, {invvpid ecx, [edx]}
	step mov_cr0, {mov cr0, ecx}
	step mov_cr4, {mov cr4, ecx}
	step read_cr0, {mov eax, cr0}
	step read_cr4, {mov eax, cr4}
	step load, {mov eax, [ecx]}
	step cpuid_edx, {mov eax, ecx}, {cpuid}, {mov eax, edx}

; VMPTRST in 16-bit code: a is an offset in the data page, b the selector of a 16-bit code segment
global step_in_16_bit_code:data hidden
step_in_16_bit_code:
	call .here
.here:
	pop eax
	lea esi, [eax + .code_32 - .here]
	add eax, .code_16 - .here
	mov ebx, SMALL
	mov ds, ebx
	mov ebx, ecx
	push edx
	push eax
	retf
bits 16
.code_16:
	vmptrst [bx]
	pushfd
	push dword CODE32
	push esi
	o32 retf
bits 32
.code_32:
	popfd
	jmp done

; a: the linear address of code below 1 MB, b: the TSS. It ends by an exception.
global step_v8086:data hidden
step_v8086:
	mov ebx, esp
	and ebx, -4096
	lea eax, [ebx + 4096]
	mov [edx + 4], eax
	mov dword [edx + 8], DATA
	shr ecx, 4
	push 0			; GS, FS, DS, ES
	push 0
	push 0
	push 0
	push ecx		; SS:ESP
	push 0x800
	push 0x20002
	push ecx
	push 0
	iretd

section .note.GNU-stack noalloc noexec nowrite progbits
