#include "textflag.h"

DATA ·onSignal(SB)/8, $onSignal<>(SB)
GLOBL ·onSignal(SB), RODATA|NOPTR, $8
DATA ·onFault(SB)/8, $onFault<>(SB)
GLOBL ·onFault(SB), RODATA|NOPTR, $8
DATA ·restorer(SB)/8, $restorer<>(SB)
GLOBL ·restorer(SB), RODATA|NOPTR, $8

// The kernel calls handlers as C functions: (DI signal, SI siginfo, DX context). It restores all registers afterwards.

TEXT onSignal<>(SB), NOSPLIT|NOFRAME, $0
	PUSHQ DI
	MOVL ·caughtFD(SB), DI
	MOVQ SP, SI
	MOVL $1, DX
	MOVL $1, AX // write(2)
	SYSCALL
	POPQ DI
	RET

TEXT onFault<>(SB), NOSPLIT|NOFRAME, $0
	CMPL 8(SI), $0 // si_code: positive where the kernel says why
	JGT fault
	JMP onSignal<>(SB)
fault:
	MOVQ ·goHandler(SB), AX
	JMP AX

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX // rt_sigreturn(2)
	SYSCALL
	INT $3
