; SPDX-License-Identifier: MIT
; L2's side of the hostile guest.

bits 64
section .text

global l2_open_and_wrmsr:data hidden
global l2_turn_on_long_mode:data hidden

; Takes back its own interception in L1's MSR bitmap (the byte at RSI), then writes the MSR.
l2_open_and_wrmsr:
	mov byte [rsi], 0
	wrmsr
	vmcall

; 32-bit, with PAE and EFER.LME: paging on makes it IA-32e mode.
bits 32
l2_turn_on_long_mode:
	mov eax, cr0
	bts eax, 31
	mov cr0, eax
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
