; SPDX-License-Identifier: MIT
;
; L2's interrupt table: each stub pushes its vector (and a zero where the CPU
; pushes no error code) and does VMCALL, so that L1 can read the frame.
; If L1 skips the VMCALL, L2 returns to where it was interrupted.

bits 64
default rel
section .text

global l2_stubs:data hidden
global l2_stub_vmcall:data hidden

%define HAS_ERROR_CODE(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21)

align 16
l2_stubs:
%assign n 0
%rep 256
	align 16
	%if !HAS_ERROR_CODE(n)
	push 0
	%endif
	push strict dword n
	jmp strict near l2_stub_vmcall
	%assign n n + 1
%endrep

l2_stub_vmcall:
	vmcall
	add rsp, 16
	iretq

section .note.GNU-stack noalloc noexec nowrite progbits
