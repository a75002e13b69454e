; SPDX-License-Identifier: MIT
; L2's side of the hostile guest.

bits 64
section .text

global l2_open_and_wrmsr:data hidden

; Takes back its own interception in L1's MSR bitmap (the byte at RSI), then writes the MSR.
l2_open_and_wrmsr:
	mov byte [rsi], 0
	wrmsr
	vmcall

section .note.GNU-stack noalloc noexec nowrite progbits
