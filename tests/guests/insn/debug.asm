; SPDX-License-Identifier: MIT
;
; Instructions under debug traps, for debug.c: debug_NAME(a, b) executes it, and at
; debug_NAME_end the next one begins, where a trap after it finds RIP. What
; sets RFLAGS.TF clears it again a few instructions later, should no trap come.

bits 64
default rel
section .text

%define RFLAGS_TF 0x100
%define RFLAGS_RF 0x10000

%macro set_flag 1
	pushfq
	or dword [rsp], %1
	popfq
%endmacro

%macro clear_tf 0
	nop
	nop
	pushfq
	and dword [rsp], ~RFLAGS_TF
	popfq
	xor eax, eax
%endmacro

; traced NAME, instruction: as it is
%macro traced 2+
global debug_%1:function hidden
global debug_%1_at:data hidden
global debug_%1_end:data hidden
debug_%1:
debug_%1_at:
	%2
debug_%1_end:
	nop
	xor eax, eax
	ret
%endmacro

; stepped NAME, instruction: with RFLAGS.TF
%macro stepped 2+
global debug_step_%1:function hidden
global debug_step_%1_at:data hidden
global debug_step_%1_end:data hidden
debug_step_%1:
	push rbx
	set_flag RFLAGS_TF
debug_step_%1_at:
	%2
debug_step_%1_end:
	clear_tf
	pop rbx
	ret
%endmacro

; IN from port a.
global debug_in:function hidden
global debug_in_end:data hidden
debug_in:
	mov edx, edi
	in al, dx
debug_in_end:
	nop
	xor eax, eax
	ret

global debug_step_in:function hidden
global debug_step_in_end:data hidden
debug_step_in:
	mov edx, edi
	set_flag RFLAGS_TF
	in al, dx
debug_step_in_end:
	clear_tf
	ret

	traced vmptrst, vmptrst [rdi]
	traced vmptrld, vmptrld [rdi]
	traced vmread, vmread [rdi], rsi
	traced vmwrite, vmwrite rsi, [rdi]
	traced vmclear, vmclear [rdi]
	traced invept, invept rsi, [rdi]

	stepped vmptrst, vmptrst [rdi]
	stepped vmread, vmread rax, rsi
	stepped vmwrite, vmwrite rsi, rdi
	stepped vmresume, vmresume
	stepped vmptrld, vmptrld [rdi]
	stepped cpuid, cpuid
	stepped nop, nop

; MOV to SS holds back the trap until the instruction behind it is done.
global debug_step_vmptrst_after_mov_ss:function hidden
global debug_step_vmptrst_after_mov_ss_end:data hidden
debug_step_vmptrst_after_mov_ss:
	push rbx
	mov eax, ss
	set_flag RFLAGS_TF
	mov ss, eax
	vmptrst [rdi]
debug_step_vmptrst_after_mov_ss_end:
	clear_tf
	pop rbx
	ret

; Returns to the instruction with RFLAGS.RF set: its own breakpoint does not count, the next one's does.
global debug_resumed:function hidden
global debug_resumed_at:data hidden
global debug_resumed_end:data hidden
debug_resumed:
	mov eax, ss
	push rax
	lea rax, [rsp + 8]
	push rax
	pushfq
	or dword [rsp], RFLAGS_RF
	mov eax, cs
	push rax
	lea rax, [rel debug_resumed_at]
	push rax
	iretq
debug_resumed_at:
	vmptrst [rdi]
debug_resumed_end:
	nop
	xor eax, eax
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
