#include "textflag.h"

DATA ·onSignal(SB)/8, $onSignal<>(SB)
GLOBL ·onSignal(SB), RODATA|NOPTR, $8
DATA ·onFault(SB)/8, $onFault<>(SB)
GLOBL ·onFault(SB), RODATA|NOPTR, $8

// The kernel calls handlers as C functions: (R0 signal, R1 siginfo, R2 context). It restores all registers afterwards.

TEXT onSignal<>(SB), NOSPLIT|NOFRAME, $0
	SUB $16, RSP
	MOVB R0, (RSP)
	MOVW ·caughtFD(SB), R0
	MOVD RSP, R1
	MOVD $1, R2
	MOVD $64, R8 // write(2)
	SVC
	ADD $16, RSP
	RET

TEXT onFault<>(SB), NOSPLIT|NOFRAME, $0
	MOVW 8(R1), R3 // si_code: positive where the kernel says why
	CMPW $0, R3
	BGT fault
	B onSignal<>(SB)
fault:
	MOVD ·goHandler(SB), R3
	B (R3)
