; SPDX-License-Identifier: MIT
;
; One instruction each in compatibility mode, under the library's 64-bit IDT: an
; exception goes to the guard of whoever called. compatibility_run(code, operand)
; returns 0 if there was none.

default rel
section .text

%define CODE64 0x08
%define DATA 0x10
%define CODE32 0x18

global compatibility_run:function hidden

bits 64
compatibility_run:
	push rbx
	push rbp
	mov eax, DATA
	mov ds, eax
	mov ecx, esi
	mov edx, esi
	lea rbx, [rel .back]
	push CODE32
	push rdi
	o64 retf
.back:
	pop rbp
	pop rbx
	xor eax, eax
	ret

bits 32
come_back:
	push dword CODE64
	push ebx
	retf

%macro compatible 2+
global compatibility_%1:data hidden
compatibility_%1:
	%2
	jmp come_back
%endmacro

	compatible vmxon, vmxon [ecx]
	compatible vmxoff, vmxoff
	compatible vmclear, vmclear [ecx]
	compatible vmptrld, vmptrld [ecx]
	compatible vmptrst, vmptrst [ecx]
	compatible vmread, vmread eax, ecx
	compatible vmwrite, vmwrite ecx, edx
	compatible vmlaunch, vmlaunch
	compatible vmresume, vmresume
	compatible vmcall, vmcall
	compatible invept, invept ecx, [edx]
	compatible invvpid, invvpid ecx, [edx]

global compatibility_cpuid:data hidden
compatibility_cpuid:
	mov esi, ebx
	xor eax, eax
	cpuid
	mov ebx, esi
	jmp come_back

section .note.GNU-stack noalloc noexec nowrite progbits
